//! Models of Gemini that Vertex AI tunes, through the binary: on a stand-in that holds every request against Google's own
//! definitions, with clips and examples in a bucket of the same stand-in.

use crate::bench::{Bench, Said, wait_until};
use crate::schemas::validator;
use pipe_standin::{Definitions, Fault, Standin};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::fs;
use std::process::{Child, Command, Stdio};

/// Four clips, records of them as Google's page on video tuning shows them, and two tunings: one of a model of Google's, and one
/// that goes on from it. `MORE` stands where the first trainer says more.
const SPEC: &str = r#"
version = 1
name = "tune"
[stages.clips]
kind = "command"
matrix.n = [1, 2, 3, 4]
argv = ["sh", "clip.sh", "{{ n }}"]
files = ["clip.sh"]
outputs = ["clips.jsonl"]
[stages.dataset]
kind = "format-jsonl"
from = ["clips"]
template = "gemini.jinja"
SPLIT
[stages.model]
kind = "train"
dataset = "dataset"
clips = ["clips"]
trainer = { type = "gemini-tuning", base = "gemini-2.5-flash", epochs = 2 MORE }
backend = "tuning"
timeout = "1h"
"#;

const NEXT: &str = r#"
[stages.next]
kind = "train"
dataset = "dataset"
clips = ["clips"]
trainer = { type = "gemini-tuning", from = "model", epochs = 1 }
backend = "tuning"
timeout = "1h"
[stages.card]
kind = "command"
shell = "cp $PIPE_INPUT_MODEL/tuned-model.json $PIPE_OUTPUT/card"
inputs = { model = { stage = "next" } }
outputs = ["card"]
"#;

const CLIP: &str = r#"echo "clip $1" > $PIPE_OUTPUT/$1.mp4
echo '{"id":"'$1'","play":"'$1'","cell":{"n":'$1'},"path":"'$1'.mp4","start_ms":0,"end_ms":LENGTH,"frames":1,"mode":"copied","row":{"label":"a goal"}}' > $PIPE_OUTPUT/clips.jsonl
"#;

const TEMPLATE: &str = r#"{ "contents": [
  { "role": "user", "parts": [
    { "fileData": { "fileUri": {{ clip.path | json }}, "mimeType": "video/mp4" } }, { "text": "Which play is this?" }] },
  { "role": "model", "parts": [{ "text": {{ row.label | json }} }] }
] }
"#;

/// A project whose tuning happens there, and the services.
struct Cloud {
    bench: Bench,
    standin: Standin,
}

impl Cloud {
    fn with(spec: &str) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.make_bucket("bucket");
        let place = format!(
            "[backends.tuning]\nkind = \"vertex-tuning\"\nproject = \"our-project\"\nregion = \"us-central1\"\n\
             endpoint = \"http://{}\"\npoll = \"100ms\"\nprices = {{ \"gemini-2.5-flash\" = 5 }}\n[store]\nroot = \"gs://bucket/prefix\"\n",
            standin.address()
        );
        let spec = spec.replace("SPLIT", "").replace("MORE", "");
        let bench = Bench::with(&format!("{spec}\n{place}"));
        bench.write("gemini.jinja", TEMPLATE);
        let cloud = Self { bench, standin };
        cloud.clips_of(5_000);
        cloud
    }

    /// Clips are so many milliseconds long.
    fn clips_of(&self, length: u64) {
        self.bench.write("clip.sh", &CLIP.replace("LENGTH", &length.to_string()));
    }

    fn command(&self, state: &str) -> Command {
        let mut command = self.bench.command(&["run", "spec.toml", "--json", "--state", state]);
        command.env("STORAGE_EMULATOR_HOST", self.standin.address().to_string());
        command
    }

    fn run(&self, state: &str) -> Said {
        self.bench.said(&mut self.command(state))
    }

    /// An engine that has asked for a tuning, which waits as long as there is no quota.
    fn waiting(&self, state: &str) -> Child {
        self.standin.quota(false);
        let mut command = self.command(state);
        let told = fs::File::create(self.bench.path("told")).unwrap();
        let engine = command.stdout(told).stderr(Stdio::null()).spawn().unwrap();
        // The journal has its answer once the job is polled.
        wait_until("a tuning to be asked for", || self.asked("create") > 0 && self.asked("get") > 0);
        engine
    }

    /// What an engine said that waited, and may go on now.
    fn ended(&self, mut engine: Child) -> Said {
        self.standin.quota(true);
        let code = engine.wait().unwrap().code();
        Said { code, stdout: self.bench.read("told"), stderr: String::new() }
    }

    fn asked(&self, method: &str) -> usize {
        let wanted = format!("aiplatform.projects.locations.tuningJobs.{method}");
        self.standin.asked().iter().filter(|asked| asked.method == wanted).count()
    }

    /// The objects of the bucket with this last name, with their names.
    fn objects(&self, name: &str) -> Vec<(String, String)> {
        let objects = self.standin.objects("bucket").into_iter();
        let found = objects.filter(|(known, _)| known.ends_with(&format!("/{name}")));
        found.map(|(known, bytes)| (known, String::from_utf8(bytes).unwrap())).collect()
    }
}

