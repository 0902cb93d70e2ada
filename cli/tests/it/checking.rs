//! `pipe check`: what would stop a run is told before it, with what mends it, and nothing is left of the questions.

use crate::bench::{Bench, SUM};
use crate::far_away::{IMAGE, Project, SOON};
use crate::service::{Answer, Doing, Kind, Service};
use pipe_standin::{Asked, Fault};
use serde_json::Value as Json;

fn check(project: &Project, more: &[&str]) -> (Option<i32>, Json) {
    let said = project.pipe(&[&["check", "spec.toml", "--json"], more].concat());
    (said.code, said.json())
}

/// The findings of one level: the first word of the place, and the code.
fn codes<'a>(told: &'a Json, level: &str) -> Vec<(&'a str, &'a str)> {
    let findings = told["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == level);
    findings
        .map(|finding| {
            let place = finding["place"].as_str().unwrap().split(' ').next().unwrap();
            (place, finding["code"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn what_is_as_it_must_be_is_told_and_nothing_is_made() {
    let project = Project::doing(SOON);
    let (code, told) = check(&project, &[]);
    assert_eq!((code, &told["ready"]), (Some(0), &true.into()), "{told:#}");
    let good = [("store", "store"), ("backend", "jobs_listed"), ("backend", "image"), ("backend", "jobs_taken")];
    assert_eq!(codes(&told, "good"), good);
    assert_eq!(codes(&told, "unknown"), [("backend", "worker")]);
    assert!(told["findings"].to_string().contains("sha256:"), "the digest that the registry tells: {told:#}");
    assert_eq!(project.objects(""), [""; 0]);
    assert_eq!((project.asked("run"), project.asked("delete")), (0, 0));
    let said = project.pipe(&["check", "spec.toml"]);
    let has = |words: &str| said.stdout.contains(words);
    assert!(has("store gs://bucket/prefix\n  ok") && has("backend there\n") && has("--run-worker"), "{said:?}");
    assert!(said.stdout.ends_with("spec.toml: nothing that was asked would stop a run\n"), "{said:?}");
    assert!(!project.bench.path(".pipe").exists(), "nothing is kept of it here either");
}

/// A rule that befalls the requests of a method.
fn when(method: &'static str, fault: Fault) -> impl FnMut(&Asked) -> Option<Fault> + Send + 'static {
    move |asked| asked.method.starts_with(method).then(|| fault.clone())
}

fn says(status: u16, words: &str) -> Fault {
    Fault::Say(status, words.to_owned())
}

#[test]
fn what_google_says_no_to_is_told_with_what_mends_it() {
    let (list, create) = ("run.projects.locations.jobs.list", "run.projects.locations.jobs.create");
    let (no_account, quota) = (
        "Permission 'iam.serviceaccounts.actAs' denied on service account x (or it may not exist).",
        "Quota exceeded for total allowable CPU per project per region.",
    );
    for (method, fault, place, code, help) in [
        (
            list,
            says(403, "Permission denied on resource project our-project."),
            "backend",
            "no_project",
            "gcloud projects describe our-project",
        ),
        (
            list,
            says(403, "Permission denied on 'locations/us-central1' (or it may not exist)."),
            "backend",
            "no_region",
            "gcloud run regions list --project our-project",
        ),
        (
            list,
            says(403, "Cloud Run Admin API has not been used in project 1 before or it is disabled."),
            "backend",
            "service_off",
            "gcloud services enable run.googleapis.com --project our-project",
        ),
        (list, Fault::Refuse(403), "backend", "not_allowed", "roles/run.developer"),
        (create, says(403, no_account), "backend", "not_allowed", "roles/iam.serviceAccountUser"),
        (create, says(429, quota), "backend", "quota", "iam-admin/quotas?project=our-project"),
        ("storage.objects.insert", Fault::Refuse(403), "store", "not_allowed", "--role=roles/storage.objectUser"),
        ("storage.objects.list", Fault::Refuse(403), "store", "not_allowed", "gs://bucket "),
        ("storage.", Fault::Forget, "store", "no_conditions", "conditional writes"),
    ] {
        let project = Project::doing(SOON);
        project.standin.befalls(when(method, fault.clone()));
        let (exit, told) = check(&project, &[]);
        assert_eq!((exit, &told["ready"]), (Some(2), &false.into()), "{fault:?}: {told:#}");
        assert_eq!(codes(&told, "error"), [(place, code)], "{fault:?}: {told:#}");
        let error = told["findings"].as_array().unwrap().iter().find(|finding| finding["level"] == "error").unwrap();
        assert!(error["help"].as_str().unwrap().contains(help), "{fault:?}: {error:#}");
        assert_eq!(project.asked("run"), 0);
    }
}

#[test]
fn an_object_that_may_not_be_deleted_is_a_warning_that_names_it() {
    let project = Project::doing(SOON);
    project.standin.befalls(when("storage.objects.delete", Fault::Refuse(403)));
    let (code, told) = check(&project, &[]);
    assert_eq!((code, codes(&told, "warning")), (Some(0), vec![("store", "not_allowed")]), "{told:#}");
    assert_eq!(project.objects("/probes/").len(), 1);
}

#[test]
fn whoever_is_not_logged_in_is_told_once_for_each_service() {
    let project = Project::doing(SOON);
    project.standin.need_tokens();
    let (code, told) = check(&project, &[]);
    assert_eq!(code, Some(2), "{told:#}");
    assert_eq!(codes(&told, "error"), [("store", "no_credentials"), ("backend", "no_credentials")], "{told:#}");
    for finding in told["findings"].as_array().unwrap() {
        let help = finding["help"].as_str().unwrap();
        assert!(help.contains("gcloud auth application-default login"), "{finding:#}");
    }
}

#[test]
fn a_bucket_and_an_image_that_are_not_there_are_named() {
    let project = Project::with(SOON, IMAGE, "gs://elsewhere/prefix");
    let (code, told) = check(&project, &[]);
    assert_eq!((code, codes(&told, "error")), (Some(2), vec![("store", "no_bucket")]), "{told:#}");
    assert!(told["findings"][0]["help"].as_str().unwrap().contains("gcloud storage buckets create gs://elsewhere"));
    let project = Project::with(SOON, &format!("{IMAGE}:v9"), "gs://bucket/prefix");
    let (code, told) = check(&project, &[]);
    assert_eq!((code, codes(&told, "error")), (Some(2), vec![("backend", "no_image")]), "{told:#}");
    let said = project.pipe(&["check", "spec.toml"]);
    let help = "gcloud artifacts docker images list us-central1-docker.pkg.dev/our-project/pipe/worker";
    assert!(said.stdout.contains(help) && said.stdout.contains(":v9"), "{said:?}");
    assert!(said.stdout.ends_with("spec.toml: 1 finding would stop a run\n"), "{said:?}");
}

#[test]
fn a_folder_store_with_a_place_elsewhere_is_a_problem_of_the_spec_and_nobody_is_asked() {
    let project = Project::with(SOON, IMAGE, "./out");
    let (code, told) = check(&project, &[]);
    assert_eq!(
        (code, &told["ready"], &told["problems"][0]["code"]),
        (Some(2), &false.into(), &"P0504".into()),
        "{told:#}"
    );
    assert_eq!(project.standin.asked(), []);
    let said = project.pipe(&["check", "spec.toml"]);
    assert!(said.code == Some(2) && said.stderr.contains("error[P0504]"), "{said:?}");
}

#[test]
fn the_image_says_which_worker_it_holds_when_it_is_asked_to() {
    let project = Project::doing(SOON);
    let (code, told) = check(&project, &["--run-worker"]);
    assert_eq!(code, Some(0), "{told:#}");
    let good = codes(&told, "good");
    assert_eq!(good[good.len() - 2..], [("backend", "worker"), ("backend", "start")], "{told:#}");
    let start = told["findings"].as_array().unwrap().last().unwrap()["message"].as_str().unwrap();
    assert!(start.contains("`start = \"token\"`"), "{start}");
    assert_eq!((project.asked("run"), project.asked("delete")), (0, 1), "it began as it was made, and is gone");
    assert_eq!(project.objects(""), [""; 0], "and so is its answer");
    // A worker that does not know the question.
    project.standin.image(IMAGE, &["sh", "-c", "exit 2"]);
    let (code, told) = check(&project, &["--run-worker"]);
    assert_eq!((code, codes(&told, "error")), (Some(2), vec![("backend", "exit_code")]), "{told:#}");
}

#[test]
fn a_bucket_of_amazons_is_asked_in_its_own_words() {
    let bench = Bench::with(&format!("{SUM}\n[store]\nroot = \"{}\"\n", Kind::S3.root()));
    let service = Service::of(Kind::S3, &bench.path("buckets"));
    let check = || {
        let mut command = bench.command(&["check", "spec.toml", "--json"]);
        service.tell(&mut command);
        bench.said(&mut command)
    };
    let said = check();
    assert_eq!((said.code, codes(&said.json(), "good")), (Some(0), vec![("store", "store")]), "{said:?}");
    service.answers(|doing, _| if doing == Doing::Writing { Answer::Denied } else { Answer::Served });
    let said = check();
    assert_eq!((said.code, codes(&said.json(), "error")), (Some(2), vec![("store", "not_allowed")]), "{said:?}");
    let help = said.json()["findings"][0]["help"].as_str().unwrap().to_owned();
    assert!(help.contains("s3:PutObject on arn:aws:s3:::bucket/*"), "{help}");
}

#[test]
fn a_spec_of_this_machine_is_checked_in_its_folder() {
    let bench = Bench::with(SUM);
    let said = bench.pipe(&["check", "spec.toml"]);
    assert!(said.code == Some(0) && said.stdout.contains("not there yet"), "{said:?}");
    bench.run();
    let said = bench.pipe(&["check", "spec.toml"]);
    assert!(said.code == Some(0) && said.stdout.contains("created once, read, listed and deleted"), "{said:?}");
    assert!(!bench.path("out/probes").exists());
    let said = bench.pipe(&["check", "spec.toml", "--offline"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}
