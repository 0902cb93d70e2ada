//! What Vertex AI tells of a tuning job -> how it stands, and why it ended.

use crate::google::{Where, code, more_quota, says_quota};
use google_cloud_aiplatform_v1::model::TuningJob;
use pipe_engine::backend::Standing;
use pipe_engine::failure::{Class, Failure};

/// How one job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It waits for its turn.
    Waiting,
    /// It tunes.
    Running,
    /// It was told to stop, and has not yet.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It ended well.
    Done,
    /// It ended otherwise.
    Failed,
}

impl Look {
    /// Whether nothing more will come of it.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Done | Self::Failed)
    }
}

/// How one job stands.
pub(super) fn look(job: &TuningJob) -> Look {
    match job.state.name().unwrap_or_default() {
        "JOB_STATE_RUNNING" | "JOB_STATE_UPDATING" => Look::Running,
        "JOB_STATE_CANCELLING" => Look::Stopping,
        "JOB_STATE_CANCELLED" => Look::Stopped,
        "JOB_STATE_SUCCEEDED" | "JOB_STATE_PARTIALLY_SUCCEEDED" => Look::Done,
        "JOB_STATE_FAILED" | "JOB_STATE_EXPIRED" => Look::Failed,
        _ => Look::Waiting,
    }
}

/// How its attempt stands.
pub(super) fn standing(job: &TuningJob, at: &Where) -> Standing {
    match look(job) {
        Look::Waiting => Standing::Waiting,
        Look::Running | Look::Stopping => Standing::Running,
        Look::Done | Look::Stopped | Look::Failed => Standing::Over(why(job, at)),
    }
}

/// Why a job that is over did not end well; `None` when it did.
fn why(job: &TuningJob, at: &Where) -> Option<Failure> {
    let failure = match look(job) {
        Look::Done | Look::Waiting | Look::Running | Look::Stopping => return None,
        Look::Stopped => Failure::failed("cancelled", "the tuning was cancelled"),
        Look::Failed => cause(job.error.as_ref().map_or(0, |error| error.code), says(job), at),
    };
    let failure = if says(job).is_empty() { failure } else { failure.source(says(job)) };
    Some(failure.on(&job.name))
}

fn says(job: &TuningJob) -> &str {
    job.error.as_ref().map_or("", |error| error.message.as_str())
}

/// `number`: one of `google.rpc.Code`.
fn cause(number: i32, text: &str, at: &Where) -> Failure {
    match number {
        code::RESOURCE_EXHAUSTED if says_quota(text) => {
            Failure::of(Class::Throttled, "quota", "a quota of the project is used up").help(more_quota(at))
        }
        code::RESOURCE_EXHAUSTED => Failure::of(Class::Capacity, "no_machine", "there was no room for the tuning"),
        code::INTERNAL | code::UNAVAILABLE => Failure::of(Class::Transient, "service", "Vertex AI itself failed"),
        code::PERMISSION_DENIED => {
            Failure::failed("not_allowed", "something that the tuning needs is not allowed").help(format!(
                "give roles/storage.objectViewer on the buckets of the store and of the clips to `service_account` of the backend, \
                 or else to service-NUMBER@gcp-sa-vertex-tune.iam.gserviceaccount.com of the project {}",
                at.project
            ))
        }
        code::NOT_FOUND => Failure::failed("not_found", "something that the tuning needs is not there"),
        _ => Failure::failed("tuning_failed", "the tuning failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_error_decides_the_class() {
        let at = Where { project: "films".to_owned(), region: "us-central1".to_owned() };
        for (number, text, class, code) in [
            (3, "The dataset has no valid examples.", Class::Failed, "tuning_failed"),
            (5, "The dataset was not found.", Class::Failed, "not_found"),
            (7, "Permission denied", Class::Failed, "not_allowed"),
            (8, "Quota exceeded for concurrent tuning jobs", Class::Throttled, "quota"),
            (8, "Try later", Class::Capacity, "no_machine"),
            (13, "Internal error", Class::Transient, "service"),
        ] {
            let failure = cause(number, text, &at);
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{text}");
        }
    }

    #[test]
    fn the_state_of_a_job_is_how_it_stands() {
        for (state, expected) in [
            ("QUEUED", Look::Waiting),
            ("PENDING", Look::Waiting),
            ("PAUSED", Look::Waiting),
            ("RUNNING", Look::Running),
            ("CANCELLING", Look::Stopping),
            ("CANCELLED", Look::Stopped),
            ("SUCCEEDED", Look::Done),
            ("PARTIALLY_SUCCEEDED", Look::Done),
            ("FAILED", Look::Failed),
            ("EXPIRED", Look::Failed),
            ("OF_THE_FUTURE", Look::Waiting),
        ] {
            let job = TuningJob::new().set_state(format!("JOB_STATE_{state}").as_str());
            assert_eq!(look(&job), expected, "{state}");
        }
    }
}
