//! Each bug that can be planted in the core, and how soon the simulation finds it.

use super::play;
use pipe_engine::planted::{Fault, plant};

/// A bug that takes longer to find than this would be missed.
const SEEDS: u64 = 2000;

/// A fact for each bug, its name, and words of what is found not to hold.
macro_rules! found {
    ($($fact:ident, $fault:ident, $words:literal;)*) => {
        $(#[test]
        fn $fact() {
            find(Fault::$fault, $words);
        })*

        /// The bug of this name.
        pub(super) fn named(name: &str) -> Option<Fault> {
            [$(Fault::$fault),*].into_iter().find(|fault| format!("{fault:?}") == name)
        }
    };
}

fn find(fault: Fault, words: &str) {
    plant(Some(fault));
    let found = (0..SEEDS).any(|seed| play(seed).is_err_and(|broken| broken.what.contains(words)));
    plant(None);
    assert!(found, "none of {SEEDS} seeds finds that {words}");
}

found! {
    a_reply_that_is_taken_twice_is_found, ReplyTakenTwice, "heard twice, believed twice";
    a_reply_of_an_older_try_that_is_believed_is_found, StaleReplyBelieved, "heard twice, believed twice";
    a_preemption_that_uses_up_failures_is_found, PreemptionCountedAsFailure, "gave up after 0 retries for Preempted";
    a_timeout_that_uses_up_failures_is_found, TimeoutCountedAsFailure, "more often than is allowed after Timeout";
    a_retry_too_many_is_found, OneRetryTooMany, "more often than is allowed";
    rests_that_do_not_double_are_found, RestNotDoubled, "a rest of";
    a_lost_wake_up_after_a_rest_is_found, WakeUpAfterRestLost, "a task rests for longer";
    a_lost_wake_up_at_a_deadline_is_found, WakeUpAtDeadlineLost, "stuck";
    room_that_a_failure_keeps_is_found, RoomKeptByFailure, "could start and does not";
    a_slot_that_a_retry_keeps_is_found, SlotKeptByRetry, "could start and does not";
    memory_that_is_not_doubled_is_found, MemoryNotDoubled, "memory of try 2";
    an_end_before_the_result_is_in_place_is_found, EndedBeforePublished, "ended well without a result";
    a_start_after_a_cancel_is_found, StartedAfterCancel, "started after the cancel";
    a_late_start_that_nobody_stops_is_found, LateStartNotStopped, "goes on after the cancel";
    a_rest_that_outlives_a_fast_failure_is_found, RestOutlivesFailFast, "after a failure that ended the run";
    hits_that_nobody_journals_are_found, HitsNotJournaled, "the journal tells how each task ended";
    rows_that_are_asked_for_early_are_found, RowsAskedForEarly, "before their stage has ended";
    a_job_before_its_intent_is_found, IntentAfterSubmit, "a job is made of which the journal does not know";
    a_stop_that_nobody_journals_is_found, StopNotJournaled, "a job is stopped of which the journal does not say so";
    a_job_made_after_a_cancel_is_found, SubmittedAfterCancel, "handed over after the cancel";
    memory_elsewhere_that_is_of_here_is_found, MemoryOfThisMachine, "memory of try 1";
    a_lost_wake_up_at_the_end_of_a_run_is_found, WakeUpAtTheEndLost, "the run goes on after its deadline";
    a_start_without_room_for_the_journal_is_found, PauseIgnored, "while there is no room for the journal";
    a_task_that_waits_for_one_input_alone_is_found, FirstInputIsEnough, "began before what it needs";
    an_attempt_that_is_begun_without_the_money_for_it_is_found, MoneyNotCounted, "may cost more than is left";
    an_open_job_whose_money_is_spent_twice_is_found, OpenJobForgotten, "may cost more than is left";
    a_machine_that_is_taken_away_for_ever_is_found, SpotForEver, "were taken away";
    a_region_that_is_asked_for_ever_is_found, RegionKept, "the region of task";
}
