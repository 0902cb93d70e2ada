//! Custom jobs of Vertex AI that really run: their environment, their end, and what is told of them.

use crate::{Bench, Said};
use pipe_standin::Fault;
use serde_json::{Value as Json, json};
use std::time::Duration;

const PARENT: &str = "projects/p/locations/us-central1";

/// A job whose only replica runs this script. It is not tried again.
fn job(script: &str) -> Json {
    json!({ "displayName": "train", "jobSpec": {
        "scheduling": { "disableRetries": true },
        "workerPoolSpecs": [pool(script, 1)],
    } })
}

fn pool(script: &str, replicas: u64) -> Json {
    // A shell tells there of its children that were ended with it.
    let script = format!("exec 2> /dev/null; {script}");
    json!({
        "machineSpec": { "machineType": "g2-standard-4" },
        "replicaCount": replicas.to_string(),
        "containerSpec": { "imageUri": "pipe", "command": ["sh", "-c", script] },
    })
}

fn create(bench: &Bench, job: &Json) -> Said {
    bench.json("POST", &format!("/v1/{PARENT}/customJobs"), &job.to_string())
}

/// Makes a job, and returns its name.
fn made(bench: &Bench, job: &Json) -> String {
    let said = create(bench, job);
    assert_eq!(said.code, 200, "{said:?}");
    said.read_json()["name"].as_str().unwrap().to_owned()
}

fn get(bench: &Bench, name: &str) -> Json {
    bench.get(&format!("/v1/{name}")).read_json()
}

