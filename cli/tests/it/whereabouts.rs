//! Where a person finds the job of an attempt elsewhere, and what its provider says of it.

use crate::bench::wait_until;
use crate::far_away::{IMAGE, Project, SOON, WAITS};
use std::process::Stdio;

#[test]
fn of_a_container_that_never_started_its_provider_is_heard_and_the_command_for_its_log_is_there() {
    let project = Project::with(SOON, &format!("{IMAGE}:gone"), "gs://bucket/prefix");
    assert_eq!(project.pipe(&["run", "spec.toml"]).code, Some(1));
    let status = project.pipe(&["status", "spec.toml"]).stdout;
    let logs = project.pipe(&["logs", "spec.toml", "slow"]);
    assert_eq!((logs.code, logs.stdout.as_str()), (Some(0), ""), "{logs:?}");
    for told in [&status, &logs.stderr] {
        assert!(told.contains("projects/our-project/locations/us-central1/jobs/pipe-"), "{told}");
        assert!(told.contains("https://console.cloud.google.com/logs/query"), "{told}");
        assert!(told.contains("gcloud logging read 'resource.type=\"cloud_run_job\""), "{told}");
        assert!(told.contains(":gone' not found"), "what the provider said: {told}");
    }
    let page = project.pipe(&["status", "spec.toml", "--json"]).json();
    let page = &page["run"]["tasks"]["slow"]["attempts"][0]["page"];
    assert!(page["log"].as_str().unwrap().contains("resource.labels.job_name=\"pipe-"), "{page:#}");
    assert_eq!(project.pipe(&["report", "spec.toml", "-o", "page.html"]).code, Some(0));
    let job = page["job"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(project.bench.read("page.html").contains(job));
    let document = project.pipe(&["logs", "spec.toml", "slow", "--json"]).json();
    assert_eq!((&document[0]["job"], &document[0]["failure"]["code"]), (page, &"no_image".into()), "{document:#}");
}

#[test]
fn of_a_job_that_runs_it_is_told_where_it_is() {
    let project = Project::doing(WAITS);
    let mut engine = project.command(&["run", "spec.toml"]);
    let mut engine = engine.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    project.bench.wait_for("begun");
    wait_until("the run to tell of it", || {
        let status = project.pipe(&["status", "spec.toml"]).stdout;
        status.contains("jobs elsewhere") && status.contains("https://console.cloud.google.com/logs/query")
    });
    project.bench.write("go", "");
    assert!(engine.wait().unwrap().success());
    let logs = project.pipe(&["logs", "spec.toml", "slow"]);
    assert_eq!(logs.stdout, "said\n", "{logs:?}");
    assert!(logs.stderr.contains("/jobs/pipe-"), "{logs:?}");
}