/// What is told of the result of a stage.
fn result(said: &Said, stage: &str) -> Json {
    let is_its = |event: &Json| event["type"] == "task_succeeded" && event["task"] == stage;
    said.events().into_iter().find(is_its).unwrap_or_else(|| panic!("{said:?}"))["result"].clone()
}

fn failure(said: &Said) -> Json {
    let failed = said.events().into_iter().find(|event| event["type"] == "task_failed");
    failed.unwrap_or_else(|| panic!("{said:?}"))["failure"].clone()
}

#[test]
fn from_clips_to_a_tuned_model_and_on_from_there() {
    let split = "split = { validation = 0.25, by = \"n\" }";
    let cloud = Cloud::with(&format!("{SPEC}{NEXT}").replace("SPLIT", split));
    let said = cloud.run("here");
    assert_eq!(said.code, Some(0), "{said:?}");
    let facts = result(&said, "model");
    assert_eq!((&facts["examples"], &facts["dropped"]), (&3.into(), &0.into()), "every clip is where it is said to be");
    let (first, next) = (facts["model"].as_str().unwrap(), result(&said, "next")["model"].clone());
    assert_eq!(next, first.replace("@1", "@2").as_str());
    let card: Json = serde_json::from_str(&cloud.objects("card")[0].1).unwrap();
    assert_eq!((&card["version"], &card["model"]), (&1.into(), &next), "what comes after has it as a file");
    validator("tuned-model").validate(&card).unwrap_or_else(|wrong| panic!("{wrong}: {card}"));
    let (laid, lines) = cloud.objects("train.jsonl").into_iter().find(|(name, _)| name.contains("attempts/")).unwrap();
    for line in lines.lines() {
        let example: Json = serde_json::from_str(line).unwrap();
        let uri = example["contents"][0]["parts"][0]["fileData"]["fileUri"].as_str().unwrap().to_owned();
        let at = uri.strip_prefix("gs://bucket/").unwrap();
        assert!(cloud.standin.objects("bucket").iter().any(|(name, _)| name == at), "{laid}: {uri}");
    }
    assert_eq!(cloud.asked("create"), 2);
    // What a million tokens costs, for the tokens that were counted, in each of two epochs. Of the second tuning nobody tells which
    // model of Google's lies below it, so it has no price.
    let cost = 5.0 * 2.0 * result(&said, "model")["billable_tokens"].as_f64().unwrap() / 1e6;
    let costs = cloud.bench.pipe(&["costs", "spec.toml", "--state", "here", "--json"]).json();
    let all = &costs["all"];
    assert!((all["amount"].as_f64().unwrap() - cost).abs() < 5e-6 && cost > 0.0, "{cost}: {costs}");
    let counts = ["attempts", "at_most", "unpriced"].map(|key| all[key].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(1)], "{costs}");
    let named = ["at_most", "unpriced"].map(|key| costs[key][0]["task"].clone());
    assert_eq!(named, ["model", "next"], "{costs}");
    let told = cloud.bench.pipe(&["costs", "spec.toml", "--state", "here"]).stdout;
    let words = "1 attempt that a service has counted by itself: the sum has the most that it may be: model on tuning";
    assert!(told.contains(words), "{told}");
    // Another machine finds all of it, and a model costs nothing again.
    let said = cloud.run("there");
    assert_eq!((said.code, said.count("task_succeeded"), cloud.asked("create")), (Some(0), 0, 2));
}

#[test]
fn the_tuning_of_an_engine_that_was_killed_is_taken_up_by_one_that_knows_only_the_bucket() {
    let cloud = Cloud::with(SPEC);
    let mut engine = cloud.waiting("here");
    engine.kill().unwrap();
    engine.wait().unwrap();
    cloud.standin.quota(true);
    let said = cloud.run("there");
    assert_eq!((said.code, cloud.asked("create")), (Some(0), 1), "{said:?}");
    assert!(result(&said, "model")["model"].as_str().unwrap().ends_with("@1"));
}

