//! The image of a trial -> which worker it holds, by running it as a job of its place: the worker writes what it is into the
//! store. So this also tells whether the job's account may write there.

use super::trials::{Trial, Tried};
use crate::attempt::VERSION;
use crate::backend::{Backend, Job, Standing};
use crate::failure::{Class, Failure};
use crate::finding::Finding;
use crate::store::{PROBES, Store, StoreError};
use crate::work::store_failed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest that is waited for an answer: a machine has to be found, and an image to be brought to it.
const LONGEST: Duration = Duration::from_secs(600);

/// Which attempts a worker takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Its own version.
    pub pipe: String,
    /// The version of `attempt.json` that it reads.
    pub protocol: u32,
    /// The kinds of stages that it has, and the code of each.
    pub kinds: BTreeMap<String, String>,
}

impl Versions {
    /// What would keep it from the attempts of these stages, or that nothing would.
    pub fn judge<'a>(&self, stages: impl IntoIterator<Item = &'a Tried>) -> Vec<Finding> {
        let mut wrong = Vec::new();
        if self.protocol != VERSION {
            wrong.push(format!("reads attempts of version {}, and this pipe writes {VERSION}", self.protocol));
        }
        for Tried { stage, kind, code } in stages {
            match self.kinds.get(kind) {
                None => wrong.push(format!("has no stages of kind `{kind}`, as `{stage}` is")),
                Some(there) if there != code => {
                    wrong.push(format!("has version {there} of `{kind}`, and this pipe has {code} for `{stage}`"));
                }
                Some(_) => {}
            }
        }
        if wrong.is_empty() {
            let message = format!("its worker is pipe {}, which takes the attempts of this one", self.pipe);
            return vec![Finding::good("worker", message)];
        }
        let help = "build the image from this version of pipe and push it (`pipe image build`, `pipe image push`), or run the \
                    pipe that it was built from";
        let told = |what| format!("the worker, pipe {}, {what}", self.pipe);
        let found = wrong.into_iter().map(|what| Failure::failed("other_worker", told(what)).help(help));
        found.map(Finding::error).collect()
    }
}

/// Asks the image of a trial. `root` is the store's, as a job is told of it; `name` is nobody else's.
///
/// # Errors
/// When there is no job, or it ends without an answer.
pub async fn ask(
    backend: &dyn Backend,
    store: &dyn Store,
    trial: &Trial,
    (root, name): (&str, &str),
) -> Result<Versions, Failure> {
    let at = format!("{PROBES}/{name}.json");
    let words = ["worker", "--versions", "--to"].map(str::to_owned).into_iter();
    let words: Vec<String> = words.chain([format!("{}/{at}", root.trim_end_matches('/'))]).collect();
    let job = backend.ask(&trial.attempt, &words).await?;
    let ended = over(backend, &job).await;
    let answer = store.get(&at).await;
    let _ = store.delete(&at).await;
    if let Err(failure) = backend.forget(&job).await {
        tracing::debug!(job = job.0, %failure, "a job that was asked is still there");
    }
    match answer {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| {
            Failure::failed("bad_versions", "its worker does not say in known words which it is").source(e)
        }),
        Err(StoreError::Missing { .. }) => Err(ended?.unwrap_or_else(|| silent(&job))),
        Err(error) => Err(store_failed(error)),
    }
}

/// Waits until a job is over. Returns why it did not end well.
async fn over(backend: &dyn Backend, job: &Job) -> Result<Option<Failure>, Failure> {
    let wait = async {
        loop {
            match backend.poll(std::slice::from_ref(job)).await?.pop() {
                Some(Standing::Over(why)) => return Ok(why),
                Some(Standing::Waiting | Standing::Running) => tokio::time::sleep(backend.poll_every()).await,
                Some(Standing::Gone) | None => return Ok(Some(silent(job))),
            }
        }
    };
    if let Ok(ended) = tokio::time::timeout(LONGEST, wait).await {
        return ended;
    }
    let _ = backend.cancel(job).await;
    let message = format!("its worker has not answered within {} minutes", LONGEST.as_secs() / 60);
    Err(Failure::of(Class::Timeout, "no_answer", message).on(&job.0))
}

fn silent(job: &Job) -> Failure {
    Failure::failed("no_answer", "its worker does not say which it is")
        .on(&job.0)
        .help("an image of an older pipe cannot be asked: build it from this version, with `pipe` as its entry point")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn a_worker_that_lacks_a_kind_or_has_another_code_of_one_is_told_with_the_stage() {
        let kinds = [("clips", "3"), ("train", "1")].map(|(kind, code)| (kind.to_owned(), code.to_owned()));
        let versions = Versions { pipe: "0.1.0".to_owned(), protocol: VERSION, kinds: BTreeMap::from(kinds) };
        let tried = |stage: &str, kind: &str, code: &str| Tried {
            stage: stage.to_owned(),
            kind: kind.to_owned(),
            code: code.to_owned(),
        };
        let found = versions.judge(&[tried("a", "clips", "3")]);
        assert_eq!((found.len(), found[0].level), (1, Level::Good));
        let found = versions.judge(&[tried("a", "clips", "4"), tried("b", "export", "1"), tried("c", "train", "1")]);
        let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the worker, pipe 0.1.0, has version 3 of `clips`, and this pipe has 4 for `a`",
                "the worker, pipe 0.1.0, has no stages of kind `export`, as `b` is"
            ]
        );
        let old = Versions { protocol: VERSION + 1, ..versions };
        assert_eq!(old.judge(&[tried("a", "clips", "3")])[0].code, "other_worker");
    }
}
