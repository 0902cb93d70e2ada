//! The jobs of one attempt, of which there should be one -> which of them counts, and which are too many.
//!
//! Jobs have no names to choose, and no code of ours runs in them that could claim the attempt. So when the answer to a call that
//! makes one is lost, and the list does not have it yet, another is made, and both would tune and be paid. Whoever looks next sees
//! both, and all that look come to the same: the one that is done counts, else the oldest of those that may come to it.

use super::standing::{Look, look};
use crate::google;
use google_cloud_aiplatform_v1::model::TuningJob;
use pipe_engine::event::Doubles;

/// The job by which an attempt is known.
pub(super) fn chosen(jobs: &[TuningJob]) -> Option<&TuningJob> {
    let rank = |job: &&TuningJob| match look(job) {
        Look::Done => 0,
        Look::Running | Look::Waiting => 1,
        Look::Failed => 2,
        Look::Stopping => 3,
        Look::Stopped => 4,
    };
    jobs.iter().min_by_key(|job| (rank(job), age(job)))
}

/// Those that nobody needs and that would go on.
pub(super) fn superfluous(jobs: &[TuningJob]) -> Vec<&TuningJob> {
    let kept = chosen(jobs).map(|job| job.name.as_str());
    let others = jobs.iter().filter(|job| Some(job.name.as_str()) != kept);
    others.filter(|job| matches!(look(job), Look::Waiting | Look::Running)).collect()
}

/// All but the one that counts. One that waited until it was cancelled has no start.
pub(super) fn doubles(jobs: &[TuningJob]) -> Doubles {
    let counts = chosen(jobs).map(|job| &job.name);
    let others = || jobs.iter().filter(|job| Some(&job.name) != counts);
    Doubles { jobs: others().count() as u64, ran_ms: others().filter_map(ran_ms).sum() }
}

fn ran_ms(job: &TuningJob) -> Option<u64> {
    google::ran_ms(job.start_time.as_ref(), job.end_time.as_ref(), job.update_time.as_ref())
}

fn age(job: &TuningJob) -> (i64, i32, &str) {
    google::age(job.create_time.as_ref(), &job.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_wkt::Timestamp;

    fn jobs(states: &[&str]) -> Vec<TuningJob> {
        let job = |(number, state): (i64, &&str)| {
            let made = Timestamp::clamp(1_700_000_000 + number, 0);
            let state = format!("JOB_STATE_{state}");
            TuningJob::new().set_name(number.to_string()).set_state(state.as_str()).set_create_time(made)
        };
        (0..).zip(states).map(job).collect()
    }

    #[test]
    fn one_job_counts_and_all_others_that_would_go_on_are_too_many() {
        for (states, counts, too_many) in [
            (vec!["PENDING"], "0", vec![]),
            (vec!["RUNNING", "QUEUED", "RUNNING"], "0", vec!["1", "2"]),
            (vec!["RUNNING", "SUCCEEDED"], "1", vec!["0"]),
            (vec!["FAILED", "RUNNING"], "1", vec![]),
            (vec!["CANCELLED", "PENDING"], "1", vec![]),
            (vec!["CANCELLING", "RUNNING", "RUNNING"], "1", vec!["2"]),
            (vec!["CANCELLED", "FAILED"], "1", vec![]),
        ] {
            let jobs = jobs(&states);
            assert_eq!(chosen(&jobs).unwrap().name, counts, "{states:?}");
            let names: Vec<&str> = superfluous(&jobs).into_iter().map(|job| job.name.as_str()).collect();
            assert_eq!(names, too_many, "{states:?}");
        }
    }
}
