//! How far a job of Vertex AI is: its state, when it came to what, and the error that it ended with.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

/// A state that a job is in. Source: the definition of `JobState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Pending,
    Running,
    Cancelling,
    Succeeded,
    Failed,
    Cancelled,
}

/// Why a job ended without success: a number of google.rpc.Code, and a sentence.
pub(super) struct Failure {
    pub(super) code: i32,
    pub(super) message: String,
}

/// google.rpc.Code of what was cancelled. Source: the definition of `customJobs.cancel`.
const CANCELLED: i32 = 1;

/// How far a job is.
pub(super) struct Progress {
    state: State,
    created: Timestamp,
    updated: Timestamp,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    failure: Option<Failure>,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "JOB_STATE_QUEUED",
            Self::Pending => "JOB_STATE_PENDING",
            Self::Running => "JOB_STATE_RUNNING",
            Self::Cancelling => "JOB_STATE_CANCELLING",
            Self::Succeeded => "JOB_STATE_SUCCEEDED",
            Self::Failed => "JOB_STATE_FAILED",
            Self::Cancelled => "JOB_STATE_CANCELLED",
        }
    }

    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl Failure {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn cancelled() -> Self {
        Self::new(CANCELLED, "CANCELED")
    }
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Timestamp::now();
        Self { state: State::Queued, created: now, updated: now, started: None, ended: None, failure: None }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Goes on to a state. Whatever is being cancelled goes to no other but an end, and from an end nothing goes on.
    pub(super) fn go_to(&mut self, state: State) {
        if self.state.is_end() || (self.state == State::Cancelling && !state.is_end()) {
            return;
        }
        let now = Timestamp::now();
        (self.state, self.updated) = (state, now);
        if state == State::Running {
            self.started.get_or_insert(now);
        }
        if state.is_end() {
            self.ended = Some(now);
        }
    }

    pub(super) fn end(&mut self, end: Result<(), Failure>) {
        match end {
            Ok(()) => self.go_to(State::Succeeded),
            Err(failure) => {
                self.go_to(if failure.code == CANCELLED { State::Cancelled } else { State::Failed });
                self.failure = Some(failure);
            }
        }
    }

    /// Adds what it is to what a client is told of the job.
    pub(super) fn tell(&self, resource: &mut Json) {
        resource["state"] = self.state.name().into();
        resource["createTime"] = self.created.to_string().into();
        resource["updateTime"] = self.updated.to_string().into();
        for (field, time) in [("startTime", self.started), ("endTime", self.ended)] {
            if let Some(time) = time {
                resource[field] = time.to_string().into();
            }
        }
        if let Some(failure) = &self.failure {
            resource["error"] = json!({ "code": failure.code, "message": failure.message });
        }
    }
}
