//! A worker far from its engine: an attempt that is described in a bucket -> its result there, and last its outcome.
//!
//! `read and check -> claim -> bring what it takes -> run it as this machine runs its own -> file what it made -> outcome`. Items
//! are filed while it runs, and what the work has reached is saved.
//! All that counts lies in the bucket: the scratch folder may be lost at any moment. docs/cloud.md has the objects of an
//! attempt and who writes them.

mod claim;
mod described;
mod filed;
mod filing;
mod ground;
mod reached;
mod segments;

use crate::attempt::{Attempt, ItemCount, Outcome, VERSION};
use crate::elsewhere::{close, outcome};
use crate::event::Body;
use crate::failure::{Class, Failure};
use crate::ids::AttemptId;
use crate::local::OomKills;
use crate::scheduler::Stop;
use crate::secret::{self, Redactor};
use crate::stage::Registry;
use crate::store::Store;
use crate::world::World;
use filing::Filing;
use ground::Ground;
use reached::Reached;
use segments::Segments;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long what an attempt has started may take to end. Places elsewhere take their machines away ten seconds after they
/// have said so, and the outcome has to be written by then.
const GRACE: Duration = Duration::from_secs(4);
/// When a worker that was told to stop gives up what it is at, and leaves its outcome without it.
const LAST_WORDS: Duration = Duration::from_millis(6500);
/// How long it may take to leave that outcome.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a worker is sent for, and what it has.
pub struct Errand {
    /// The store's URI.
    pub root: String,
    /// The store.
    pub bucket: Arc<dyn Store>,
    /// The attempt.
    pub id: AttemptId,
    /// The job that we are, by the name that its provider gave it: a process of the same name goes on, another does not.
    pub job: String,
    /// The stage kinds of this build.
    pub kinds: Registry,
    /// The clock.
    pub world: World,
    /// A folder that nobody else uses meanwhile.
    pub scratch: PathBuf,
    /// The binary that is started for a built-in stage.
    pub worker: PathBuf,
    /// Who counts what the kernel kills for want of memory.
    pub oom_kills: OomKills,
    /// The secrets that it was given or has fetched; or why they cannot be had, which is an outcome of the attempt.
    pub secrets: Result<secret::Values, Failure>,
    /// Variables of its own that what it starts gets as well, such as those by which a provider tells where things are.
    pub passed: BTreeMap<String, String>,
    /// Whether it is only tried what would come of it: nothing is written into the bucket.
    pub is_dry: bool,
}

/// What became of an errand.
#[derive(Debug)]
pub enum Ended {
    /// The attempt ended so, and its outcome says it.
    Worked(Box<Outcome>),
    /// It had ended before.
    Before(Box<Outcome>),
    /// This job has it.
    Duplicate(String),
}

/// Works on an attempt until it has an outcome. `stop` says that the machine is about to be taken away.
///
/// # Errors
/// When nothing is known of the attempt, or its outcome cannot be written: nothing was decided then.
pub async fn run(errand: Errand, mut stop: watch::Receiver<Option<Stop>>) -> Result<Ended, Failure> {
    let errand = Arc::new(errand);
    let begins = errand.clone();
    let attempt = match beside(move || begins.begin()).await? {
        Begun::Ours(attempt) => Ok(*attempt),
        Begun::Refused(failure) => Err(failure),
        Begun::Over(ended) => return Ok(ended),
    };
    let worked = match attempt {
        Err(failure) => failed(&errand.id, failure),
        Ok(attempt) => tokio::select! {
            worked = errand.work(attempt, stop.clone()) => worked,
            () = out_of_time(&mut stop) => failed(&errand.id, preempted()),
        },
    };
    let worked = match &errand.secrets {
        Ok(secrets) => worked.redacted(&Redactor::of(secrets)),
        Err(_) => worked,
    };
    if errand.is_dry {
        return Ok(Ended::Worked(Box::new(worked)));
    }
    let (leaves, is_last_word) = (errand.clone(), stop.borrow().is_some());
    let left = beside(move || close(leaves.bucket.as_ref(), worked));
    let left = if is_last_word {
        tokio::time::timeout(FAREWELL, left).await.unwrap_or_else(|_| Err(unsaid()))
    } else {
        left.await
    };
    left.map(|outcome| Ended::Worked(Box::new(outcome)))
}

