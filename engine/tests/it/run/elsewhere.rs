//! Attempts that run elsewhere: one job for each, whatever is lost and whoever dies.

use super::project::{Project, Ran};
use super::provider::Provider;
use pipe_engine::event::{Body, RunEvent, RunLimit};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::scheduler::Stop;
use pipe_engine::state::{OpenJob, read_only};
use pipe_engine::units::Millis;
use std::collections::BTreeMap;
use std::sync::Arc;

const TWO: &str = r#"
[backends.there]
kind = "far"
[stages.note]
kind = "note"
text = "one "
backend = "there"
retry = { transient = 3, preempted = 3, backoff = "1ms..5ms" }
[stages.all]
kind = "script"
from = ["note"]
script = "cat $PIPE_INPUT_FROM_0_/note > $PIPE_OUTPUT/all"
"#;

fn far() -> (Project, Arc<Provider>) {
    let provider = Arc::<Provider>::default();
    (Project::new().with_place("there", provider.clone()), provider)
}

fn types(ran: &Ran, task: &str) -> Vec<String> {
    let events = ran.journaled().into_iter().filter(|event| event.task.as_deref() == Some(task));
    events.map(|event| serde_json::to_value(&event).unwrap()["type"].as_str().unwrap().to_owned()).collect()
}

fn open(project: &Project, state: &str) -> Vec<OpenJob> {
    OpenJob::all(&project.path(state).join("journal.db")).unwrap()
}

#[test]
fn a_task_runs_as_a_job_and_what_it_made_is_there_for_others_and_for_the_next_run() {
    let (project, provider) = far();
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(types(&ran, "note"), ["attempt_submitting", "attempt_started", "attempt_ended", "task_succeeded"]);
    assert!(project.texts().iter().all(|text| text == "one "), "{:?}", project.data());
    assert_eq!(project.run(TWO).ends(), [0, 2, 0, 0, 0]);
    assert_eq!(provider.desk().made.len(), 1);
    assert_eq!(open(&project, ".pipe"), []);
}

#[test]
fn what_there_is_no_money_for_is_left_and_all_else_is_done() {
    let (project, provider) = far();
    // A minute costs 0.06 USD and an hour 3.60.
    let ran = project.run(
        "max_cost = \"1 USD\"\n[backends.there]\nkind = \"far\"\ndear = 1000\n\
         [stages.long]\nkind = \"note\"\ntext = \"one\"\nbackend = \"there\"\ntimeout = \"1h\"\n\
         [stages.short]\nkind = \"note\"\ntext = \"two\"\nbackend = \"there\"\ntimeout = \"1m\"\n\
         [stages.all]\nkind = \"script\"\nfrom = [\"long\"]\nscript = \"true\"\n",
    );
    assert_eq!(ran.ends(), [1, 0, 0, 1, 1], "{:?}", ran.failures());
    assert_eq!(project.texts(), ["two"]);
    assert_eq!(provider.desk().made.len(), 1);
    let reached = Body::LimitReached { limit: RunLimit::Cost };
    assert_eq!(ran.journaled().iter().filter(|event| event.body == reached).count(), 1);
    assert_eq!(types(&ran, "long"), ["task_cancelled"]);
}

#[test]
fn a_run_that_has_money_for_one_attempt_at_a_time_makes_them_one_after_the_other() {
    let (project, provider) = far();
    let stage = |name: &str| {
        format!("[stages.{name}]\nkind = \"note\"\ntext = \"{name}\"\nbackend = \"there\"\ntimeout = \"1h\"\n")
    };
    let stages: String = ["a", "b", "c"].map(stage).concat();
    let head = "max_cost = \"5 USD\"\n[backends.there]\nkind = \"far\"\ndear = 1000\n";
    assert_eq!(project.run(&format!("{head}{stages}")).ends(), [3, 0, 0, 0, 0]);
    let desk = provider.desk();
    assert_eq!((desk.made.len(), desk.most), (3, 1));
}

#[test]
fn the_journal_has_the_intent_before_a_job_is_made() {
    let (project, provider) = far();
    let journal = project.path(".pipe/journal.db");
    provider.desk().inspects = Some(Box::new(move |attempt| {
        let events = read_only::read(&journal, &attempt.run, 0).unwrap();
        let intent = |body: &Body| matches!(body, Body::AttemptSubmitting { backend, .. } if backend == "there");
        assert!(events.iter().any(|e| e.attempt.as_ref() == Some(&attempt.id) && intent(&e.body)), "{events:?}");
    }));
    assert_eq!(project.run(TWO).ends(), [2, 0, 0, 0, 0]);
}

