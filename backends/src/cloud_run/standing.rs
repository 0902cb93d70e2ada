//! What Cloud Run tells of a job and of its execution -> how the job stands, and why it ended if its worker could not say so.
//!
//! A condition has few reasons: whoever ran too long, wanted too much memory or ended with code 3 has left "a non-zero exit code",
//! and the rest is in its message. So messages are read here, and nowhere above.

use crate::google::{Where, says_no_machine};
use google_cloud_run_v2::model::condition::State;
use google_cloud_run_v2::model::{Condition, Execution, Job};
use google_cloud_wkt::Timestamp;
use pipe_engine::backend::Standing;
use pipe_engine::failure::{Class, Failure};

/// The codes that a shell gives a program which the kernel has killed, and one that was asked to end.
const KILLED: i64 = 137;
const TERMINATED: i64 = 143;

/// How a job stands, as far as it tells itself.
#[derive(Debug)]
pub(super) enum Look {
    /// That is all.
    Known(Standing),
    /// It did not end well; the execution of this name has the reason.
    Ended(String),
}

/// How a job stands.
pub(super) fn look(job: &Job, at: &Where) -> Look {
    let Some(last) = &job.latest_created_execution else {
        let standing = unusable(job, at).map_or(Standing::Waiting, |why| Standing::Over(Some(why)));
        return Look::Known(standing);
    };
    match last.completion_status.name() {
        Some("EXECUTION_SUCCEEDED") => Look::Known(Standing::Over(None)),
        Some("EXECUTION_FAILED" | "EXECUTION_CANCELLED") => Look::Ended(last.name.clone()),
        _ if last.completion_time.is_some() => Look::Ended(last.name.clone()),
        Some("EXECUTION_RUNNING") => Look::Known(Standing::Running),
        _ => Look::Known(Standing::Waiting),
    }
}

/// Why a job can never run: its image is not there, or its account may not read a secret.
pub(super) fn unusable(job: &Job, at: &Where) -> Option<Failure> {
    let condition = job.terminal_condition.as_ref().filter(|condition| condition.state == State::ConditionFailed)?;
    Some(cause(condition, None, at).on(&job.name))
}

/// Why an execution did not end well; `None` when it did.
pub(super) fn why(execution: &Execution, at: &Where) -> Option<Failure> {
    let of_all = |condition: &&Condition| condition.r#type == "Completed";
    let is_failed = |condition: &&Condition| condition.state == State::ConditionFailed;
    let failed = execution.conditions.iter().find(of_all).filter(is_failed);
    let failed = failed.or_else(|| execution.conditions.iter().find(is_failed))?;
    let took_all = took_all(execution);
    let failure = cause(failed, Some(took_all), at).on(&execution.name);
    let mend = failure.help.clone().map_or_else(String::new, |mend| format!("{mend}; "));
    let (log, link) = log(&execution.name, at);
    Some(failure.help(format!("{mend}its log: {log}, or {link}")))
}

/// Whether an execution lasted as long as its task may.
fn took_all(execution: &Execution) -> bool {
    let seconds = |time: &Timestamp| time.seconds() as f64 + f64::from(time.nanos()) / 1e9;
    let lasted = execution.start_time.as_ref().zip(execution.completion_time.as_ref());
    let most = execution.template.as_ref().and_then(|task| task.timeout.as_ref());
    let most = most.map(|most| most.seconds() as f64 + f64::from(most.nanos()) / 1e9);
    lasted.zip(most).is_some_and(|((from, to), most)| seconds(to) - seconds(from) >= most)
}