/// What is known of an attempt before it is worked on.
enum Begun {
    Ours(Box<Attempt>),
    /// It is ours, and it is not to be worked on: its outcome says why.
    Refused(Failure),
    Over(Ended),
}

impl Errand {
    fn begin(&self) -> Result<Begun, Failure> {
        let bucket = self.bucket.as_ref();
        let described = described::read(bucket, &self.id, &self.kinds)?;
        if !self.is_dry {
            if let Some(before) = outcome(bucket, &self.id)? {
                return Ok(Begun::Over(Ended::Before(Box::new(before))));
            }
            if let Some(other) = claim::taken_by_another(bucket, &self.id, &self.job, self.world.now())? {
                return Ok(Begun::Over(Ended::Duplicate(other)));
            }
        }
        Ok(match described.and_then(|attempt| self.secrets.as_ref().map(|_| attempt).map_err(Failure::clone)) {
            Ok(attempt) => Begun::Ours(Box::new(attempt)),
            Err(failure) => Begun::Refused(failure),
        })
    }

    async fn work(self: &Arc<Self>, attempt: Attempt, stop: watch::Receiver<Option<Stop>>) -> Outcome {
        let worked = self.try_to_work(attempt, stop).await;
        worked.unwrap_or_else(|failure| failed(&self.id, failure))
    }

    async fn try_to_work(
        self: &Arc<Self>,
        attempt: Attempt,
        mut stop: watch::Receiver<Option<Stop>>,
    ) -> Result<Outcome, Failure> {
        let (lays, described) = (self.clone(), attempt.clone());
        let laying = beside(move || {
            let ground = Ground::lay(&lays)?;
            let prepared = ground.prepare(described, &lays)?;
            let reached = Reached::of(&lays, &ground, &prepared);
            Ok((Arc::new(ground), prepared, reached))
        });
        let (ground, prepared, reached) = tokio::select! {
            laid = laying => laid?,
            () = told(&mut stop) => return Err(preempted()),
        };
        let child = ground.local.start(&prepared)?;
        let segments = (!self.is_dry).then(|| Segments::of(self));
        let filing = (!self.is_dry).then(|| Filing::of(&ground, &attempt, reached));
        let say = |body: Body| {
            if let Some(segments) = &segments {
                segments.say(body);
            }
        };
        let outcome = ground.local.follow(child, prepared, stop.clone(), say, None::<fn()>).await;
        if let Some(segments) = segments {
            segments.end().await;
        }
        let reached = match filing {
            Some(filing) => filing.end().await,
            None => None,
        };
        // Whatever it said in its haste, it was told to end.
        let is_cut_short = outcome.failure.is_some() && stop.borrow().is_some();
        let outcome = if is_cut_short { Outcome { failure: Some(preempted()), ..outcome } } else { outcome };
        let files = self.clone();
        beside(move || files.file(&ground, &attempt, reached, outcome)).await
    }
}

fn failed(id: &AttemptId, failure: Failure) -> Outcome {
    let (files, result, items) = (Vec::new(), Json::Null, ItemCount::default());
    Outcome { version: VERSION, id: id.clone(), failure: Some(failure), files, result, items, usage: None }
}

fn preempted() -> Failure {
    Failure::of(Class::Preempted, "preempted", "its machine was about to be taken away")
}

fn unsaid() -> Failure {
    Failure::of(Class::Preempted, "preempted", "its machine is taken away, and the store does not answer")
}

/// Comes back when it was asked to stop.
async fn told(stop: &mut watch::Receiver<Option<Stop>>) {
    // A sender that is gone tells nothing any more.
    if stop.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn out_of_time(stop: &mut watch::Receiver<Option<Stop>>) {
    told(stop).await;
    tokio::time::sleep(LAST_WORDS).await;
}

/// Does what blocks on a thread of its own.
async fn beside<T: Send + 'static>(act: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(act).await.expect("what is done beside does not panic")
}
