//! Tasks that run as jobs elsewhere, with a bucket between them and the engine: each job is `pipe worker STORE/attempts/ID`,
//! as a container is started with it.

use crate::bench::{Bench, Said, wait_until};
use crate::service::{Kind, Service, files};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Programs with files of the project, variables and results of others, and a stage of our own with a template. `PLACE`
/// stands where a stage says where it runs.
pub(crate) const SPEC: &str = r#"
version = 1
name = "sum"
[backends.there]
kind = "detached"
folder = "@/jobs"
[stages.clips]
kind = "command"
matrix.n = [1, 2]
argv = ["sh", "tools/clip.sh", "{{ n }}"]
files = ["tools/clip.sh"]
env = { LABEL = "goal {{ n }}" }
outputs = ["clips.jsonl"]
PLACE
[stages.dataset]
kind = "format-jsonl"
from = ["clips"]
template = "play.jinja"
PLACE
[stages.count]
kind = "command"
shell = "wc -l < $PIPE_INPUT_DATASET/$(ls $PIPE_INPUT_DATASET | head -n 1) > $PIPE_OUTPUT/count; cat $PIPE_INPUT_RULES >> $PIPE_OUTPUT/count"
inputs = { dataset = { stage = "dataset" }, rules = { file = "rules.txt" } }
outputs = ["count"]
PLACE
"#;

/// Writes a clip and its row.
const CLIP: &str = r#"echo "clip $1 of $LABEL" | tee $PIPE_OUTPUT/$1.mp4
echo '{"id":"'$1'","play":"'$1'","cell":{},"path":"'$1'.mp4","start_ms":0,"end_ms":9,"frames":1,"mode":"copied","row":{"label":"a goal"}}' > $PIPE_OUTPUT/clips.jsonl
"#;

/// One task that notes that it begins and waits until it may go on.
pub(crate) const SLOW: &str = r#"
version = 1
name = "sum"
[backends.there]
kind = "detached"
folder = "@/jobs"
[stages.slow]
kind = "command"
shell = "echo begun; echo x >> @/begun; while [ ! -e @/go ]; do sleep 0.05; done; echo done > $PIPE_OUTPUT/made"
outputs = ["made"]
backend = "there"
"#;

/// A folder with a spec, and the service that its store is in.
struct Far {
    bench: Bench,
    service: Service,
}

impl Far {
    fn with(kind: Kind, spec: &str) -> Self {
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"{}\"\n", kind.root()));
        let service = Service::of(kind, &bench.path("buckets"));
        write_project(&bench);
        Self { bench, service }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        self.service.tell(&mut command);
        command.env("PIPE_DETACHED", "1").env("PIPE_SCRATCH", self.bench.path("scratch"));
        command
    }

    fn pipe(&self, arguments: &[&str]) -> Said {
        self.bench.said(&mut self.command(arguments))
    }

    fn run(&self, state: &str) -> Said {
        let said = self.pipe(&["run", "spec.toml", "--json", "--state", state]);
        assert_eq!(said.code, Some(0), "{said:?}");
        said
    }

    /// A run with this state folder that takes up the job there is, which may go on from then.
    fn take_up(&self, state: &str) -> Said {
        let told = self.bench.path("told");
        let mut command = self.command(&["run", "spec.toml", "--json", "--state", state]);
        command.stdout(fs::File::create(&told).unwrap()).stderr(Stdio::null());
        let mut engine = command.spawn().unwrap();
        wait_until("it to take the job up", || fs::read_to_string(&told).unwrap().contains("attempt_submitting"));
        self.bench.write("go", "");
        let code = engine.wait().unwrap().code();
        assert_eq!(code, Some(0));
        Said { code, stdout: fs::read_to_string(told).unwrap(), stderr: String::new() }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The jobs there were.
    fn jobs(&self) -> Vec<PathBuf> {
        let jobs = fs::read_dir(self.bench.path("jobs")).into_iter().flatten().map(|entry| entry.unwrap().path());
        jobs.filter(|job| job.file_name().unwrap().to_string_lossy().starts_with("job-")).collect()
    }

    /// The only attempt's URI.
    fn attempt(&self) -> String {
        let jobs = self.jobs();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        let id = jobs[0].file_name().unwrap().to_string_lossy().strip_prefix("job-").unwrap().to_owned();
        format!("{}/attempts/{id}", Kind::S3.root())
    }

    fn worker(&self, job: &str, more: &[&str]) -> Said {
        let attempt = self.attempt();
        let mut command = self.command(&[&["worker", attempt.as_str()][..], more].concat());
        self.bench.said(command.env("CLOUD_RUN_EXECUTION", job))
    }

    /// A file of the only attempt, where buckets are folders.
    fn of_attempt(&self, name: &str) -> PathBuf {
        let id = self.attempt().rsplit('/').next().unwrap().to_owned();
        self.bench.path("buckets/bucket/prefix/attempts").join(id).join(name)
    }

    fn outcome(&self) -> Json {
        serde_json::from_slice(&fs::read(self.of_attempt("outcome.json")).unwrap()).unwrap()
    }

    /// As if the job had been described and nobody had begun it.
    fn open_again(&self) {
        for name in ["outcome.json", "claim"] {
            let _ = fs::remove_file(self.of_attempt(name));
        }
    }

    fn alter(&self, change: impl Fn(&mut Json)) {
        let place = self.of_attempt("attempt.json");
        let mut attempt = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
        change(&mut attempt);
        fs::write(place, attempt.to_string()).unwrap();
    }

    fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        self.service.objects()
    }
}

