//! The journal of a state folder -> what a plan asks of earlier runs. Read when it is asked for the first time, and then never
//! again: a run that plans again, once it knows more rows, chooses by what it began with.

use pipe_engine::plan::{Experience, Lately, Wording};
use pipe_engine::state::{History, StateFolder};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// What earlier runs of a pipeline tell.
pub(crate) struct Earlier {
    journal: PathBuf,
    pipeline: String,
    read: OnceLock<History>,
}

impl Earlier {
    pub(crate) fn of(state: &StateFolder, pipeline: &str) -> Self {
        Self { journal: state.journal(), pipeline: pipeline.to_owned(), read: OnceLock::new() }
    }

    /// A journal that cannot be read tells nothing.
    fn history(&self) -> &History {
        self.read.get_or_init(|| {
            let read = History::read(&self.journal, &self.pipeline);
            read.inspect_err(|error| tracing::debug!(%error, "earlier runs cannot be read")).unwrap_or_default()
        })
    }
}

impl Experience for Earlier {
    fn lately(&self, task: &str) -> Option<Lately> {
        Experience::lately(self.history(), task)
    }

    fn startup(&self, place: &str) -> Option<Duration> {
        self.history().startup(place)
    }

    fn bytes(&self, task: &str) -> Option<u64> {
        self.history().bytes(task)
    }

    fn begun(&self, wording: &Wording<'_>, stage: &str) -> Option<String> {
        self.history().begun(wording, stage)
    }
}