#[test]
fn a_job_is_forgotten_once_the_journal_has_the_end_of_its_attempt() {
    let (project, provider) = far();
    let journal = project.path(".pipe/journal.db");
    provider.desk().inspects_forgotten = Some(Box::new(move |job| {
        let run = read_only::runs(&journal).unwrap().remove(0);
        let events = read_only::read(&journal, &run, 0).unwrap();
        let is_end = |body: &Body| matches!(body, Body::AttemptEnded { is_open: false, .. });
        let attempt = |event: &RunEvent| event.attempt.as_ref().is_some_and(|id| job == format!("job-{id}"));
        assert!(events.iter().any(|event| attempt(event) && is_end(&event.body)), "{events:?}");
    }));
    provider.desk().ends = vec![Some(Failure::of(Class::Preempted, "taken", "the machine was taken away"))];
    assert_eq!(project.run(TWO).ends(), [2, 0, 0, 0, 0]);
    let desk = provider.desk();
    assert_eq!((desk.made.len(), &desk.forgotten), (2, &desk.made), "those that failed as well");
}

#[test]
fn a_job_that_was_ended_for_an_earlier_run_is_forgotten() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    assert_eq!(provider.desk().forgotten, [""; 0], "nobody knows how it ended");
    provider.desk().holds = false;
    project.run(&TWO.replace("text = \"one \"", "text = \"one \"\nwhen = false"));
    let desk = provider.desk();
    assert_eq!((desk.forgotten.len(), &desk.forgotten), (1, &desk.made));
}

#[test]
fn an_attempt_elsewhere_says_what_its_place_is_to_provide() {
    let (project, provider) = far();
    provider.desk().inspects = Some(Box::new(|attempt| {
        let provision = attempt.provision.as_ref().unwrap();
        assert_eq!(provision.image.as_deref(), Some("trainer:7"));
        assert_eq!(provision.timeout, Some(Millis(5_400_000)));
        assert_eq!(provision.gpu.as_ref().map(|gpu| (gpu.model.as_deref(), gpu.count)), Some((Some("nvidia-l4"), 1)));
        let token = ("TOKEN".to_owned(), "gcp:projects/p/secrets/s/versions/3".to_owned());
        assert_eq!(provision.secrets, BTreeMap::from([token]));
        assert_eq!(provision.labels, BTreeMap::from([("team".to_owned(), "video".to_owned())]));
    }));
    let more = "backend = \"there\"\nimage = \"trainer:7\"\ntimeout = \"90m\"\nlabels = { team = \"video\" }\n\
                resources = { gpu = { type = \"nvidia-l4\" } }\n\
                secrets = { TOKEN = \"gcp:projects/p/secrets/s/versions/3\" }";
    assert_eq!(project.run(&TWO.replace("backend = \"there\"", more)).ends(), [2, 0, 0, 0, 0]);
    assert_eq!(provider.desk().made.len(), 1);
}

#[test]
fn a_submit_of_which_nobody_heard_makes_no_second_job() {
    let (project, provider) = far();
    provider.desk().lost_submits = 1;
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
    let ended = ran.journaled().into_iter().find_map(|event| match event.body {
        Body::AttemptEnded { failure, is_open: true, .. } => failure,
        _ => None,
    });
    assert_eq!(ended.unwrap().class, Class::Transient);
}

#[test]
fn polls_and_cancels_that_are_lost_are_made_again() {
    let (project, provider) = far();
    provider.desk().lost_calls = 3;
    assert_eq!(project.run(TWO).ends(), [2, 0, 0, 0, 0]);

    let (project, provider) = far();
    provider.desk().holds = true;
    let lossy = provider.clone();
    let ran = project.run_in(".pipe", TWO, move |event| {
        let begun = matches!(event.body, Body::AttemptStarted { .. });
        if begun {
            lossy.desk().lost_calls = 3;
        }
        begun.then_some(Stop::Gently)
    });
    assert_eq!(ran.ends(), [0, 0, 0, 0, 2]);
    assert_eq!(types(&ran, "note")[2], "attempt_stopping");
    assert_eq!(provider.desk().cancelled.len(), 1);
    assert_eq!(open(&project, ".pipe"), []);
}