pub(crate) fn write_project(bench: &Bench) {
    fs::create_dir_all(bench.path("tools")).unwrap();
    bench.write("tools/clip.sh", CLIP);
    bench.write("play.jinja", "{\"text\": {{ row.label | json }}}");
    bench.write("rules.txt", "no offside\n");
}

/// The digest of each task's result.
pub(crate) fn digests(said: &Said) -> BTreeMap<String, String> {
    let ended = said.events().into_iter().filter(|event| event["type"] == "task_succeeded");
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    ended.map(|event| (text(&event["task"]), text(&event["digest"]))).collect()
}

pub(crate) fn here() -> BTreeMap<String, String> {
    let place = "[backends.there]\nkind = \"detached\"\nfolder = \"@/jobs\"\n";
    let bench = Bench::with(&SPEC.replace("PLACE", "").replace(place, ""));
    write_project(&bench);
    let made = digests(&bench.run());
    assert_eq!(made.len(), 4, "{made:?}");
    made
}

fn jobs_in_a_bucket_make_what_a_run_in_a_folder_makes(kind: Kind) {
    let far = Far::with(kind, &SPEC.replace("PLACE", "backend = \"there\""));
    let said = far.run("here");
    assert_eq!(digests(&said), here());
    assert_eq!((said.count("attempt_submitting"), far.jobs().len()), (4, 4));
    let names: Vec<String> = far.bytes().into_iter().map(|(name, _)| name).collect();
    let count = |part: &str| names.iter().filter(|name| name.contains(part)).count();
    assert_eq!((count("/attempt.json"), count("/claim"), count("/outcome.json")), (4, 4, 4), "{names:?}");
    assert_eq!(count("prefix/files/"), 3, "each file of the project once: {names:?}");
    assert_eq!(count("prefix/results/"), 4, "{names:?}");
    let before = far.bytes();
    assert_eq!(far.run("here").count("task_succeeded"), 0);
    assert_eq!(far.run("there").count("task_succeeded"), 0, "another machine finds all of it");
    assert!(far.bytes() == before);
}

#[test]
fn jobs_in_s3_make_what_a_run_in_a_folder_makes() {
    jobs_in_a_bucket_make_what_a_run_in_a_folder_makes(Kind::S3);
}

#[test]
fn jobs_in_cloud_storage_make_what_a_run_in_a_folder_makes() {
    jobs_in_a_bucket_make_what_a_run_in_a_folder_makes(Kind::Gs);
}