/// `took_all`: whether it lasted as long as it may; `None` of what never ran.
fn cause(condition: &Condition, took_all: Option<bool>, at: &Where) -> Failure {
    let of_execution = condition.execution_reason().and_then(|reason| reason.name());
    let reason = of_execution.or_else(|| condition.reason().and_then(|reason| reason.name())).unwrap_or_default();
    let text = condition.message.as_str();
    let failure = match reason {
        "CANCELLED" | "CANCELLING" | "DELETED" => Failure::failed("cancelled", "the job was cancelled"),
        "CONTAINER_MISSING" => no_image(at),
        "CONTAINER_PERMISSION_DENIED" | "CONTAINER_IMAGE_UNAUTHORIZED" | "CONTAINER_IMAGE_AUTHORIZATION_CHECK_FAILED" => {
            Failure::failed("image_not_allowed", "Cloud Run may not fetch the image").help(format!(
                "give its service agent roles/artifactregistry.reader on the repository: gcloud projects \
                 add-iam-policy-binding {} --member=serviceAccount:service-NUMBER@serverless-robot-prod.iam.gserviceaccount.com \
                 --role=roles/artifactregistry.reader",
                at.project
            ))
        }
        "SECRETS_ACCESS_CHECK_FAILED" => no_secret(text, at),
        "INTERNAL" | "IMMEDIATE_RETRY" | "POSTPONED_RETRY" | "JOB_STATUS_SERVICE_POLLING_ERROR" => {
            Failure::of(Class::Transient, "service", "Cloud Run itself failed")
        }
        _ => by_message(text, took_all.unwrap_or(false), at),
    };
    failure.source(text)
}

fn by_message(text: &str, took_all: bool, at: &Where) -> Failure {
    let lower = text.to_lowercase();
    let is_missing = |what: &str| lower.contains(what) && lower.contains("not found");
    let killed = || Failure::of(Class::OutOfMemory, "killed", "it was killed, most likely for more memory than it has");
    let terminated = || Failure::of(Class::Preempted, "terminated", "its machine was taken away");
    match exit_code(&lower) {
        _ if lower.contains("memory limit") => {
            Failure::of(Class::OutOfMemory, "memory", "it wanted more memory than it has")
        }
        Some(KILLED) => killed(),
        Some(TERMINATED) => terminated(),
        Some(code) => Failure::failed("exit_code", format!("its container ended with code {code}")),
        None if is_missing("image") => no_image(at),
        None if is_missing("secret") || lower.contains("denied on secret") => no_secret(text, at),
        None if took_all || lower.contains("timeout") => {
            Failure::of(Class::Timeout, "timeout", "it ran longer than its timeout")
        }
        None if lower.contains("signal: 9") || lower.contains("sigkill") => killed(),
        None if lower.contains("signal: 15") || lower.contains("sigterm") => terminated(),
        None if says_no_machine(&lower) => Failure::of(Class::Capacity, "no_machine", "there was no machine to be had"),
        None => Failure::failed("job_failed", "the job failed"),
    }
}

/// The number in `code 3`, `exit code: 3` or `exit(3)`.
fn exit_code(text: &str) -> Option<i64> {
    let number = |after: &str| {
        let digits = after.trim_start_matches([':', '(', ' ']);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().ok()
    };
    ["code", "exit"].iter().find_map(|word| text.split(word).skip(1).find_map(number))
}

fn no_image(at: &Where) -> Failure {
    Failure::failed("no_image", "the image is not there").help(format!(
        "look for its name and tag: gcloud artifacts docker images list REGION-docker.pkg.dev/{}/REPOSITORY",
        at.project
    ))
}

/// Cloud Run names the secret, and where it is about a right the account as well: `Permission denied on secret:
/// projects/P/secrets/S/versions/V for Revision service account A.`
fn no_secret(text: &str, at: &Where) -> Failure {
    let words = || text.split_whitespace().map(|word| word.trim_matches(['.', ',', ':', '\'', '"']));
    let named = words().find_map(|word| {
        let (project, rest) = word.strip_prefix("projects/")?.split_once("/secrets/")?;
        Some((project, rest.split('/').next().unwrap_or(rest)))
    });
    let (project, secret) = named.unwrap_or((&at.project, "SECRET"));
    let account = words().find(|word| word.contains('@')).unwrap_or("ACCOUNT");
    Failure::failed("no_secret", "a secret is not there, or the job's account may not read it").help(format!(
        "give the account roles/secretmanager.secretAccessor: gcloud secrets add-iam-policy-binding {secret} --project {project} \
         --member=serviceAccount:{account} --role=roles/secretmanager.secretAccessor"
    ))
}

/// The command that prints the log of an execution, and the page that shows it. Its job is removed once its end is written down,
/// and so are the pages about it; what it has printed stays.
fn log(execution: &str, at: &Where) -> (String, String) {
    let id = execution.rsplit('/').next().unwrap_or(execution);
    logged(("labels", "run.googleapis.com/execution_name"), id, at)
}