#[test]
fn the_job_of_an_engine_that_died_is_gone_on_with() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    assert_eq!(open(&project, ".pipe").len(), 1);
    provider.desk().holds = false;
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
    assert_eq!(provider.desk().cancelled, Vec::<String>::new());
    assert_eq!(open(&project, ".pipe"), []);
}

#[test]
fn what_a_job_made_while_nobody_listened_is_not_made_again() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    provider.desk().work_all();
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
    assert_eq!(open(&project, ".pipe"), []);

    let (project, provider) = far();
    (provider.desk().lost_submits, provider.desk().hurries) = (1, true);
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
    assert_eq!(open(&project, ".pipe"), []);
}

#[test]
fn the_job_of_a_task_that_is_skipped_now_is_ended() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    provider.desk().holds = false;
    let skipped = TWO.replace("text = \"one \"", "text = \"one \"\nwhen = false");
    let ran = project.run(&skipped);
    assert_eq!(ran.ends(), [0, 0, 0, 2, 0], "{:?}", ran.failures());
    let made = provider.desk().made.clone();
    assert_eq!((made.len(), &provider.desk().cancelled), (1, &made));
    assert_eq!(open(&project, ".pipe"), []);
}

#[test]
fn a_run_that_is_stopped_leaves_no_job_of_an_earlier_one() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    project.run_in(".pipe", TWO, |event| matches!(event.body, Body::RunStarted { .. }).then_some(Stop::Gently));
    let made = provider.desk().made.clone();
    assert_eq!((made.len(), &provider.desk().cancelled), (1, &made));
    assert_eq!(open(&project, ".pipe"), []);
}

#[test]
fn an_engine_with_an_empty_state_folder_goes_on_with_the_same_job() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    provider.desk().holds = false;
    let ran = project.run_in("other", TWO, |_| None);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
    // The first machine comes back: the result is there, and its note of an open job is settled.
    assert_eq!(project.run(TWO).ends(), [0, 2, 0, 0, 0]);
    assert_eq!((provider.desk().made.len(), open(&project, ".pipe")), (1, vec![]));
}

#[test]
fn an_engine_that_died_between_the_intent_and_the_job_leaves_nothing_to_clean() {
    let (project, provider) = far();
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptSubmitting { .. }));
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
}

#[test]
fn what_was_made_elsewhere_and_not_filed_is_filed_by_the_next_run_unless_it_was_damaged() {
    for (is_damaged, jobs) in [(false, 1), (true, 2)] {
        let (project, provider) = far();
        project.run(TWO);
        std::fs::remove_dir_all(project.path("spec/out/results")).unwrap();
        let note = project.store("data").into_iter().find(|path| path.ends_with("note")).unwrap();
        if is_damaged {
            std::fs::remove_file(&note).unwrap();
            std::fs::write(&note, "0ne ").unwrap();
        }
        let ran = project.run_in("other", TWO, |_| None);
        assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
        assert_eq!(provider.desk().made.len(), jobs);
        assert!(project.texts().iter().filter(|text| *text == "one ").count() >= 2);
    }
}

#[test]
fn a_job_that_nobody_wants_any_more_is_ended() {
    for changed in
        [TWO.replace("one ", "two "), TWO.replace("stages.note", "stages.other").replace("\"note\"]", "\"other\"]")]
    {
        let (project, provider) = far();
        provider.desk().holds = true;
        project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
        provider.desk().holds = false;
        let changed = changed.replace("text = \"one", "text = \"new");
        let ran = project.run(&changed);
        assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
        let desk = provider.desk();
        assert_eq!(desk.made.len(), 2, "{:?}", desk.made);
        assert_eq!(desk.cancelled, desk.made[..1]);
        drop(desk);
        assert_eq!(open(&project, ".pipe"), []);
    }
}

#[test]
fn the_job_of_a_task_that_is_not_asked_for_is_left_alone() {
    let (project, provider) = far();
    provider.desk().holds = true;
    let more = format!("{TWO}\n[stages.apart]\nkind = \"script\"\nscript = \"true > $PIPE_OUTPUT/x\"\n");
    project.die_at(".pipe", &more, |body| matches!(body, Body::AttemptSubmitting { .. }));
    let ran = project.run_only(".pipe", &more, "apart");
    assert_eq!(ran.ends()[2..], [0, 0, 0], "{:?}", ran.failures());
    assert_eq!(open(&project, ".pipe").len(), 1);
    assert_eq!(provider.desk().cancelled, Vec::<String>::new());
}

