//! Jobs that really run: their environment, their end, and what is told of them.

use crate::Bench;
use serde_json::{Value as Json, json};
use std::time::Duration;

const PARENT: &str = "projects/p/locations/us-central1";
const JOB: &str = "projects/p/locations/us-central1/jobs/clips";

/// A job whose tasks run this script, once each.
fn job(script: &str) -> Json {
    json!({ "template": { "taskCount": 1, "template": { "maxRetries": 0, "containers": [
        { "image": "pipe", "command": ["sh", "-c", script] }
    ] } } })
}

fn create(bench: &Bench, job: &Json) -> crate::Said {
    bench.json("POST", &format!("/v2/{PARENT}/jobs?jobId=clips"), &job.to_string())
}

/// Runs a job, and returns its execution.
fn run(bench: &Bench, body: &Json) -> String {
    let said = bench.json("POST", &format!("/v2/{JOB}:run"), &body.to_string());
    assert_eq!(said.code, 200, "{said:?}");
    said.read_json()["metadata"]["name"].as_str().unwrap().to_owned()
}

/// An execution, once it has ended.
fn ended(bench: &Bench, execution: &str) -> Json {
    loop {
        let told = bench.get(&format!("/v2/{execution}")).read_json();
        if told["reconciling"] == false {
            return told;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An execution, once its task has printed this.
fn printed(bench: &Bench, execution: &str, word: &str) {
    while !bench.standin.printed(execution).contains(word) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_job_runs_as_a_process_with_its_environment_and_nothing_of_ours() {
    let bench = Bench::new();
    let mut job = job("");
    job["template"]["template"]["containers"][0] =
        json!({ "image": "pipe", "command": ["env"], "env": [{ "name": "PIPE_ATTEMPT", "value": "a-1" }] });
    let made = create(&bench, &job).read_json();
    assert_eq!((&made["done"], &made["response"]["name"]), (&true.into(), &JOB.into()));
    assert_eq!(made["response"]["@type"], "type.googleapis.com/google.cloud.run.v2.Job");
    let execution = run(&bench, &json!({}));
    assert!(execution.starts_with(&format!("{JOB}/executions/clips-")), "{execution}");
    let told = ended(&bench, &execution);
    assert_eq!((&told["succeededCount"], &told["conditions"][0]["state"]), (&1.into(), &"CONDITION_SUCCEEDED".into()));
    let printed = bench.standin.printed(&execution);
    let names: Vec<&str> = printed.lines().filter_map(|line| line.split('=').next()).collect();
    let expected = [
        "CLOUD_RUN_EXECUTION",
        "CLOUD_RUN_JOB",
        "CLOUD_RUN_TASK_ATTEMPT",
        "CLOUD_RUN_TASK_COUNT",
        "CLOUD_RUN_TASK_INDEX",
        "PATH",
        "PIPE_ATTEMPT",
        // What the metadata server is on a machine of Google's: it decides who the process is.
        "SECRET_MANAGER_EMULATOR_HOST",
    ];
    assert_eq!(names, expected);
    assert!(printed.contains("CLOUD_RUN_JOB=clips\n") && printed.contains("PIPE_ATTEMPT=a-1\n"), "{printed}");
    let job = bench.get(&format!("/v2/{JOB}")).read_json();
    assert_eq!((&job["executionCount"], &job["latestCreatedExecution"]["name"]), (&1.into(), &execution.into()));
}

#[test]
fn a_run_may_change_words_variables_and_the_number_of_tasks() {
    let bench = Bench::new();
    let mut made = job("");
    made["template"]["template"]["containers"][0] = json!({ "image": "pipe", "args": ["one"], "env": [
        { "name": "A", "value": "1" }, { "name": "B", "value": "2" }
    ] });
    create(&bench, &made);
    bench.standin.image("pipe", &["sh", "-c", "echo $A$B$CLOUD_RUN_TASK_COUNT $0"]);
    let over = json!({ "args": ["two"], "env": [{ "name": "B", "value": "3" }] });
    let execution = run(&bench, &json!({ "overrides": { "taskCount": 2, "containerOverrides": [over] } }));
    assert_eq!(ended(&bench, &execution)["succeededCount"], 2);
    assert_eq!(bench.standin.printed(&execution), "132 two\n132 two\n");
}

#[test]
fn a_token_names_the_execution_and_a_second_job_of_the_name_is_none() {
    let bench = Bench::new();
    let mut made = job("echo once");
    made["startExecutionToken"] = "a1".into();
    assert_eq!(create(&bench, &made).code, 200);
    let again = create(&bench, &made);
    assert_eq!((again.code, &again.read_json()["error"]["status"]), (409, &"ALREADY_EXISTS".into()));
    let execution = format!("{JOB}/executions/clips-a1");
    assert_eq!(ended(&bench, &execution)["succeededCount"], 1);
    assert_eq!(bench.standin.printed(&execution), "once\n");
}

#[test]
fn a_task_that_fails_is_tried_again_as_often_as_its_template_says() {
    let bench = Bench::new();
    let mut made = job("echo $CLOUD_RUN_TASK_ATTEMPT; exit 3");
    made["template"]["template"]["maxRetries"] = 2.into();
    create(&bench, &made);
    let said = bench.json("POST", &format!("/v2/{JOB}:run"), "{}").read_json();
    let execution = said["metadata"]["name"].as_str().unwrap().to_owned();
    let told = ended(&bench, &execution);
    let counts = (&told["failedCount"], &told["retriedCount"], &told["conditions"][0]["executionReason"]);
    assert_eq!(counts, (&1.into(), &1.into(), &"NON_ZERO_EXIT_CODE".into()));
    assert_eq!(bench.standin.printed(&execution), "0\n1\n2\n");
    let operation = bench.get(&format!("/v2/{}", said["name"].as_str().unwrap())).read_json();
    assert!(operation["done"] == true && operation["error"]["message"].as_str().unwrap().contains("code 3"));
}

#[test]
fn who_is_cancelled_gets_a_signal_and_the_time_to_heed_it() {
    let bench = Bench::new();
    create(&bench, &job("trap 'echo heard; exit 0' TERM; echo began; while :; do sleep 0.05; done"));
    let execution = run(&bench, &json!({}));
    printed(&bench, &execution, "began");
    assert_eq!(bench.json("POST", &format!("/v2/{execution}:cancel"), "{}").code, 200);
    let told = ended(&bench, &execution);
    assert_eq!((&told["cancelledCount"], &told["conditions"][0]["executionReason"]), (&1.into(), &"CANCELLED".into()));
    assert!(bench.standin.printed(&execution).ends_with("heard\n"));
    assert_eq!(bench.json("POST", &format!("/v2/{execution}:cancel"), "{}").code, 400, "it has ended");
}

#[test]
fn who_does_not_heed_the_signal_and_who_takes_too_long_is_killed() {
    let bench = Bench::new();
    bench.standin.grace(Duration::from_millis(50));
    let mut made = job("trap '' TERM; echo began; while :; do sleep 0.05; done");
    made["template"]["template"]["timeout"] = "0.3s".into();
    create(&bench, &made);
    let told = ended(&bench, &run(&bench, &json!({})));
    let message = told["conditions"][0]["message"].as_str().unwrap();
    assert!(told["failedCount"] == 1 && message.contains("longer than 300ms"), "{told}");
}

#[test]
fn an_image_that_is_not_there_and_a_secret_that_is_not_there_fail_the_task() {
    let bench = Bench::new();
    let mut made = job("true");
    made["template"]["template"]["containers"][0] = json!({ "image": "nothing" });
    create(&bench, &made);
    let told = ended(&bench, &run(&bench, &json!({})));
    assert!(told["conditions"][0]["message"].as_str().unwrap().contains("Image 'nothing' not found."), "{told}");
}

#[test]
fn a_secret_reaches_the_process_and_no_answer() {
    let bench = Bench::new();
    let secrets = "/v1/projects/p/secrets";
    let replicated = r#"{"replication": {"automatic": {}}}"#;
    assert_eq!(bench.json("POST", &format!("{secrets}?secretId=key"), replicated).code, 200);
    assert_eq!(bench.json("POST", &format!("{secrets}?secretId=key"), replicated).code, 409);
    // Source: RFC 4648, section 10: "foobar".
    let version = bench.json("POST", &format!("{secrets}/key:addVersion"), r#"{"payload": {"data": "Zm9vYmFy"}}"#);
    assert_eq!(version.read_json()["name"], "projects/p/secrets/key/versions/1");
    let read = bench.get(&format!("{secrets}/key/versions/latest:access")).read_json();
    assert_eq!((&read["payload"]["data"], &read["name"]), (&"Zm9vYmFy".into(), &version.read_json()["name"]));
    assert_eq!(bench.get(&format!("{secrets}/key/versions/2:access")).code, 404);
    let made = reading();
    let_read(&bench, "worker@p.iam.gserviceaccount.com");
    create(&bench, &made);
    let execution = run(&bench, &json!({}));
    let told = ended(&bench, &execution);
    assert_eq!(bench.standin.printed(&execution), "foobar\n");
    let job = bench.get(&format!("/v2/{JOB}")).read_json();
    assert!(!told.to_string().contains("foobar") && !job.to_string().contains("foobar"));
}

/// A job that says who it is, and prints a secret.
fn reading() -> Json {
    let mut made = job("echo $KEY");
    made["template"]["template"]["serviceAccount"] = "worker@p.iam.gserviceaccount.com".into();
    made["template"]["template"]["containers"][0]["env"] =
        json!([{ "name": "KEY", "valueSource": { "secretKeyRef": { "secret": "key", "version": "1" } } }]);
    made
}

/// From now on this account alone may read the secret `key`.
fn let_read(bench: &Bench, account: &str) {
    let member = format!("serviceAccount:{account}");
    let reader = json!({ "role": "roles/secretmanager.secretAccessor", "members": [member] });
    let policy = json!({ "policy": { "bindings": [reader] } }).to_string();
    assert_eq!(bench.json("POST", "/v1/projects/p/secrets/key:setIamPolicy", &policy).code, 200);
}

#[test]
fn a_job_whose_account_may_not_read_its_secret_never_gets_ready() {
    let bench = Bench::new();
    bench.json("POST", "/v1/projects/p/secrets?secretId=key", r#"{"replication": {"automatic": {}}}"#);
    bench.json("POST", "/v1/projects/p/secrets/key:addVersion", r#"{"payload": {"data": "Zm9vYmFy"}}"#);
    let_read(&bench, "another@p.iam.gserviceaccount.com");
    create(&bench, &reading());
    let condition = bench.get(&format!("/v2/{JOB}")).read_json()["terminalCondition"].clone();
    assert_eq!(condition["reason"], "SECRETS_ACCESS_CHECK_FAILED");
    let says =
        "secret: projects/p/secrets/key/versions/1 for Revision service account worker@p.iam.gserviceaccount.com.";
    assert!(condition["message"].as_str().unwrap().ends_with(says), "{condition}");
    let execution = run(&bench, &json!({}));
    assert_eq!(ended(&bench, &execution)["failedCount"], 1);
    assert_eq!(bench.standin.printed(&execution), "");
}

#[test]
fn a_process_reads_the_secrets_that_its_account_may_read_and_no_others() {
    let bench = Bench::new();
    for key in ["key", "other"] {
        bench.json("POST", &format!("/v1/projects/p/secrets?secretId={key}"), r#"{"replication": {"automatic": {}}}"#);
        bench.json("POST", &format!("/v1/projects/p/secrets/{key}:addVersion"), r#"{"payload": {"data": "Zm9vYmFy"}}"#);
    }
    let_read(&bench, "worker@p.iam.gserviceaccount.com");
    let mut made = job("echo $SECRET_MANAGER_EMULATOR_HOST");
    made["template"]["template"]["serviceAccount"] = "worker@p.iam.gserviceaccount.com".into();
    create(&bench, &made);
    let execution = run(&bench, &json!({}));
    ended(&bench, &execution);
    let address = bench.standin.printed(&execution).trim().parse().unwrap();
    let access = |key: &str| format!("/v1/projects/p/secrets/{key}/versions/1:access");
    let read = |key: &str| bench.ask_at(address, "GET", &access(key), &[], b"").unwrap();
    assert_eq!(read("key").read_json()["payload"]["data"], "Zm9vYmFy");
    assert_eq!(read("other").code, 403);
    let asked = bench.standin.asked().into_iter().filter(|asked| asked.method.ends_with("versions.access"));
    let by: Vec<Option<String>> = asked.map(|asked| asked.by).collect();
    assert_eq!(by, [(); 2].map(|()| Some("worker@p.iam.gserviceaccount.com".to_owned())));
}

#[test]
fn a_secret_tells_of_its_versions_and_of_who_may_read_it() {
    let bench = Bench::new();
    let secrets = "/v1/projects/p/secrets";
    bench.json("POST", &format!("{secrets}?secretId=key"), r#"{"replication": {"automatic": {}}}"#);
    bench.json("POST", &format!("{secrets}/key:addVersion"), r#"{"payload": {"data": "Zm9vYmFy"}}"#);
    let version = bench.get(&format!("{secrets}/key/versions/latest")).read_json();
    assert_eq!((&version["name"], &version["state"]), (&"projects/p/secrets/key/versions/1".into(), &"ENABLED".into()));
    let reader = json!({ "role": "roles/secretmanager.secretAccessor", "members": ["user:ann@example.com"] });
    let policy = json!({ "policy": { "bindings": [reader] } });
    assert!(bench.get(&format!("{secrets}/key:getIamPolicy")).read_json()["bindings"].is_null());
    assert_eq!(bench.json("POST", &format!("{secrets}/key:setIamPolicy"), &policy.to_string()).code, 200);
    assert_eq!(bench.get(&format!("{secrets}/key:getIamPolicy")).read_json()["bindings"][0], reader);
    let disabled = bench.json("POST", &format!("{secrets}/key/versions/1:disable"), "{}").read_json();
    assert_eq!(disabled["state"], "DISABLED");
    assert_eq!(bench.get(&format!("{secrets}/key/versions/1:access")).code, 400);
    assert_eq!(bench.get(&format!("{secrets}/gone/versions/1")).code, 404);
}

#[test]
fn what_the_definitions_of_jobs_do_not_allow_is_refused_by_name() {
    let bench = Bench::new();
    let with = |change: &dyn Fn(&mut Json)| {
        let mut made = job("true");
        change(&mut made);
        made
    };
    let cases: [(&str, Json); 8] = [
        ("template.template.containrs", with(&|job| job["template"]["template"]["containrs"] = json!([]))),
        ("uid", with(&|job| job["uid"] = "mine".into())),
        ("template.taskCount", with(&|job| job["template"]["taskCount"] = "one".into())),
        ("template.template.timeout", with(&|job| job["template"]["template"]["timeout"] = "1h".into())),
        ("launchStage", with(&|job| job["launchStage"] = "SOON".into())),
        ("launchStage", with(&|job| job["launchStage"] = 99.into())),
        (
            "template.template.containers[0].image",
            with(&|job| {
                job["template"]["template"]["containers"][0] = json!({ "command": ["true"] });
            }),
        ),
        ("template", json!({})),
    ];
    for (field, body) in cases {
        let said = create(&bench, &body);
        let error = said.read_json()["error"].clone();
        assert_eq!((said.code, &error["status"]), (400, &"INVALID_ARGUMENT".into()), "{field}: {error}");
        let violations = error["details"][0]["fieldViolations"].as_array().unwrap().clone();
        assert!(violations.iter().any(|one| one["field"] == field), "{field}: {error}");
    }
    assert_eq!(
        bench.json("POST", &format!("/v2/{PARENT}/jobs?jobId=a&requestId=1"), &job("true").to_string()).code,
        400
    );
    assert_eq!(bench.json("POST", &format!("/v2/{PARENT}/jobs?jobId=A"), &job("true").to_string()).code, 400);
    assert_eq!(bench.json("POST", &format!("/v2/{JOB}:run"), "{}").code, 404);
}

/// Source of the numbers: `LaunchStage` and `ExecutionEnvironment` of Google's types, as its client for Rust sends them.
#[test]
fn an_enum_may_come_by_number_and_is_told_by_name() {
    let bench = Bench::new();
    let mut made = job("true");
    made["launchStage"] = 4.into();
    made["template"]["template"]["executionEnvironment"] = 2.into();
    assert_eq!(create(&bench, &made).code, 200);
    let told = bench.get(&format!("/v2/{JOB}")).read_json();
    let environment = &told["template"]["template"]["executionEnvironment"];
    assert_eq!((&told["launchStage"], environment), (&"GA".into(), &"EXECUTION_ENVIRONMENT_GEN2".into()));
    made["template"]["template"]["executionEnvironment"] = 3.into();
    let (code, told) = (create(&bench, &made).code, create(&bench, &made).read_json());
    assert_eq!((code, &told["error"]["status"]), (400, &"INVALID_ARGUMENT".into()), "there are two: {told}");
}

#[test]
fn jobs_and_executions_are_listed_in_pages_and_perhaps_late() {
    let bench = Bench::new();
    create(&bench, &job("true"));
    for _ in 0..3 {
        ended(&bench, &run(&bench, &json!({})));
    }
    let page = bench.get(&format!("/v2/{JOB}/executions?pageSize=2")).read_json();
    assert_eq!(page["executions"].as_array().unwrap().len(), 2);
    let token = page["nextPageToken"].as_str().unwrap();
    let rest = bench.get(&format!("/v2/{JOB}/executions?pageSize=2&pageToken={token}")).read_json();
    assert_eq!((rest["executions"].as_array().unwrap().len(), &rest["nextPageToken"]), (1, &Json::Null));
    bench.standin.list_late(1);
    let late = run(&bench, &json!({}));
    let count =
        || bench.get(&format!("/v2/{PARENT}/jobs/-/executions")).read_json()["executions"].as_array().unwrap().len();
    assert_eq!([count(), count()], [3, 4]);
    assert_eq!(bench.get(&format!("/v2/{late}")).code, 200, "a name is known at once");
    assert_eq!(bench.ask("DELETE", &format!("/v2/{JOB}"), &[], b"").unwrap().code, 200);
    assert_eq!(bench.get(&format!("/v2/{late}")).code, 404);
    assert_eq!(bench.get(&format!("/v2/{PARENT}/jobs")).read_json(), json!({}));
}

#[test]
fn where_tokens_are_needed_the_metadata_server_hands_them_out() {
    let bench = Bench::new();
    bench.standin.need_tokens();
    let jobs = format!("/v2/{PARENT}/jobs");
    assert_eq!(bench.get(&jobs).code, 401);
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!(bench.get(path).code, 403, "the header is missing");
    let told = bench.ask("GET", path, &[("Metadata-Flavor", "Google")], b"").unwrap().read_json();
    assert_eq!(told["token_type"], "Bearer");
    let bearer = format!("Bearer {}", told["access_token"].as_str().unwrap());
    let ask = || bench.ask("GET", &jobs, &[("Authorization", &bearer)], b"").unwrap().code;
    assert_eq!(ask(), 200);
    bench.standin.expire_tokens();
    assert_eq!(ask(), 401);
    assert_eq!(bench.ask("POST", "/token", &[], b"grant_type=x").unwrap().code, 200);
}
