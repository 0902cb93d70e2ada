//! A place elsewhere: it knows its jobs by name, really runs them, lives on when an engine dies, and loses calls when told.

use futures::future::BoxFuture;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, BackendKind, Capability, Job, Need, Standing};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::AttemptId;
use pipe_engine::stage::{ConfigProblem, Registry, Results, StageKind, read_config};
use pipe_engine::units::{Millis, Usd};
use pipe_engine::work::Work;
use pipe_engine::worker::{read_attempt, run_attempt};
use pipe_engine::world::World;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Writes a text and those of its inputs into one file.
pub(super) struct Note;

#[derive(Deserialize, JsonSchema)]
struct NoteConfig {
    text: String,
    #[serde(default)]
    #[expect(dead_code, reason = "the plan finds inputs by their mark")]
    from: Vec<Results>,
}

impl StageKind for Note {
    fn name(&self) -> &'static str {
        "note"
    }
    fn code(&self) -> String {
        "1".to_owned()
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        NoteConfig::json_schema(generator)
    }
    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<NoteConfig>(config).map(drop)
    }
    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let mut text = work.config::<NoteConfig>()?.text;
        for input in work.inputs("from[0]") {
            text += &std::fs::read_to_string(work.path_in(input, "note")?).unwrap();
        }
        work.write("note", text.as_bytes())?;
        Ok(json!({}))
    }
}

/// The kind of place, as a spec names it.
pub(super) struct Far;

impl BackendKind for Far {
    fn name(&self) -> &'static str {
        "far"
    }
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "object", "properties": {
            "dear": { "type": "integer" }, "regions": { "type": "array", "items": { "type": "string" } }
        } })
    }
    fn check(&self, _: &Json) -> Result<(), ConfigProblem> {
        Ok(())
    }
    fn capability(&self, config: &Json) -> Capability {
        Capability { is_priced: config.get("dear").is_some(), has_spot: true, ..Capability::default() }
    }
    fn regions(&self, config: &Json) -> Vec<String> {
        let regions = config.get("regions").and_then(Json::as_array).into_iter().flatten();
        regions.filter_map(|region| region.as_str().map(str::to_owned)).collect()
    }
    fn price(&self, config: &Json, need: &Need, time: Millis) -> Option<Usd> {
        // Millionths of a dollar a second; half of it where machines are taken away, and twice as much in the south.
        let second = config.get("dear")?.as_u64()? / if need.spot { 2 } else { 1 };
        let times = if need.region.as_deref() == Some("south") { 2 } else { 1 };
        Some(Usd(second * times * time.0.div_ceil(1000)))
    }
}

/// What one job is and how it stands.
struct Held {
    attempt: Attempt,
    standing: Standing,
}

/// What looks at an attempt.
type Inspect = Box<dyn Fn(&Attempt) + Send>;
/// What looks at a job, by its name.
type InspectJob = Box<dyn Fn(&str) + Send>;

/// What a provider did and is to do.
#[derive(Default)]
pub(super) struct Desk {
    jobs: BTreeMap<String, Held>,
    /// Submits that have their effect, and of which nobody hears.
    pub(super) lost_submits: u32,
    /// Cancels and polls that are lost on their way here.
    pub(super) lost_calls: u32,
    /// Whether jobs are over before anybody asks for them.
    pub(super) hurries: bool,
    /// Whether jobs wait where they are.
    pub(super) holds: bool,
    /// No job ends before so many were made.
    pub(super) gathers: usize,
    /// How the next jobs end, without a word of their workers.
    pub(super) ends: Vec<Option<Failure>>,
    /// The names of jobs in the order in which they were made, and of those that were told to stop.
    pub(super) made: Vec<String>,
    pub(super) cancelled: Vec<String>,
    /// The names of jobs that nobody needs any more.
    pub(super) forgotten: Vec<String>,
    /// The most jobs that were there at once and not over.
    pub(super) most: usize,
    /// Looks at each attempt that is handed over.
    pub(super) inspects: Option<Inspect>,
    /// Looks at the name of each job that is forgotten.
    pub(super) inspects_forgotten: Option<InspectJob>,
}

