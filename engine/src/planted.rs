//! Small bugs of our own making, at the places where they would hurt: the simulation must find each of them. Without the
//! feature `planted-faults` none is compiled in, and a release of `pipe` with it does not compile.

/// A bug that a test can put into the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What is told about an attempt that has ended counts again.
    ReplyTakenTwice,
    /// What is told about an older try counts for the newest.
    StaleReplyBelieved,
    /// A machine that was taken away uses up what is allowed for failures of the work.
    PreemptionCountedAsFailure,
    /// What ran out of time counts as a failure of the work.
    TimeoutCountedAsFailure,
    /// A budget of one allows two.
    OneRetryTooMany,
    /// Each rest is as long as the first.
    RestNotDoubled,
    /// Nobody is asked for a wake-up when a rest is over.
    WakeUpAfterRestLost,
    /// Nobody is asked for a wake-up at an attempt's deadline.
    WakeUpAtDeadlineLost,
    /// An attempt that fails does not give its room back.
    RoomKeptByFailure,
    /// A task that was tried again does not give its places in the pools back.
    SlotKeptByRetry,
    /// What ran out of memory gets as much again.
    MemoryNotDoubled,
    /// A task has ended well before its result is in the store.
    EndedBeforePublished,
    /// What had its turn when the run was asked to stop is started all the same.
    StartedAfterCancel,
    /// A start that is confirmed after the run was asked to stop goes on.
    LateStartNotStopped,
    /// What rests when a run fails fast is tried again.
    RestOutlivesFailFast,
    /// Hits are told to nobody.
    HitsNotJournaled,
    /// Rows are asked for before their stage has ended.
    RowsAskedForEarly,
    /// A job may be made before the journal has it that one was meant.
    IntentAfterSubmit,
    /// A job is stopped and the journal does not say that this was meant.
    StopNotJournaled,
    /// What has a name when the run is asked to stop is handed over all the same.
    SubmittedAfterCancel,
    /// Nobody is asked for a wake-up when the time of the run is over.
    WakeUpAtTheEndLost,
    /// What has its turn is started though there is no room for the journal.
    PauseIgnored,
    /// What runs elsewhere gets the memory that this machine has for it.
    MemoryOfThisMachine,
    /// What runs after failures too begins before all of its inputs have ended.
    FirstInputIsEnough,
    /// What an attempt may cost is begun whether or not there is money for it.
    MoneyNotCounted,
    /// What was put aside for an attempt is free again though its job may go on.
    OpenJobForgotten,
    /// A task whose machines were taken away often enough gets one that can be taken away all the same.
    SpotForEver,
    /// Where there was no machine to be had, one is asked for again.
    RegionKept,
}

#[cfg(not(feature = "planted-faults"))]
mod soil {
    /// Whether the core has this bug.
    #[inline(always)]
    pub(crate) const fn planted(_: super::Fault) -> bool {
        false
    }
}

#[cfg(feature = "planted-faults")]
mod soil {
    use super::Fault;
    use std::cell::Cell;

    // One for each thread, so that tests that run side by side have one each.
    thread_local!(static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) });

    /// From now on, and in this thread, the core has this bug or none.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }

    /// Whether the core has this bug.
    pub(crate) fn planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }
}

#[cfg(feature = "planted-faults")]
pub use soil::plant;
pub(crate) use soil::planted;

/// Whether there can be any.
pub const CAN_BE: bool = cfg!(feature = "planted-faults");
