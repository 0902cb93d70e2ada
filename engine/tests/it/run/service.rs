//! Work that a service does: the stage says what it asks for and what it makes of the answer, and no code of ours runs there.

use super::project::Project;
use futures::future::BoxFuture;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, BackendKind, Capability, Job, Standing};
use pipe_engine::event::Body;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::AttemptId;
use pipe_engine::stage::{ConfigProblem, Desk, Made, Results, StageKind, read_config};
use pipe_engine::work::Work;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const SERVICE: &str = "oracle";

/// Asks the oracle about the texts of its inputs.
pub(super) struct Ask;

#[derive(Deserialize, JsonSchema)]
struct AskConfig {
    question: String,
    #[serde(default)]
    #[expect(dead_code, reason = "the plan finds inputs by their mark")]
    about: Vec<Results>,
}

impl StageKind for Ask {
    fn name(&self) -> &'static str {
        "ask"
    }
    fn code(&self) -> String {
        "1".to_owned()
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        AskConfig::json_schema(generator)
    }
    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<AskConfig>(config).map(drop)
    }
    fn service(&self, _: &Json) -> Option<&'static str> {
        Some(SERVICE)
    }
    fn request(&self, attempt: &Attempt, desk: &dyn Desk) -> Result<Json, Failure> {
        let question = read_config::<AskConfig>(&attempt.config).unwrap().question;
        if question.is_empty() {
            return Err(Failure::failed("no_question", "there is nothing to ask"));
        }
        let mut texts = String::new();
        for file in attempt.inputs.values().flatten().flat_map(|input| &input.files) {
            texts += &fs::read_to_string(desk.brought(file)?).unwrap();
        }
        let draft = desk.draft("about")?;
        fs::write(&draft, texts).unwrap();
        Ok(json!({ "question": question, "about": desk.lay("about", &draft)? }))
    }
    fn answered(&self, _: &Json, answer: &Json) -> Result<Made, Failure> {
        let says = answer["says"].as_str().unwrap();
        if says == "nonsense" {
            return Err(Failure::failed("nonsense", "the answer makes no sense"));
        }
        let files = vec![("answer".to_owned(), says.as_bytes().to_vec())];
        Ok(Made { files, result: json!({ "words": 1 }), warnings: vec!["it was short".to_owned()] })
    }
    fn run(&self, _: &Work<'_>) -> Result<Json, Failure> {
        Err(Failure::failed("no_worker", "only the oracle knows"))
    }
}

/// The kind of place, as a spec names it.
pub(super) struct Temple;

impl BackendKind for Temple {
    fn name(&self) -> &'static str {
        "temple"
    }
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "object" })
    }
    fn check(&self, _: &Json) -> Result<(), ConfigProblem> {
        Ok(())
    }
    fn capability(&self, _: &Json) -> Capability {
        Capability::default()
    }
    fn service(&self) -> Option<&'static str> {
        Some(SERVICE)
    }
}

/// What an oracle was asked, and what it is to do.
#[derive(Default)]
struct Book {
    jobs: BTreeMap<String, Standing>,
    requests: Vec<Json>,
    says: String,
    /// How the next job ends.
    end: Option<Failure>,
    /// Whether jobs do not end.
    holds: bool,
    /// Answers that are lost on their way here.
    lost: u32,
    cancelled: u32,
}

#[derive(Default)]
struct Oracle(Mutex<Book>);

impl Oracle {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }
}

impl Backend for Oracle {
    fn submit<'a>(&'a self, _: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(async { Err(Failure::failed("no_attempts", "an oracle runs nothing")) })
    }
    fn request<'a>(&'a self, attempt: &'a Attempt, request: &'a Json) -> BoxFuture<'a, Result<Job, Failure>> {
        let name = format!("job-{}", attempt.id);
        let mut book = self.book();
        book.requests.push(request.clone());
        book.jobs.insert(name.clone(), Standing::Running);
        Box::pin(async move { Ok(Job(name)) })
    }
    fn answer<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Result<Json, Failure>> {
        let mut book = self.book();
        let is_lost = book.lost > 0;
        book.lost = book.lost.saturating_sub(1);
        let says = json!({ "says": book.says });
        let lost = Failure::of(Class::Transient, "reset", "the connection was reset");
        Box::pin(async move { if is_lost { Err(lost) } else { Ok(says) } })
    }
    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>> {
        let name = format!("job-{attempt}");
        let found = self.book().jobs.contains_key(&name).then_some(Job(name));
        Box::pin(async move { Ok(found) })
    }
    fn poll<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        let mut book = self.book();
        let (holds, end) = (book.holds, book.end.clone());
        let standing = |job: &Job| {
            let standing = book.jobs.get_mut(&job.0).unwrap();
            if *standing == Standing::Running && !holds {
                *standing = Standing::Over(end.clone());
            }
            standing.clone()
        };
        let standings = jobs.iter().map(standing).collect();
        Box::pin(async move { Ok(standings) })
    }
    fn cancel<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        let mut book = self.book();
        book.cancelled += 1;
        let stopped = Failure::failed("cancelled", "the job was cancelled");
        book.jobs.insert(job.0.clone(), Standing::Over(Some(stopped)));
        Box::pin(async { Ok(()) })
    }
    fn poll_every(&self) -> Duration {
        Duration::from_millis(5)
    }
}