/// The place itself.
#[derive(Default)]
pub(super) struct Provider(Mutex<Desk>);

impl Provider {
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap()
    }
}

fn lost() -> Failure {
    Failure::of(Class::Transient, "reset", "the connection was reset")
}

impl Desk {
    /// Every job does its work, whether or not anybody asks.
    pub(super) fn work_all(&mut self) {
        for job in self.jobs.values_mut().filter(|job| !matches!(job.standing, Standing::Over(_))) {
            job.standing = Standing::Over(work(&job.attempt));
        }
    }

    fn is_lost(&mut self) -> bool {
        let lost = self.lost_calls > 0;
        self.lost_calls = self.lost_calls.saturating_sub(1);
        lost
    }

    /// A job goes from waiting to running to its end, one step a poll.
    fn advance(&mut self, name: &str) -> Standing {
        let holds = self.holds || self.made.len() < self.gathers;
        let Some(job) = self.jobs.get_mut(name) else { return Standing::Gone };
        job.standing = match job.standing {
            Standing::Waiting => Standing::Running,
            Standing::Running if holds => Standing::Running,
            Standing::Running => Standing::Over(self.ends.pop().unwrap_or_else(|| work(&job.attempt))),
            ref over => over.clone(),
        };
        job.standing.clone()
    }
}

/// Runs an attempt as a worker does that has the store before it.
fn work(attempt: &Attempt) -> Option<Failure> {
    let folder = attempt.store.join("attempts").join(&attempt.id.0);
    // What is in the store is what a worker elsewhere gets.
    assert_eq!(read_attempt(&folder).unwrap(), *attempt);
    run_attempt(&folder, &Registry::default().with(Note), &World::real(), &|_| ()).unwrap();
    None
}

impl Backend for Provider {
    fn submit<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>> {
        let mut desk = self.desk();
        desk.inspects.iter().for_each(|inspect| inspect(attempt));
        let name = format!("job-{}", attempt.id);
        if !desk.jobs.contains_key(&name) {
            desk.made.push(name.clone());
            desk.jobs.insert(name.clone(), Held { attempt: attempt.clone(), standing: Standing::Waiting });
            let open = desk.jobs.values().filter(|job| !matches!(job.standing, Standing::Over(_))).count();
            desk.most = desk.most.max(open);
        }
        if desk.hurries {
            desk.work_all();
        }
        let is_lost = desk.lost_submits > 0;
        desk.lost_submits = desk.lost_submits.saturating_sub(1);
        Box::pin(async move { if is_lost { Err(lost()) } else { Ok(Job(name)) } })
    }

    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>> {
        let name = format!("job-{attempt}");
        let found = self.desk().jobs.contains_key(&name).then_some(Job(name));
        Box::pin(async move { Ok(found) })
    }

    fn poll<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        let mut desk = self.desk();
        let answer =
            if desk.is_lost() { Err(lost()) } else { Ok(jobs.iter().map(|job| desk.advance(&job.0)).collect()) };
        Box::pin(async move { answer })
    }

    fn cancel<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        let mut desk = self.desk();
        let answer = if desk.is_lost() { Err(lost()) } else { Ok(()) };
        if answer.is_ok() {
            desk.cancelled.push(job.0.clone());
            let stopped = Failure::failed("cancelled", "the job was cancelled");
            if let Some(held) = desk.jobs.get_mut(&job.0).filter(|held| !matches!(held.standing, Standing::Over(_))) {
                held.standing = Standing::Over(Some(stopped));
            }
        }
        Box::pin(async move { answer })
    }

    fn forget<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        let mut desk = self.desk();
        desk.inspects_forgotten.iter().for_each(|inspect| inspect(&job.0));
        desk.forgotten.push(job.0.clone());
        Box::pin(async { Ok(()) })
    }

    fn poll_every(&self) -> Duration {
        Duration::from_millis(5)
    }
}
