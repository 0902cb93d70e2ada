//! A run and whoever holds its state folder -> whether it goes on, or how it ended.

use crate::exit::Exit;
use crate::printer::Style;
use crate::words;
use pipe_engine::account::State;
use pipe_engine::event::RunLimit;
use pipe_engine::report::RunView;
use pipe_engine::state::Holder;

/// Whether a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running(Holder),
    Died,
    Stopped(RunLimit),
    Interrupted,
    Failed,
    Done,
}

impl Life {
    /// How a run stands. Who holds the folder must have been looked up before the run's events were read: a run that ends
    /// between the two has then said so.
    pub(crate) fn of(view: &RunView, holder: Option<Holder>) -> Self {
        match (view.finished, holder) {
            (Some(_), _) if view.limit.is_some() => view.limit.map_or(Self::Interrupted, Self::Stopped),
            // Whoever holds the folder may be another.
            (None, Some(holder)) if holder.runs(view.run.as_ref(), view.started) => Self::Running(holder),
            (None, _) => Self::Died,
            (Some(_), _) if view.interrupted => Self::Interrupted,
            (Some(counts), _) if counts.failed > 0 => Self::Failed,
            _ => Self::Done,
        }
    }

    /// For accounts.
    pub(crate) fn state(&self) -> State {
        match self {
            Self::Running(_) => State::Running,
            Self::Died => State::Died,
            Self::Stopped(_) => State::Stopped,
            Self::Interrupted => State::Interrupted,
            Self::Failed => State::Failed,
            Self::Done => State::Done,
        }
    }

    /// For programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Died => "died",
            Self::Stopped(_) => "stopped",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Running(holder) => format!("running ({holder})"),
            Self::Died => "cut short: its engine died".to_owned(),
            Self::Stopped(limit) => words::stopped_by(*limit).to_owned(),
            other => other.word().to_owned(),
        }
    }

    pub(crate) fn style(&self) -> Style {
        match self {
            Self::Running(_) | Self::Done => Style::Good,
            Self::Interrupted | Self::Stopped(_) => Style::Warning,
            Self::Died | Self::Failed => Style::Error,
        }
    }

    /// How `pipe run` itself ended or would have. An engine that died could not say; its work was interrupted.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Running(_) | Self::Done => Exit::Done,
            Self::Failed => Exit::TaskFailed,
            Self::Stopped(_) => Exit::Limit,
            Self::Interrupted | Self::Died => Exit::Interrupted,
        }
    }
}