#[test]
fn what_runs_here_and_what_runs_elsewhere_share_a_bucket() {
    let mixed = SPEC.replacen("PLACE", "backend = \"there\"", 1).replace("PLACE", "");
    let far = Far::with(Kind::S3, &mixed);
    assert_eq!(digests(&far.run("here")), here());
    assert_eq!(far.jobs().len(), 2);
    let other = SPEC.replacen("PLACE", "", 1).replacen("PLACE", "backend = \"there\"", 1).replace("PLACE", "");
    let far = Far::with(Kind::S3, &other);
    assert_eq!(digests(&far.run("here")), here());
    assert_eq!(far.jobs().len(), 1);
}

#[test]
fn a_job_of_an_engine_that_was_killed_is_taken_up_by_one_that_knows_only_the_bucket() {
    let far = Far::with(Kind::S3, SLOW);
    let mut engine = far.start(&["run", "spec.toml", "--state", "here"]);
    far.bench.wait_for("begun");
    engine.kill().unwrap();
    engine.wait().unwrap();
    let said = far.take_up("there");
    assert_eq!(said.count("task_succeeded"), 1);
    assert_eq!((far.jobs().len(), far.bench.read("begun").lines().count()), (1, 1), "its work is done once");
    assert_eq!(far.run("here").count("task_succeeded"), 0, "the first comes back, and finds it");
}