#[test]
fn a_tuning_that_was_asked_for_twice_is_told_of_and_one_of_them_is_cancelled() {
    let cloud = Cloud::with(SPEC);
    cloud.standin.list_late(8);
    let mut creates = 0;
    cloud.standin.befalls(move |asked| {
        let is_create = asked.method == "aiplatform.projects.locations.tuningJobs.create";
        creates += u32::from(is_create);
        (is_create && creates == 1).then_some(Fault::DoAndHangUp)
    });
    let engine = cloud.waiting("here");
    wait_until("the second to be cancelled", || cloud.asked("cancel") > 0);
    let said = cloud.ended(engine);
    assert_eq!((said.code, cloud.asked("create")), (Some(0), 2), "{said:?}");
    assert_eq!(result(&said, "model")["second_jobs"], 1);
    assert_eq!(said.count("attempt_doubled"), 1, "the journal has it as well");
}

#[test]
fn clips_beyond_the_limits_are_refused_before_anybody_is_asked() {
    let cloud = Cloud::with(SPEC);
    cloud.clips_of(300_001);
    let said = cloud.run("here");
    assert_eq!(said.code, Some(1), "{said:?}");
    let failure = failure(&said);
    assert_eq!((&failure["code"], &failure["on"]), (&"bad_examples".into(), &"train.jsonl".into()));
    assert!(failure["message"].as_str().unwrap().starts_with("4 of 4 examples"), "{failure}");
    assert!(failure["source"].as_str().unwrap().contains("line 1: `n=1/1.mp4` is 300.001 s long"), "{failure}");
    assert_eq!(cloud.asked("create"), 0);
    // Mended clips are other clips, and their tuning is another.
    cloud.clips_of(5_000);
    assert_eq!(cloud.run("here").code, Some(0));
}

#[test]
fn examples_that_were_dropped_are_told_of_and_too_many_are_a_failure() {
    for (more, code, dropped) in [("", Some(0), true), (", max_dropped = 0.2", Some(1), false)] {
        let cloud = Cloud::with(&SPEC.replace("MORE", more));
        let engine = cloud.waiting("here");
        let (clip, _) = cloud.objects("2.mp4").remove(0);
        assert!(cloud.standin.remove("bucket", &clip));
        let said = cloud.ended(engine);
        assert_eq!(said.code, code, "{said:?}");
        if dropped {
            assert_eq!(result(&said, "model")["dropped"], 1);
            let lines = said.events().into_iter().filter(|event| event["type"] == "log");
            let told: Vec<String> = lines.map(|event| event["line"].as_str().unwrap().to_owned()).collect();
            assert!(told.iter().any(|line| line.starts_with("1 of 4 examples were dropped")), "{told:?}");
        } else {
            let failure = failure(&said);
            assert_eq!(failure["code"], "too_many_dropped");
            assert!(failure["source"].as_str().unwrap().contains("2.mp4 was not found"), "{failure}");
        }
    }
}

#[test]
fn a_tuning_that_fails_fails_its_task_in_the_words_of_vertex_ai() {
    let cloud = Cloud::with(SPEC);
    let engine = cloud.waiting("here");
    let laid = cloud.objects("train.jsonl").into_iter().find(|(name, _)| name.contains("attempts/")).unwrap();
    assert!(cloud.standin.remove("bucket", &laid.0));
    let said = cloud.ended(engine);
    assert_eq!(said.code, Some(1), "{said:?}");
    let failure = failure(&said);
    assert_eq!(failure["code"], "not_found");
    assert!(failure["source"].as_str().unwrap().contains(&laid.0), "{failure}");
}

#[test]
fn a_run_that_is_stopped_cancels_its_tuning() {
    let cloud = Cloud::with(SPEC);
    let mut engine = cloud.waiting("here");
    let process = Pid::from_raw(engine.id().try_into().unwrap()).unwrap();
    kill_process(process, Signal::INT).unwrap();
    wait_until("the tuning to be cancelled", || cloud.asked("cancel") > 0);
    assert_eq!(engine.wait().unwrap().code(), Some(130));
    assert_eq!(cloud.asked("create"), 1);
}

#[test]
fn a_tuning_belongs_to_its_place_and_to_a_bucket_of_google_s() {
    let cloud = Cloud::with(SPEC);
    let validate = |spec: &str| {
        cloud.bench.write("other.toml", spec);
        cloud.bench.pipe(&["validate", "other.toml", "--json"])
    };
    let spec = cloud.bench.read("spec.toml");
    assert_eq!(validate(&spec).code, Some(0));
    for (from, to, says) in [
        ("backend = \"tuning\"\n", "", "gemini-tuning"),
        ("base = \"gemini-2.5-flash\"", "base = \"gemini-2.5-flash\", from_model = \"x\"", "exactly one of"),
        ("epochs = 2", "epochs = 2, adapter_size = 3", "none of 1, 2, 4, 8, 16, 32"),
        ("clips = [\"clips\"]\n", "frames = \"clips\"\n", "takes clips and no frames"),
        ("gs://bucket/prefix", "out", "store"),
    ] {
        let said = validate(&spec.replace(from, to));
        assert!(said.code == Some(2) && said.stdout.contains(says), "{from}: {said:?}");
    }
}