#[test]
fn a_machine_that_is_taken_away_counts_for_itself_and_the_next_try_is_another_job() {
    let (project, provider) = far();
    let taken = || Some(Failure::of(Class::Preempted, "preempted", "the machine was taken away"));
    provider.desk().ends = vec![taken(), taken()];
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    let made = provider.desk().made.clone();
    assert_eq!(made.iter().map(|name| name.rsplit('-').next().unwrap()).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn what_ran_out_of_time_is_not_tried_again_as_if_its_machine_had_been_taken_away() {
    let (project, provider) = far();
    // All that its worker knows is that it was told to end.
    provider.desk().inspects = Some(Box::new(|attempt| {
        let said = Failure::of(Class::Preempted, "preempted", "its machine was about to be taken away");
        let outcome = serde_json::json!({ "version": 1, "id": attempt.id, "failure": said });
        let at = attempt.store.join("attempts").join(&attempt.id.0).join("outcome.json");
        std::fs::write(at, outcome.to_string()).unwrap();
    }));
    provider.desk().ends = vec![Some(Failure::of(Class::Timeout, "timeout", "the job ran as long as it may"))];
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [0, 0, 1, 1, 0], "{:?}", ran.failures());
    assert_eq!(provider.desk().made.len(), 1);
}

#[test]
fn a_job_that_ends_without_a_word_is_a_failure_that_says_so() {
    let (project, provider) = far();
    provider.desk().ends = vec![None];
    let ran = project.run(TWO);
    assert_eq!(ran.ends(), [0, 0, 1, 1, 0]);
    assert_eq!(ran.failures()[0].code, "no_outcome");
}

#[test]
fn a_place_has_no_more_jobs_at_once_than_its_limit_says() {
    for (limit, most) in [("parallel = 2", 2), ("", 6)] {
        let (project, provider) = far();
        provider.desk().gathers = most;
        let spec = TWO.replace("kind = \"far\"", &format!("kind = \"far\"\n{limit}"));
        let spec = spec.replace("text = \"one \"", "text = \"{{ n }} \"\nmatrix.n = \"{{ range(6) }}\"");
        let spec = spec.replace("FROM_0_/note", "FROM_0_/*/note");
        let ran = project.run(&spec);
        assert_eq!(ran.ends(), [7, 0, 0, 0, 0], "{:?}", ran.failures());
        assert_eq!(provider.desk().most, most);
    }
}

#[test]
fn gc_leaves_the_bytes_of_an_attempt_that_is_open_and_removes_what_is_left_of_others() {
    let (project, provider) = far();
    provider.desk().holds = true;
    project.die_at(".pipe", TWO, |body| matches!(body, Body::AttemptStarted { .. }));
    let folder = project.store("attempts");
    assert_eq!(folder.len(), 1, "{folder:?}");
    let attempt: pipe_engine::attempt::Attempt = serde_json::from_slice(&std::fs::read(&folder[0]).unwrap()).unwrap();
    let half = project.write(&format!("spec/out/{}/half", attempt.output), "half");
    let rules = pipe_engine::gc::Rules {
        keep: 0,
        older_than: std::time::Duration::ZERO,
        min_age: std::time::Duration::ZERO,
        removed_for: std::time::Duration::ZERO,
        now: pipe_engine::world::Timestamp(u64::MAX),
    };
    let store = pipe_engine::store::Folder::open(project.path("spec/out")).unwrap();
    let sweep = || {
        let plan = pipe_engine::gc::plan(&store, &rules, &pipe_engine::gc::Roots::default()).unwrap();
        pipe_engine::gc::sweep(&store, &plan, &mut |_| true).unwrap();
    };
    sweep();
    assert!(half.exists() && folder[0].exists());
    provider.desk().holds = false;
    assert_eq!(project.run(TWO).ends(), [2, 0, 0, 0, 0]);
    sweep();
    assert!(!half.exists());
    assert_eq!(project.store("attempts"), Vec::<std::path::PathBuf>::new());
}
