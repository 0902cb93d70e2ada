//! The jobs of one attempt, of which there should be one -> how the attempt stands, and which of them are too many.
//!
//! Jobs have no names to choose. So when the answer to a call that makes one is lost, and the list does not have it yet, another is
//! made. Whichever of them begins first claims the attempt, and any other leaves as soon as it sees that.

use super::standing::{Look, look, why};
use crate::google::{self, Where};
use google_cloud_aiplatform_v1::model::CustomJob;
use pipe_engine::backend::Standing;
use pipe_engine::event::Doubles;

/// How an attempt stands. `None` where its jobs have left it to another, which is not among them.
pub(super) fn standing(jobs: &[&CustomJob], at: &Where) -> Option<Standing> {
    let first = |wanted: Look| jobs.iter().find(|job| look(job) == wanted);
    // Whoever ended well had the attempt, so one that runs beside it is about to leave.
    if first(Look::Done).is_some() {
        return Some(Standing::Over(None));
    }
    // One that runs has the attempt, or is about to leave it; either way there is more to come.
    if first(Look::Running).is_some() {
        return Some(Standing::Running);
    }
    if let Some(job) = first(Look::Failed) {
        return Some(Standing::Over(why(job, at)));
    }
    if first(Look::Waiting).is_some() {
        return Some(Standing::Waiting);
    }
    if first(Look::Stopping).is_some() {
        return Some(Standing::Running);
    }
    first(Look::Stopped).map(|job| Standing::Over(why(job, at)))
}

/// The job by which an attempt is known from now on: the one that has it, as far as can be seen.
pub(super) fn chosen<'a>(jobs: &[&'a CustomJob]) -> Option<&'a CustomJob> {
    let rank = |job: &&&CustomJob| match look(job) {
        Look::Running => 0,
        Look::Done => 1,
        Look::Failed => 2,
        Look::Waiting => 3,
        Look::Stopping => 4,
        Look::Stopped => 5,
        Look::Left => 6,
    };
    jobs.iter().min_by_key(|job| (rank(job), age(job))).copied()
}

/// Those that nobody needs and that have not begun: all that wait beside one that runs or had its end, and all but the oldest where
/// none has. One that runs leaves by itself if it is the wrong one; to stop it could hit the right one.
pub(super) fn superfluous<'a>(jobs: &[&'a CustomJob]) -> Vec<&'a CustomJob> {
    let has_begun = jobs.iter().any(|job| matches!(look(job), Look::Running | Look::Done | Look::Failed));
    let mut waiting: Vec<&CustomJob> = jobs.iter().filter(|job| look(job) == Look::Waiting).copied().collect();
    waiting.sort_by_key(|job| age(job));
    waiting.split_off(usize::from(!has_begun).min(waiting.len()))
}

/// All but the one that had the attempt. One that waited for a machine until it was stopped has no start, and cost nothing.
pub(super) fn doubles(jobs: &[CustomJob]) -> Doubles {
    let had = chosen(&jobs.iter().collect::<Vec<_>>()).map(|job| &job.name);
    let others: Vec<&CustomJob> = jobs.iter().filter(|job| Some(&job.name) != had).collect();
    let ran_ms = others.iter().filter_map(|job| ran_ms(job)).sum();
    Doubles { jobs: others.len() as u64, ran_ms }
}

fn ran_ms(job: &CustomJob) -> Option<u64> {
    google::ran_ms(job.start_time.as_ref(), job.end_time.as_ref(), job.update_time.as_ref())
}

fn age(job: &CustomJob) -> (i64, i32, &str) {
    google::age(job.create_time.as_ref(), &job.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_wkt::Timestamp;

    fn job(number: i64, state: &str) -> CustomJob {
        let made = Timestamp::clamp(1_700_000_000 + number, 0);
        CustomJob::new()
            .set_name(number.to_string())
            .set_state(format!("JOB_STATE_{state}").as_str())
            .set_create_time(made)
    }

    fn of<T>(states: &[&str], look: impl FnOnce(&[&CustomJob]) -> T) -> T {
        let jobs: Vec<CustomJob> = (0..).zip(states).map(|(number, state)| job(number, state)).collect();
        look(&jobs.iter().collect::<Vec<_>>())
    }

    #[test]
    fn an_attempt_stands_as_the_job_that_has_it() {
        let at = Where { project: "films".to_owned(), region: "us-central1".to_owned() };
        for (states, expected) in [
            (vec!["PENDING"], "Waiting"),
            (vec!["PENDING", "RUNNING"], "Running"),
            (vec!["SUCCEEDED", "PENDING"], "Over"),
            (vec!["FAILED", "PENDING"], "Over"),
            (vec!["FAILED", "RUNNING"], "Running"),
            (vec!["SUCCEEDED", "RUNNING"], "Over"),
            (vec!["CANCELLED", "PENDING"], "Waiting"),
            (vec!["CANCELLED", "SUCCEEDED"], "Over"),
            (vec!["CANCELLING"], "Running"),
            (vec!["CANCELLING", "PENDING"], "Waiting"),
            (vec!["CANCELLED"], "Over"),
        ] {
            let standing = of(&states, |jobs| format!("{:?}", standing(jobs, &at).unwrap()));
            assert!(standing.starts_with(expected), "{states:?}: {standing}");
        }
        assert_eq!(standing(&[], &at), None);
    }

    #[test]
    fn of_jobs_that_wait_only_the_oldest_stays_and_none_beside_one_that_has_begun() {
        for (states, expected) in [
            (vec!["PENDING"], vec![]),
            (vec!["QUEUED", "PENDING", "QUEUED"], vec!["1", "2"]),
            (vec!["PENDING", "RUNNING"], vec!["0"]),
            (vec!["RUNNING", "RUNNING"], vec![]),
            (vec!["SUCCEEDED", "PENDING"], vec!["1"]),
            (vec!["CANCELLED", "PENDING"], vec![]),
        ] {
            let names = of(&states, |jobs| superfluous(jobs).iter().map(|job| job.name.clone()).collect::<Vec<_>>());
            assert_eq!(names, expected, "{states:?}");
        }
    }

    #[test]
    fn a_job_beside_the_one_that_has_the_attempt_counts_with_the_time_of_its_machine() {
        let at = |seconds: i64| Timestamp::clamp(1_700_000_000 + seconds, 0);
        let jobs = [
            job(0, "FAILED").set_start_time(at(10)).set_end_time(at(13)),
            job(1, "SUCCEEDED").set_start_time(at(5)).set_end_time(at(95)),
            job(2, "CANCELLED").set_end_time(at(20)),
        ];
        assert_eq!(doubles(&jobs), Doubles { jobs: 2, ran_ms: 3_000 });
        assert_eq!(doubles(&jobs[1..2]), Doubles::default());
    }

    #[test]
    fn an_attempt_is_known_by_the_job_that_has_it() {
        for (states, expected) in [
            (vec!["PENDING", "PENDING"], "0"),
            (vec!["PENDING", "RUNNING"], "1"),
            (vec!["CANCELLED", "FAILED"], "1"),
            (vec!["FAILED", "SUCCEEDED"], "1"),
        ] {
            assert_eq!(of(&states, |jobs| chosen(jobs).unwrap().name.clone()), expected, "{states:?}");
        }
    }
}