/// A job, once it is in one of these states.
fn at(bench: &Bench, name: &str, states: &[&str]) -> Json {
    loop {
        let told = get(bench, name);
        let state = told["state"].as_str().unwrap().strip_prefix("JOB_STATE_").unwrap().to_owned();
        if states.contains(&state.as_str()) {
            return told;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ended(bench: &Bench, name: &str) -> Json {
    at(bench, name, &["SUCCEEDED", "FAILED", "CANCELLED"])
}

/// Waits until a job has printed a word so often.
fn printed(bench: &Bench, name: &str, word: &str, times: usize) {
    while bench.standin.printed(name).matches(word).count() < times {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn cancel(bench: &Bench, name: &str) -> Said {
    bench.json("POST", &format!("/v1/{name}:cancel"), "{}")
}

/// The code and the status of a refusal.
fn refusal(said: &Said) -> (u16, String) {
    (said.code, said.read_json()["error"]["status"].as_str().unwrap_or_default().to_owned())
}

/// Source of the variables: the definition of `baseOutputDirectory`, and Google's pages on training code and on distributed
/// training.
#[test]
fn a_custom_job_runs_as_a_process_with_what_google_says_of_its_environment() {
    let bench = Bench::new();
    let mut said = job("");
    said["jobSpec"]["workerPoolSpecs"][0]["containerSpec"] = json!({
        "imageUri": "pipe", "command": ["env"], "env": [{ "name": "AT", "value": "$(AIP_MODEL_DIR)a-1" }],
    });
    said["jobSpec"]["baseOutputDirectory"] = json!({ "outputUriPrefix": "gs://films/out" });
    let first = create(&bench, &said).read_json();
    assert_eq!((&first["state"], &first["startTime"]), (&"JOB_STATE_QUEUED".into(), &Json::Null));
    let name = first["name"].as_str().unwrap();
    let told = ended(&bench, name);
    assert_eq!((&told["state"], &told["error"]), (&"JOB_STATE_SUCCEEDED".into(), &Json::Null));
    assert!(told["startTime"].is_string() && told["endTime"].is_string(), "{told}");
    let printed = bench.standin.printed(name);
    let mut variables: Vec<(&str, &str)> = printed.lines().filter_map(|line| line.split_once('=')).collect();
    variables.sort_unstable();
    let cluster: Json =
        serde_json::from_str(variables.iter().find(|(name, _)| *name == "CLUSTER_SPEC").unwrap().1).unwrap();
    let id = name.rsplit('/').next().unwrap();
    let path = std::env::var("PATH").unwrap();
    // Nor is the port of its account known beforehand.
    variables.retain(|(name, _)| !["CLUSTER_SPEC", "SECRET_MANAGER_EMULATOR_HOST"].contains(name));
    let expected = [
        ("AIP_CHECKPOINT_DIR", "gs://films/out/checkpoints/"),
        ("AIP_MODEL_DIR", "gs://films/out/model/"),
        ("AIP_TENSORBOARD_LOG_DIR", "gs://films/out/logs/"),
        ("AT", "gs://films/out/model/a-1"),
        ("CLOUD_ML_JOB_ID", id),
        ("PATH", &path),
    ];
    assert_eq!(variables, expected);
    assert_eq!(cluster["task"], json!({ "type": "workerpool0", "index": 0 }));
    assert_eq!((&cluster["environment"], &cluster["job"]), (&"cloud".into(), &said["jobSpec"]));
    let address = cluster["cluster"]["workerpool0"][0].as_str().unwrap();
    assert!(address.starts_with("cmle-training-workerpool0-") && address.ends_with("-0:2222"), "{address}");
}

#[test]
fn a_job_is_named_with_the_number_of_its_project_and_found_by_either() {
    let bench = Bench::new();
    let name = made(&bench, &job("true"));
    let (number, rest) = name.strip_prefix("projects/").unwrap().split_once('/').unwrap();
    assert!(number.parse::<u64>().is_ok(), "{name}");
    assert_eq!(get(&bench, &format!("projects/p/{rest}"))["name"], name);
    assert_eq!(bench.get(&format!("/v1/projects/q/{rest}")).code, 404, "it is of another project");
}

#[test]
fn the_primary_replica_ends_the_job_and_the_others_with_it() {
    let bench = Bench::new();
    let mut said = job("while ! [ -e $GO ]; do sleep 0.02; done");
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    said["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"] = json!([{ "name": "GO", "value": go }]);
    let others = pool("echo began; trap 'echo told; exit 0' TERM; while :; do sleep 0.02; done", 2);
    said["jobSpec"]["workerPoolSpecs"] = json!([said["jobSpec"]["workerPoolSpecs"][0], {}, others, pool("true", 1)]);
    let name = made(&bench, &said);
    printed(&bench, &name, "began", 2);
    let state = at(&bench, &name, &["RUNNING", "SUCCEEDED", "FAILED"])["state"].clone();
    assert_eq!(state, "JOB_STATE_RUNNING", "that of another pool has ended");
    std::fs::write(&go, "").unwrap();
    assert_eq!(ended(&bench, &name)["state"], "JOB_STATE_SUCCEEDED");
    assert_eq!(bench.standin.printed(&name), "began\ntold\nbegan\ntold\n");
}

#[test]
fn without_quota_a_job_stays_queued_and_can_be_cancelled() {
    let bench = Bench::new();
    bench.standin.quota(false);
    let (waits, given_up) = (made(&bench, &job("echo began")), made(&bench, &job("echo began")));
    assert_eq!(cancel(&bench, &given_up).code, 200);
    let told = ended(&bench, &given_up);
    assert_eq!((&told["state"], &told["startTime"]), (&"JOB_STATE_CANCELLED".into(), &Json::Null));
    assert_eq!(get(&bench, &waits)["state"], "JOB_STATE_QUEUED");
    bench.standin.quota(true);
    assert_eq!(ended(&bench, &waits)["state"], "JOB_STATE_SUCCEEDED");
    assert_eq!(bench.standin.printed(&given_up), "");
}

/// Source of the code: the definition of `customJobs.cancel`.
#[test]
fn who_is_cancelled_gets_a_signal_and_the_time_to_heed_it() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let heeds = "trap 'echo heard; while ! [ -e $GO ]; do sleep 0.02; done; exit 0' TERM";
    let mut said = job(&format!("{heeds}; echo began; while :; do sleep 0.02; done"));
    said["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"] = json!([{ "name": "GO", "value": go }]);
    let name = made(&bench, &said);
    printed(&bench, &name, "began", 1);
    assert_eq!(cancel(&bench, &name).code, 200);
    printed(&bench, &name, "heard", 1);
    assert_eq!(get(&bench, &name)["state"], "JOB_STATE_CANCELLING");
    std::fs::write(&go, "").unwrap();
    let told = ended(&bench, &name);
    assert_eq!((&told["state"], &told["error"]["code"]), (&"JOB_STATE_CANCELLED".into(), &1.into()));
    assert_eq!(refusal(&cancel(&bench, &name)), (400, "FAILED_PRECONDITION".to_owned()), "it has ended");
}

#[test]
fn who_does_not_heed_the_signal_and_who_takes_too_long_is_killed() {
    let bench = Bench::new();
    bench.standin.grace(Duration::from_millis(50));
    let mut said = job("trap '' TERM; echo began; while :; do sleep 0.02; done");
    let deaf = made(&bench, &said);
    printed(&bench, &deaf, "began", 1);
    cancel(&bench, &deaf);
    assert_eq!(ended(&bench, &deaf)["state"], "JOB_STATE_CANCELLED");
    said["jobSpec"]["scheduling"]["timeout"] = "0.3s".into();
    let told = ended(&bench, &made(&bench, &said));
    assert_eq!((&told["state"], &told["error"]["code"]), (&"JOB_STATE_FAILED".into(), &4.into()), "{told}");
}

/// Source of the sentence, of the code and of the exits that may pass: Google's page on its training service, and reports.
#[test]
fn an_exit_that_may_pass_is_tried_again_three_times_unless_that_is_off() {
    let bench = Bench::new();
    for (exit, disabled, runs) in [(1, false, 1), (139, false, 4), (139, true, 1)] {
        let mut said = job(&format!("echo began; exit {exit}"));
        said["jobSpec"]["scheduling"]["disableRetries"] = disabled.into();
        let name = made(&bench, &said);
        let told = ended(&bench, &name);
        assert_eq!((&told["state"], &told["error"]["code"]), (&"JOB_STATE_FAILED".into(), &3.into()));
        let message = told["error"]["message"].as_str().unwrap();
        let sentence = format!("The replica workerpool0-0 exited with a non-zero status of {exit}.");
        assert!(message.starts_with(&sentence), "{message}");
        assert_eq!(bench.standin.printed(&name).matches("began").count(), runs, "{exit} {disabled}");
    }
}

#[test]
fn a_job_whose_machines_are_taken_gets_a_signal_and_runs_again_unless_that_is_off() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script = "trap 'echo kept; exit 0' TERM; echo began; while ! [ -e $GO ]; do sleep 0.02; done";
    let mut said = job(script);
    said["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"] = json!([{ "name": "GO", "value": go }]);
    said["jobSpec"]["scheduling"] = json!({ "strategy": "SPOT" });
    let again = made(&bench, &said);
    said["jobSpec"]["scheduling"]["disableRetries"] = true.into();
    let once = made(&bench, &said);
    for name in [&again, &once] {
        printed(&bench, name, "began", 1);
        at(&bench, name, &["RUNNING"]);
        assert!(bench.standin.preempt(name));
    }
    printed(&bench, &again, "began", 2);
    assert_eq!(ended(&bench, &once)["state"], "JOB_STATE_FAILED");
    assert!(!bench.standin.preempt(&once), "it has no machines");
    std::fs::write(&go, "").unwrap();
    assert_eq!(ended(&bench, &again)["state"], "JOB_STATE_SUCCEEDED");
    assert_eq!(bench.standin.printed(&again), "began\nkept\nbegan\n");
    assert_eq!(bench.standin.printed(&once), "began\nkept\n");
}

/// Source of the sentence: Google's page on its training service.
#[test]
fn where_there_is_no_machine_a_job_fails_and_says_so() {
    let bench = Bench::new();
    bench.standin.stock_out(1);
    let told = ended(&bench, &made(&bench, &job("true")));
    assert_eq!((&told["state"], &told["error"]["code"]), (&"JOB_STATE_FAILED".into(), &8.into()));
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Resources are insufficient in region: us-central1."), "{message}");
    bench.standin.stock_out(3);
    let mut said = job("true");
    said["jobSpec"]["scheduling"] = json!({});
    assert_eq!(ended(&bench, &made(&bench, &said))["state"], "JOB_STATE_SUCCEEDED", "the fourth time there is one");
}

#[test]
fn an_image_that_is_not_there_and_a_program_that_is_not_there_fail_the_job() {
    let bench = Bench::new();
    let mut said = job("");
    for (container, expected) in [
        (json!({ "imageUri": "nothing" }), "Image 'nothing' not found."),
        (json!({ "imageUri": "pipe", "command": ["/nothing"] }), "The replica workerpool0-0 did not start"),
    ] {
        said["jobSpec"]["workerPoolSpecs"][0]["containerSpec"] = container;
        let told = ended(&bench, &made(&bench, &said));
        assert!(told["error"]["message"].as_str().unwrap().starts_with(expected), "{told}");
    }
}

/// Source of the numbers: `Strategy` and `AcceleratorType` of Google's types, as its client for Rust sends them.
#[test]
fn an_enum_may_come_by_number_and_is_told_by_name() {
    let bench = Bench::new();
    let mut said = job("true");
    said["jobSpec"]["scheduling"]["strategy"] = 4.into();
    said["jobSpec"]["workerPoolSpecs"][0]["machineSpec"] =
        json!({ "machineType": "g2-standard-4", "acceleratorType": 11, "acceleratorCount": 1 });
    let told = create(&bench, &said).read_json()["jobSpec"].clone();
    let accelerator = &told["workerPoolSpecs"][0]["machineSpec"]["acceleratorType"];
    assert_eq!((&told["scheduling"]["strategy"], accelerator), (&"SPOT".into(), &"NVIDIA_L4".into()));
    // The types skip 5: it is no strategy.
    said["jobSpec"]["scheduling"]["strategy"] = 5.into();
    assert_eq!(refusal(&create(&bench, &said)), (400, "INVALID_ARGUMENT".to_owned()));
}

#[test]
fn what_the_definitions_and_the_pages_do_not_allow_is_refused_by_name() {
    let bench = Bench::new();
    let cases: [(&str, &str, Json); 20] = [
        ("/jobSpc", "jobSpc", json!({})),
        ("/name", "name", "mine".into()),
        ("/state", "state", "JOB_STATE_RUNNING".into()),
        ("/displayName", "displayName", "".into()),
        ("/displayName", "displayName", "x".repeat(129).into()),
        ("/labels", "labels.A", json!({ "A": "b" })),
        ("/labels", "labels.a", json!({ "a": 1 })),
        ("/jobSpec/workerPoolSpecs", "jobSpec.workerPoolSpecs", json!([])),
        ("/jobSpec/workerPoolSpecs", "jobSpec.workerPoolSpecs", json!([{}, pool("true", 1)])),
        ("/jobSpec/scheduling/timeout", "jobSpec.scheduling.timeout", "1h".into()),
        ("/jobSpec/scheduling/strategy", "jobSpec.scheduling.strategy", "CHEAP".into()),
        ("/jobSpec/scheduling/disableRetries", "jobSpec.scheduling.disableRetries", "yes".into()),
        ("/jobSpec/baseOutputDirectory", "jobSpec.baseOutputDirectory.outputUriPrefix", json!({})),
        (
            "/jobSpec/baseOutputDirectory",
            "jobSpec.baseOutputDirectory.outputUriPrefix",
            json!({ "outputUriPrefix": "/out" }),
        ),
        ("/jobSpec/workerPoolSpecs/0/replicaCount", "jobSpec.workerPoolSpecs[0].replicaCount", "2".into()),
        ("/jobSpec/workerPoolSpecs/0/machineSpec", "jobSpec.workerPoolSpecs[0].machineSpec.machineType", json!({})),
        (
            "/jobSpec/workerPoolSpecs/0/machineSpec",
            "jobSpec.workerPoolSpecs[0].machineSpec.acceleratorType",
            json!({ "machineType": "a", "acceleratorType": "NVIDIA_L5", "acceleratorCount": 1 }),
        ),
        (
            "/jobSpec/workerPoolSpecs/0/containerSpec",
            "jobSpec.workerPoolSpecs[0].containerSpec.imageUri",
            json!({ "command": ["true"] }),
        ),
        (
            "/jobSpec/workerPoolSpecs/0/containerSpec",
            "jobSpec.workerPoolSpecs[0].containerSpec.env[0].name",
            json!({ "imageUri": "a", "env": [{ "name": "A-B", "value": "1" }] }),
        ),
        (
            "/jobSpec/workerPoolSpecs/0/containerSpec",
            "jobSpec.workerPoolSpecs[0].containerSpec.env[0].value",
            json!({ "imageUri": "a", "env": [{ "name": "A" }] }),
        ),
    ];
    for (place, field, value) in cases {
        let mut said = job("true");
        let (above, name) = place.rsplit_once('/').unwrap();
        let above = said.pointer_mut(above).unwrap();
        match name.parse::<usize>() {
            Ok(index) => above[index] = value,
            Err(_) => above[name] = value,
        }
        let answer = create(&bench, &said);
        assert_eq!(refusal(&answer), (400, "INVALID_ARGUMENT".to_owned()), "{place}: {answer:?}");
        let error = answer.read_json()["error"].clone();
        let violations = error["details"][0]["fieldViolations"].as_array().unwrap().clone();
        assert!(violations.iter().any(|one| one["field"] == field), "{field}: {error}");
    }
    assert_eq!(bench.get(&format!("/v1/{PARENT}/customJobs")).read_json(), json!({}), "nothing was made");
    let with_id = format!("/v1/{PARENT}/customJobs?requestId=1");
    assert_eq!(bench.json("POST", &with_id, &job("true").to_string()).code, 400);
}

#[test]
fn what_google_does_and_the_stand_in_does_not_is_said_to_be_so() {
    let bench = Bench::new();
    let cases: [(&str, Json); 4] = [
        ("/jobSpec/network", "projects/1/global/networks/a".into()),
        ("/jobSpec/workerPoolSpecs/0/nfsMounts", json!([{ "server": "a", "path": "/b", "mountPoint": "c" }])),
        ("/jobSpec/scheduling/strategy", "FLEX_START".into()),
        ("/encryptionSpec", json!({ "kmsKeyName": "a" })),
    ];
    for (place, value) in cases {
        let mut said = job("true");
        let (above, name) = place.rsplit_once('/').unwrap();
        said.pointer_mut(above).unwrap()[name] = value;
        assert_eq!(refusal(&create(&bench, &said)), (501, "UNIMPLEMENTED".to_owned()), "{place}");
    }
    let pipelines = bench.get(&format!("/v1/{PARENT}/pipelineJobs"));
    assert_eq!(refusal(&pipelines), (501, "UNIMPLEMENTED".to_owned()), "a service that is known and not done");
}

#[test]
fn jobs_are_found_by_their_labels_in_pages_and_perhaps_late() {
    let bench = Bench::new();
    let mut said = job("true");
    let list = |query: &str| bench.get(&format!("/v1/{PARENT}/customJobs?{query}")).read_json();
    let names = |told: &Json| -> Vec<String> {
        let jobs = told["customJobs"].as_array().cloned().unwrap_or_default();
        jobs.iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = Vec::new();
    for attempt in ["a-1", "a-2", "a-1"] {
        said["labels"] = json!({ "pipe-attempt": attempt });
        all.insert(0, made(&bench, &said));
    }
    assert_eq!(names(&list("")), all, "the newest first");
    assert_eq!(names(&list("filter=labels.pipe-attempt%3Da-1")), [all[0].clone(), all[2].clone()]);
    let page = list("filter=labels.pipe-attempt%3Da-1&pageSize=1");
    let token = page["nextPageToken"].as_str().unwrap();
    let rest = list(&format!("filter=labels.pipe-attempt%3Da-1&pageSize=1&pageToken={token}"));
    assert_eq!(
        (names(&page), names(&rest), &rest["nextPageToken"]),
        (vec![all[0].clone()], vec![all[2].clone()], &Json::Null)
    );
    assert_eq!(bench.get(&format!("/v1/{PARENT}/customJobs?filter=labels.a%21%3Db")).code, 400);
    assert_eq!(bench.get("/v1/projects/p/locations/europe-west1/customJobs").read_json(), json!({}), "another region");
    bench.standin.list_late(1);
    let late = made(&bench, &said);
    assert_eq!([list(""), list("")].map(|told| names(&told).contains(&late)), [false, true]);
}

#[test]
fn what_has_ended_is_deleted_and_what_runs_is_not() {
    let bench = Bench::new();
    let name = made(&bench, &job("echo began; while :; do sleep 0.02; done"));
    let delete = || bench.ask("DELETE", &format!("/v1/{name}"), &[], b"").unwrap();
    assert_eq!(refusal(&delete()), (400, "FAILED_PRECONDITION".to_owned()));
    cancel(&bench, &name);
    ended(&bench, &name);
    let told = delete().read_json();
    assert_eq!(
        (&told["done"], &told["response"]["@type"]),
        (&true.into(), &"type.googleapis.com/google.protobuf.Empty".into())
    );
    let operation = bench.get(&format!("/v1/{}", told["name"].as_str().unwrap()));
    assert_eq!(operation.read_json(), told);
    let gone = bench.get(&format!("/v1/{name}"));
    assert_eq!(refusal(&gone), (404, "NOT_FOUND".to_owned()));
    assert_eq!(refusal(&cancel(&bench, &name)), (404, "NOT_FOUND".to_owned()));
}

/// Custom jobs have no name to choose: whoever lost the answer finds the job by its label.
#[test]
fn a_job_whose_answer_was_lost_is_there_and_one_that_was_refused_is_not() {
    let bench = Bench::new();
    let cases = [
        (Fault::DoAndHangUp, None, true),
        (Fault::DoAndRefuse(503), Some((503, "UNAVAILABLE")), true),
        (Fault::HangUp, None, false),
        (Fault::Refuse(429), Some((429, "RESOURCE_EXHAUSTED")), false),
        (Fault::Refuse(500), Some((500, "INTERNAL")), false),
        (Fault::Delay(1), Some((200, "")), true),
    ];
    for (number, (fault, expected, is_there)) in cases.into_iter().enumerate() {
        let create = "aiplatform.projects.locations.customJobs.create";
        let rule = fault.clone();
        bench.standin.befalls(move |asked| (asked.method == create).then(|| rule.clone()));
        let mut said = job("true");
        said["labels"] = json!({ "pipe-attempt": format!("a-{number}") });
        let headers = [("Content-Type", "application/json")];
        let path = format!("/v1/{PARENT}/customJobs");
        let answer = bench.ask("POST", &path, &headers, said.to_string().as_bytes());
        let told = answer.map(|answer| refusal(&answer));
        assert_eq!(told, expected.map(|(code, status)| (code, status.to_owned())), "{fault:?}");
        let found = bench.get(&format!("{path}?filter=labels.pipe-attempt%3Da-{number}")).read_json();
        assert_eq!(found["customJobs"].as_array().is_some_and(|jobs| jobs.len() == 1), is_there, "{fault:?}");
    }
}

#[test]
fn what_a_test_can_say_a_program_can_say_too() {
    let bench = Bench::new();
    let tell = |what: &str, value: &str| bench.json("PUT", &format!("/standin/{what}"), value).code;
    assert_eq!([tell("quota", "false"), tell("quota", "true"), tell("stock-outs", "1")], [200; 3]);
    assert_eq!(ended(&bench, &made(&bench, &job("true")))["error"]["code"], 8);
    let name = made(&bench, &job("while :; do sleep 0.02; done"));
    at(&bench, &name, &["RUNNING"]);
    assert_eq!(tell("preempted", &format!("\"{name}\"")), 200);
    assert_eq!(ended(&bench, &name)["state"], "JOB_STATE_FAILED");
    assert_eq!(tell("preempted", &format!("\"{name}\"")), 404);
}