/// The same of a job, with what Cloud Run itself says of it: of one that never ran there is no more.
pub(super) fn log_of(job: &str, at: &Where) -> (String, String) {
    logged(("resource.labels", "job_name"), job, at)
}

fn logged((of, label): (&str, &str), value: &str, at: &Where) -> (String, String) {
    let project = &at.project;
    // A name with a dot or a slash in it stands in quotes.
    let (field, encoded) = if label.contains('/') {
        (format!("{of}.\"{label}\""), format!("{of}.%22{}%22", label.replace('/', "%2F")))
    } else {
        (format!("{of}.{label}"), format!("{of}.{label}"))
    };
    let command = format!(
        "gcloud logging read 'resource.type=\"cloud_run_job\" {field}=\"{value}\"' --project {project} --order asc"
    );
    let link = format!(
        "https://console.cloud.google.com/logs/query;query=resource.type%3D%22cloud_run_job%22%20{encoded}%3D%22{value}%22?\
         project={project}"
    );
    (command, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Where {
        Where { project: "films".to_owned(), region: "us-central1".to_owned() }
    }

    #[test]
    fn what_a_condition_says_decides_the_class() {
        // The service words its messages like this, as far as its pages tell, and the stand-in as well.
        for (text, took_all, class, code) in [
            ("The container exited with an error, code 3.", false, Class::Failed, "exit_code"),
            (
                "Task clips-x-task0 failed with exit code: 1 and message: The container exited.",
                false,
                Class::Failed,
                "exit_code",
            ),
            ("Container called exit(2).", false, Class::Failed, "exit_code"),
            ("exit code: 137", false, Class::OutOfMemory, "killed"),
            ("exit code: 143", false, Class::Preempted, "terminated"),
            ("The container was ended: signal: 9 (SIGKILL).", false, Class::OutOfMemory, "killed"),
            ("Memory limit of 512 MiB exceeded with 530 MiB used.", false, Class::OutOfMemory, "memory"),
            ("it took longer than 1s", true, Class::Timeout, "timeout"),
            ("The configured timeout was reached.", false, Class::Timeout, "timeout"),
            ("Image 'nothing' not found.", false, Class::Failed, "no_image"),
            ("Secret projects/p/secrets/s/versions/1 was not found.", false, Class::Failed, "no_secret"),
            (
                "Permission denied on secret: projects/p/secrets/s/versions/1 for Revision service account a@p.iam.",
                false,
                Class::Failed,
                "no_secret",
            ),
            ("There is no capacity in the region.", false, Class::Capacity, "no_machine"),
            ("The container failed to start.", false, Class::Failed, "job_failed"),
        ] {
            let failure = by_message(text, took_all, &at());
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{text}");
        }
    }

    /// Source of the sentence: sourcegraph/sourcegraph-public-snapshot, pull request 59045.
    #[test]
    fn who_may_not_read_a_secret_is_told_the_command_that_lets_him() {
        let says = "spec.template.spec.containers[0].env[12].value_from.secret_key_ref.name: Permission denied on secret: \
                    projects/films-2/secrets/token/versions/latest for Revision service account w@films.iam.gserviceaccount.com.";
        let help = no_secret(says, &at()).help.unwrap();
        assert!(
            help.contains("binding token --project films-2 --member=serviceAccount:w@films.iam.gserviceaccount.com ")
        );
        let help = no_secret("A secret was not found.", &at()).help.unwrap();
        assert!(help.contains("binding SECRET --project films --member=serviceAccount:ACCOUNT "));
    }

    #[test]
    fn a_reason_counts_for_more_than_a_message() {
        for (reason, class, code) in [
            ("CANCELLED", Class::Failed, "cancelled"),
            ("NON_ZERO_EXIT_CODE", Class::Failed, "exit_code"),
            ("JOB_STATUS_SERVICE_POLLING_ERROR", Class::Transient, "service"),
        ] {
            let condition = Condition::new().set_execution_reason(reason).set_message("code 1");
            let failure = cause(&condition, Some(false), &at());
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{reason}");
        }
        for (reason, code) in [("CONTAINER_MISSING", "no_image"), ("SECRETS_ACCESS_CHECK_FAILED", "no_secret")] {
            let condition = Condition::new().set_reason(reason).set_message("code 1");
            assert_eq!(cause(&condition, None, &at()).code, code, "{reason}");
        }
    }
}
