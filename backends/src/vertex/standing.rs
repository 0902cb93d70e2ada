//! What Vertex AI tells of a job -> how it stands, and why it ended if its worker could not say so.
//!
//! An error has a number, a sentence and no reason. Whoever ended with code 3, wanted too much memory or was taken away has left
//! most of it in the sentence. So sentences are read here, and nowhere above.

use crate::google::{Where, code, more_quota, says_no_machine, says_quota};
use google_cloud_aiplatform_v1::model::CustomJob;
use google_cloud_aiplatform_v1::model::scheduling::Strategy;
use google_cloud_wkt::Timestamp;
use pipe_engine::failure::{Class, Failure};

/// The codes that a shell gives a program which the kernel has killed, and one that was asked to end.
const KILLED: i64 = 137;
const TERMINATED: i64 = 143;
/// The codes of a worker whose machine is taken away, and of one whose attempt another job has; docs/cloud.md has them all.
const PREEMPTED: i64 = 75;
const DUPLICATE: i64 = 76;

/// How one job stands, as far as it tells itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It waits for a machine.
    Waiting,
    /// It runs.
    Running,
    /// It was told to stop, and has not yet.
    Stopping,
    /// It was stopped before it had an end of its own.
    Stopped,
    /// Another job had its attempt, and it did nothing.
    Left,
    /// It ended well.
    Done,
    /// It ended otherwise.
    Failed,
}

impl Look {
    /// Whether nothing more will come of it.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Left | Self::Done | Self::Failed)
    }
}

/// How one job stands.
pub(super) fn look(job: &CustomJob) -> Look {
    match job.state.name().unwrap_or_default() {
        "JOB_STATE_RUNNING" | "JOB_STATE_UPDATING" => Look::Running,
        "JOB_STATE_CANCELLING" => Look::Stopping,
        "JOB_STATE_CANCELLED" if !took_all(job) => Look::Stopped,
        "JOB_STATE_SUCCEEDED" | "JOB_STATE_PARTIALLY_SUCCEEDED" => Look::Done,
        "JOB_STATE_FAILED" if exit_code(&says(job).to_lowercase()) == Some(DUPLICATE) => Look::Left,
        "JOB_STATE_FAILED" | "JOB_STATE_CANCELLED" | "JOB_STATE_EXPIRED" => Look::Failed,
        _ => Look::Waiting,
    }
}

/// Why a job that is over did not end well; `None` when it did.
pub(super) fn why(job: &CustomJob, at: &Where) -> Option<Failure> {
    let failure = match look(job) {
        Look::Done | Look::Waiting | Look::Running | Look::Stopping => return None,
        Look::Stopped => Failure::failed("cancelled", "the job was cancelled"),
        Look::Left => Failure::of(Class::Transient, "job_gone", "another job had its attempt, and is not to be found"),
        Look::Failed if took_all(job) || job.state.name() == Some("JOB_STATE_EXPIRED") => took_too_long(),
        Look::Failed => {
            let number = job.error.as_ref().map_or(0, |error| error.code);
            cause(number, says(job), is_spot(job), at)
        }
    };
    let mend = failure.help.clone().map_or_else(String::new, |mend| format!("{mend}; "));
    let failure = if says(job).is_empty() { failure } else { failure.source(says(job)) };
    let log = log(&job.name, at);
    Some(failure.on(&job.name).help(format!("{mend}{log}")))
}

fn says(job: &CustomJob) -> &str {
    job.error.as_ref().map_or("", |error| error.message.as_str())
}

fn is_spot(job: &CustomJob) -> bool {
    let scheduling = job.job_spec.as_ref().and_then(|spec| spec.scheduling.as_ref());
    scheduling.is_some_and(|scheduling| scheduling.strategy == Strategy::Spot)
}

/// Whether a job lasted as long as it may.
fn took_all(job: &CustomJob) -> bool {
    let seconds = |time: &Timestamp| time.seconds() as f64 + f64::from(time.nanos()) / 1e9;
    let lasted = job.start_time.as_ref().zip(job.end_time.as_ref());
    let scheduling = job.job_spec.as_ref().and_then(|spec| spec.scheduling.as_ref());
    let most = scheduling.and_then(|scheduling| scheduling.timeout.as_ref());
    let most = most.map(|most| most.seconds() as f64 + f64::from(most.nanos()) / 1e9);
    lasted.zip(most).is_some_and(|((from, to), most)| seconds(to) - seconds(from) >= most)
}