const SPEC: &str = r#"
[backends.temple]
kind = "temple"
[stages.note]
kind = "script"
script = "printf a-text > $PIPE_OUTPUT/all"
[stages.answer]
kind = "ask"
question = "why?"
about = ["note"]
backend = "temple"
retry = { transient = 3, backoff = "1ms..5ms" }
[stages.read]
kind = "script"
from = ["answer"]
script = "cat $PIPE_INPUT_FROM_0_/answer > $PIPE_OUTPUT/all"
"#;

fn temple() -> (Project, Arc<Oracle>) {
    let oracle = Arc::<Oracle>::default();
    oracle.book().says = "because".to_owned();
    (Project::new().with_place("temple", oracle.clone()), oracle)
}

#[test]
fn what_a_service_answers_is_a_result_as_any_other() {
    let (project, oracle) = temple();
    let ran = project.run(SPEC);
    assert_eq!(ran.ends(), [3, 0, 0, 0, 0], "{:?}", ran.failures());
    let asked = oracle.book().requests.clone();
    assert_eq!((asked.len(), &asked[0]["question"]), (1, &json!("why?")));
    let about = fs::read_to_string(asked[0]["about"].as_str().unwrap()).unwrap();
    assert_eq!(about, "a-text", "what it was asked about lies in the store");
    let texts = project.store("data").into_iter().map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(texts.filter(|text| text == "because").count(), 2, "the answer, and what was made of it");
    let warned = |body: &Body| matches!(body, Body::Log { line } if line == "it was short");
    assert!(ran.events.iter().any(|event| warned(&event.body)));
    assert_eq!(project.run(SPEC).ends(), [0, 3, 0, 0, 0]);
    assert_eq!(oracle.book().requests.len(), 1);
}

#[test]
fn what_is_not_to_be_asked_for_is_asked_of_nobody() {
    let (project, oracle) = temple();
    let ran = project.run(&SPEC.replace("why?", ""));
    assert_eq!(ran.ends(), [1, 0, 1, 1, 0]);
    assert_eq!(ran.failures()[0].code, "no_question");
    assert_eq!(oracle.book().requests.len(), 0);
}

#[test]
fn a_job_that_fails_and_an_answer_that_is_of_no_use_fail_the_task() {
    let (project, oracle) = temple();
    oracle.book().end = Some(Failure::failed("struck", "lightning struck"));
    assert_eq!(project.run(SPEC).failures()[0].code, "struck");
    oracle.book().end = None;
    oracle.book().says = "nonsense".to_owned();
    assert_eq!(project.run(SPEC).failures()[0].code, "nonsense");
    assert_eq!(oracle.book().requests.len(), 2);
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_the_work_is_not() {
    let (project, oracle) = temple();
    oracle.book().lost = 2;
    let ran = project.run(SPEC);
    assert_eq!(ran.ends(), [3, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(oracle.book().requests.len(), 1);
}

#[test]
fn the_job_of_an_engine_that_died_is_taken_up_by_the_next() {
    let (project, oracle) = temple();
    oracle.book().holds = true;
    project.die_at(".pipe", SPEC, |body| matches!(body, Body::AttemptStarted { backend, .. } if backend == "temple"));
    oracle.book().holds = false;
    // Another state folder knows only the store.
    let ran = project.run_in("other", SPEC, |_| None);
    assert_eq!(ran.ends()[2..], [0, 0, 0], "{:?}", ran.failures());
    let book = oracle.book();
    assert_eq!((book.requests.len(), book.cancelled), (1, 0));
}

#[test]
fn a_job_that_nobody_wants_any_more_is_cancelled() {
    let (project, oracle) = temple();
    oracle.book().holds = true;
    project.die_at(".pipe", SPEC, |body| matches!(body, Body::AttemptStarted { backend, .. } if backend == "temple"));
    oracle.book().holds = false;
    let ran = project.run(&SPEC.replace("why?", "who?"));
    assert_eq!(ran.ends()[2..], [0, 0, 0], "{:?}", ran.failures());
    let book = oracle.book();
    assert_eq!((book.requests.len(), book.cancelled), (2, 1));
}

#[test]
fn only_the_place_of_a_service_takes_its_work_and_it_takes_no_other() {
    let (project, _) = temple();
    let wrong = |stages: &str| {
        let found = project.wrong(stages).into_iter();
        found.map(|found| (found.code, found.message)).collect::<Vec<_>>()
    };
    let found = wrong(&SPEC.replace("backend = \"temple\"", ""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == "P0502" && found[0].1.contains("`oracle`"), "{found:?}");
    let found = wrong(&SPEC.replace("kind = \"script\"\nfrom", "kind = \"script\"\nbackend = \"temple\"\nfrom"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("runs no work of a stage"), "{found:?}");
}