#[test]
fn a_job_that_fails_says_why_and_the_next_try_is_another_job() {
    let spec = SLOW.replace("echo begun;", "echo the reason >&2; [ -e @/well ] || exit 3;");
    let far = Far::with(Kind::S3, &spec);
    far.bench.write("go", "");
    let said = far.pipe(&["run", "spec.toml", "--json", "--state", "here"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let failed = said.events().into_iter().find(|event| event["type"] == "task_failed").unwrap();
    assert_eq!(failed["failure"]["code"], "exit_3");
    assert_eq!(failed["failure"]["source"], "the reason");
    far.bench.write("well", "");
    assert_eq!(far.run("here").count("task_succeeded"), 1);
    assert_eq!(far.jobs().len(), 2);
}

/// A run whose only task was done by a job.
fn done() -> Far {
    let far = Far::with(Kind::S3, SLOW);
    far.bench.write("go", "");
    far.run("here");
    far
}

#[test]
fn a_second_job_of_an_attempt_leaves_it_alone_and_the_same_job_goes_on() {
    let far = done();
    let claim: Json = serde_json::from_slice(&fs::read(far.of_attempt("claim")).unwrap()).unwrap();
    fs::remove_file(far.of_attempt("outcome.json")).unwrap();
    let before = far.bytes();
    let said = far.worker("another", &[]);
    assert_eq!(said.code, Some(76), "{said:?}");
    assert!(far.bytes() == before);
    assert_eq!(far.bench.read("begun").lines().count(), 1);
    let said = far.worker(claim["job"].as_str().unwrap(), &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(far.outcome()["id"], far.attempt().rsplit('/').next().unwrap());
    assert_eq!(far.bench.read("begun").lines().count(), 2);
    let before = far.bytes();
    assert_eq!(far.worker("another", &[]).code, Some(0), "what has ended has ended");
    assert!(far.bytes() == before);
}

#[test]
fn an_attempt_of_another_version_or_one_that_somebody_altered_is_not_worked_on() {
    let far = done();
    let original = fs::read(far.of_attempt("attempt.json")).unwrap();
    type Change = fn(&mut Json);
    let altered = "attempt_altered";
    let cases: [(Change, &str, &str); 8] = [
        (|a| a["version"] = 9.into(), "other_protocol", "speaks protocol 9 and this worker speaks 1"),
        (|a| a["code"] = "0".into(), "other_code", "wants code `0` of `command` and this worker has `1`"),
        (|a| a["kind"] = "commando".into(), "unknown_kind", "does not know"),
        (|a| a["config"]["shell"] = "echo mine > $PIPE_OUTPUT/made".into(), altered, "settings"),
        (|a| a["key"]["config.shell"] = "\"echo mine\"".into(), altered, "fingerprint"),
        (|a| a["id"] = "0123456789abcdef0123-1".into(), altered, "name"),
        (|a| a["output"] = "data/sum/other/all@01234567-1".into(), altered, "writes where"),
        (
            |a| {
                let file = serde_json::json!({ "path": "../../x", "size": 1, "blake3": "ab", "at": "x" });
                let input = serde_json::json!({ "cell": {}, "digest": "ab", "files": [file] });
                a["inputs"] = serde_json::json!({ "inputs.x.stage": [input] });
            },
            altered,
            "input",
        ),
    ];
    for (change, code, words) in cases {
        fs::write(far.of_attempt("attempt.json"), &original).unwrap();
        far.open_again();
        far.alter(change);
        let said = far.worker("a-job", &[]);
        assert_eq!(said.code, Some(1), "{code}: {said:?}");
        let failure = &far.outcome()["failure"];
        assert_eq!(failure["code"], code, "{failure}");
        assert!(failure["message"].as_str().unwrap().contains(words), "{failure}");
    }
    assert_eq!(far.bench.read("begun").lines().count(), 1);
}

#[test]
fn what_is_tried_dry_is_told_and_written_nowhere() {
    let far = done();
    let before = far.bytes();
    let said = far.worker("a-job", &["--dry"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let told = said.json();
    assert_eq!(told["outcome"]["files"][0]["path"], "made");
    let store = PathBuf::from(told["store"].as_str().unwrap());
    let made = store.join(told["outcome"]["files"][0]["at"].as_str().unwrap());
    assert_eq!(fs::read_to_string(made).unwrap(), "done\n");
    assert!(far.bytes() == before);
    fs::remove_dir_all(store.parent().unwrap()).unwrap();
}

#[test]
fn a_worker_says_which_attempts_it_takes() {
    let said = Bench::new().pipe(&["worker", "--versions"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!((said.json()["protocol"].as_u64(), said.json()["kinds"]["command"].as_str()), (Some(1), Some("1")));
}

#[test]
fn a_worker_whose_machine_is_taken_away_says_so_and_leaves_nothing_running() {
    let far = done();
    far.open_again();
    fs::remove_file(far.bench.path("go")).unwrap();
    fs::remove_file(far.bench.path("begun")).unwrap();
    let mut worker = far.start(&["worker", &far.attempt()]);
    far.bench.wait_for("begun");
    kill_process(Pid::from_raw(worker.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(75));
    assert_eq!(far.outcome()["failure"]["class"], "preempted");
    assert!(files(&far.bench.path("scratch")).is_empty(), "its scratch folder is gone");
    // The attempt is over: whoever wants the result gets another.
    let result = far.bytes().into_iter().map(|(name, _)| name).find(|name| name.contains("prefix/results/")).unwrap();
    fs::remove_file(far.bench.path("buckets/bucket").join(result)).unwrap();
    far.bench.write("go", "");
    assert_eq!(far.run("here").count("task_succeeded"), 1);
    assert_eq!(far.jobs().len(), 2);
}

#[test]
fn an_input_that_was_spoilt_in_the_bucket_is_made_anew() {
    let far = Far::with(Kind::S3, &SPEC.replace("PLACE", "backend = \"there\""));
    let said = far.pipe(&["run", "spec.toml", "--state", "here", "--until", "clips"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let clip = far.bytes().into_iter().map(|(name, _)| name).find(|name| name.ends_with("/clips.jsonl")).unwrap();
    let text = String::from_utf8(fs::read(far.bench.path("buckets/bucket").join(&clip)).unwrap()).unwrap();
    far.service.write(&clip, text.replace("a goal", "a cow!").as_bytes());
    let said = far.pipe(&["run", "spec.toml", "--state", "there"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("running again"), "{said:?}");
    let names: Vec<String> = far.bytes().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().filter(|name| name.contains("/quarantine/")).count(), 1, "{names:?}");
}

#[test]
fn who_stops_a_run_stops_its_jobs() {
    let far = Far::with(Kind::S3, SLOW);
    let mut engine = far.start(&["run", "spec.toml", "--state", "here"]);
    far.bench.wait_for("begun");
    kill_process(Pid::from_raw(engine.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    assert_eq!(engine.wait().unwrap().code(), Some(130));
    let scratch = far.jobs()[0].join("scratch");
    wait_until("the job's worker to end and to leave nothing behind", || {
        fs::read_dir(&scratch).unwrap().next().is_none()
    });
}

#[test]
fn what_a_job_says_is_heard_while_it_runs_and_kept_for_whoever_asks_later() {
    let far = Far::with(Kind::S3, SLOW);
    let mut engine = far.start(&["run", "spec.toml", "--state", "here"]);
    let logs = || far.pipe(&["logs", "spec.toml", "slow", "--state", "here"]);
    wait_until("its line to be in the log", || logs().stdout.contains("begun"));
    assert!(!far.bench.path("go").exists(), "it still runs");
    far.bench.write("go", "");
    assert!(engine.wait().unwrap().success());
    assert_eq!(logs().stdout, "begun\n");
    let names = far.bytes().into_iter().map(|(name, _)| name);
    let said: Vec<String> = names.filter(|name| name.contains("/segments/")).collect();
    assert!(said[0].ends_with("/segments/000001.jsonl"), "{said:?}");
}

#[test]
fn an_engine_that_takes_a_job_up_has_all_that_it_said_before() {
    let far = Far::with(Kind::S3, SLOW);
    let mut engine = far.start(&["run", "spec.toml", "--state", "here"]);
    wait_until("its first words", || far.bytes().iter().any(|(name, _)| name.contains("/segments/")));
    engine.kill().unwrap();
    engine.wait().unwrap();
    let said = far.take_up("there");
    assert!(said.events().iter().any(|event| event["type"] == "log" && event["line"] == "begun"), "{said:?}");
    let logs = far.pipe(&["logs", "spec.toml", "slow", "--state", "there"]);
    assert_eq!(logs.stdout, "begun\n", "{logs:?}");
}

#[test]
fn a_job_that_says_nothing_for_longer_than_it_may_is_stopped() {
    let spec = SLOW.replace("echo begun;", "");
    let spec = spec.replace("outputs =", "silence = \"2s\"\nretry = { stalled = 0 }\noutputs =");
    let far = Far::with(Kind::S3, &spec);
    let said = far.pipe(&["run", "spec.toml", "--json", "--state", "here"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let failed = said.events().into_iter().find(|event| event["type"] == "task_failed").unwrap();
    assert_eq!(failed["failure"]["class"], "stalled", "{failed}");
}

#[test]
fn a_secret_that_a_job_was_given_is_in_nothing_that_it_leaves() {
    let tells = r#"echo token: $TOKEN; printf '{\"token\": \"%s\"}' $TOKEN > $PIPE_OUTPUT/result.json;"#;
    let far = Far::with(Kind::S3, &SLOW.replace("echo begun;", tells));
    far.bench.write("go", "");
    far.run("here");
    far.open_again();
    let result = far.bytes().into_iter().map(|(name, _)| name).find(|name| name.contains("prefix/results/")).unwrap();
    fs::remove_file(far.bench.path("buckets/bucket").join(result)).unwrap();
    let mut command = far.command(&["worker", &far.attempt()]);
    let said = far.bench.said(command.env("PIPE_SECRETS", "TOKEN").env("TOKEN", "canary-4711"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let objects = far.bytes();
    let holds = |bytes: &[u8], word: &str| String::from_utf8_lossy(bytes).contains(word);
    let told = objects.iter().filter(|(_, bytes)| holds(bytes, "canary-4711")).map(|(name, _)| name);
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(objects.iter().any(|(name, bytes)| name.contains("/segments/") && holds(bytes, "token: ***")));
    assert!(!said.stderr.contains("canary"), "{said:?}");
}