/// `number`: one of `google.rpc.Code`.
fn cause(number: i32, text: &str, is_spot: bool, at: &Where) -> Failure {
    let lower = text.to_lowercase();
    let has = |word: &str| lower.contains(word);
    let killed = || Failure::of(Class::OutOfMemory, "killed", "it was killed, most likely for more memory than it has");
    let preempted = || Failure::of(Class::Preempted, "terminated", "its machine was taken away");
    let no_machine = || Failure::of(Class::Capacity, "no_machine", "there was no machine to be had");
    let exit = exit_code(&lower);
    match number {
        _ if has("out-of-memory") || has("out of memory") || has("memory limit") => {
            Failure::of(Class::OutOfMemory, "memory", "it wanted more memory than it has")
        }
        _ if exit == Some(KILLED) => killed(),
        _ if exit == Some(TERMINATED) || exit == Some(PREEMPTED) || has("preempt") => preempted(),
        _ if exit.is_some() => {
            let code = exit.unwrap_or_default();
            Failure::failed("exit_code", format!("its container ended with code {code}"))
        }
        _ if says_quota(&lower) => {
            Failure::of(Class::Throttled, "quota", "a quota of the project is used up").help(more_quota(at))
        }
        _ if says_no_machine(&lower) => no_machine(),
        _ if has("image") && (has("not found") || has("does not exist")) => no_image(at),
        code::RESOURCE_EXHAUSTED => no_machine(),
        code::DEADLINE_EXCEEDED => took_too_long(),
        // What a machine that is taken away leaves in the job that ran on it is said nowhere; it is no fault of the work's.
        code::INTERNAL | code::UNAVAILABLE if is_spot => preempted(),
        code::INTERNAL | code::UNAVAILABLE => Failure::of(Class::Transient, "service", "Vertex AI itself failed"),
        code::PERMISSION_DENIED => not_allowed(at),
        code::NOT_FOUND | code::INVALID_ARGUMENT if has("image") => no_image(at),
        _ => Failure::failed("job_failed", "the job failed"),
    }
}

fn took_too_long() -> Failure {
    Failure::of(Class::Timeout, "timeout", "it ran longer than its timeout")
}

fn no_image(at: &Where) -> Failure {
    Failure::failed("no_image", "the image is not there, or may not be fetched").help(format!(
        "look for its name and tag: gcloud artifacts docker images list REGION-docker.pkg.dev/{project}/REPOSITORY, and give \
         Vertex AI's service agent roles/artifactregistry.reader on the repository: \
         service-NUMBER@gcp-sa-aiplatform-cc.iam.gserviceaccount.com",
        project = at.project
    ))
}

fn not_allowed(at: &Where) -> Failure {
    Failure::failed("not_allowed", "something that the job needs is not allowed").help(format!(
        "see what Vertex AI's service agent and the job's account may do: gcloud projects get-iam-policy {}",
        at.project
    ))
}

/// The number in `non-zero status of 3`, `exit code: 3` or `code 3`.
fn exit_code(text: &str) -> Option<i64> {
    let number = |after: &str| {
        let digits = after.trim_start_matches([':', '(', ' ']);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().ok()
    };
    ["status of", "exit code", "exited with code"].iter().find_map(|word| text.split(word).skip(1).find_map(number))
}

/// Where the log of a job is. The job is removed once its end is written down, and so is the page about it; what it has printed
/// stays.
fn log(job: &str, at: &Where) -> String {
    let id = job.rsplit('/').next().unwrap_or(job);
    let project = &at.project;
    format!(
        "its log: gcloud logging read 'resource.type=\"ml_job\" resource.labels.job_id=\"{id}\"' --project {project} --order \
         asc, or https://console.cloud.google.com/logs/query;query=resource.type%3D%22ml_job%22%20resource.labels.job_id%3D\
         %22{id}%22?project={project}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Where {
        Where { project: "films".to_owned(), region: "us-central1".to_owned() }
    }

    #[test]
    fn what_an_error_says_decides_the_class() {
        // Vertex AI words its errors like this, as far as its pages and reports of jobs tell, and the stand-in as well.
        let exited =
            |code: i64| format!("The replica workerpool0-0 exited with a non-zero status of {code}. To find out more");
        for (number, text, is_spot, class, code) in [
            (3, exited(1), false, Class::Failed, "exit_code"),
            (3, exited(137), false, Class::OutOfMemory, "killed"),
            (3, exited(143), false, Class::Preempted, "terminated"),
            (
                3,
                "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of 137(SIGKILL)."
                    .to_owned(),
                false,
                Class::OutOfMemory,
                "memory",
            ),
            (
                8,
                "Resources are insufficient in region: us-central1. Try a different region.".to_owned(),
                false,
                Class::Capacity,
                "no_machine",
            ),
            (
                8,
                "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus"
                    .to_owned(),
                false,
                Class::Throttled,
                "quota",
            ),
            (13, "Internal error occurred for the current attempt.".to_owned(), true, Class::Preempted, "terminated"),
            (13, "Internal error occurred for the current attempt.".to_owned(), false, Class::Transient, "service"),
            (4, "The job took longer than 1s.".to_owned(), false, Class::Timeout, "timeout"),
            (3, "Image 'nothing' not found.".to_owned(), false, Class::Failed, "no_image"),
            (7, "Permission denied".to_owned(), false, Class::Failed, "not_allowed"),
            (3, "Something else.".to_owned(), false, Class::Failed, "job_failed"),
        ] {
            let failure = cause(number, &text, is_spot, &at());
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{text}");
        }
    }

    #[test]
    fn the_state_of_a_job_is_how_it_stands() {
        for (state, expected) in [
            ("JOB_STATE_QUEUED", Look::Waiting),
            ("JOB_STATE_PENDING", Look::Waiting),
            ("JOB_STATE_PAUSED", Look::Waiting),
            ("JOB_STATE_RUNNING", Look::Running),
            ("JOB_STATE_CANCELLING", Look::Stopping),
            ("JOB_STATE_CANCELLED", Look::Stopped),
            ("JOB_STATE_SUCCEEDED", Look::Done),
            ("JOB_STATE_FAILED", Look::Failed),
            ("JOB_STATE_EXPIRED", Look::Failed),
            ("JOB_STATE_OF_THE_FUTURE", Look::Waiting),
        ] {
            assert_eq!(look(&CustomJob::new().set_state(state)), expected, "{state}");
        }
    }
}
