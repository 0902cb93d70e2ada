//! The name of a run as people type it -> the run: `latest`, `latest~1` for the one before, or how its name begins.

use crate::exit::{Exit, Refusal};
use pipe_engine::ids::RunId;
use pipe_engine::report::RunView;
use pipe_engine::state::{JournalError, read_only};
use std::path::Path;

/// A run as its journal tells it.
pub(crate) fn view(journal: &Path, run: &RunId) -> Result<RunView, JournalError> {
    Ok(RunView::of(&read_only::read(journal, run, 0)?))
}

/// The runs of a pipeline, newest first, each read when it is asked for. Specs that lie in one folder share a journal.
pub(crate) fn of<'a>(
    journal: &'a Path,
    pipeline: Option<&'a str>,
) -> Result<impl Iterator<Item = Result<RunView, JournalError>> + 'a, JournalError> {
    let views = read_only::runs(journal)?.into_iter().map(|run| view(journal, &run));
    Ok(views.filter(move |view| {
        view.as_ref().is_ok_and(|view| pipeline.is_none_or(|name| view.pipeline == name)) || view.is_err()
    }))
}

/// How many runs before the newest: 0 for `latest`, 2 for `latest~2`. `None` for other names.
pub(crate) fn place(typed: &str) -> Option<usize> {
    match typed.strip_prefix("latest")? {
        "" => Some(0),
        "~" => Some(1),
        more => more.strip_prefix('~')?.parse().ok(),
    }
}

/// The run that a person means.
///
/// # Errors
/// When there is none, or several begin so.
pub(crate) fn named(journal: &Path, pipeline: Option<&str>, typed: &str) -> Result<RunView, Refusal> {
    if let Some(place) = place(typed) {
        return match of(journal, pipeline)?.nth(place) {
            Some(view) => Ok(view?),
            None => {
                let there = of(journal, pipeline)?.count();
                let runs = crate::words::count(there as u64, "run");
                Err(Refusal::new(Exit::Wrong, format!("there is no run `{typed}`")).help(format!("there are {runs}")))
            }
        };
    }
    Ok(view(journal, &one(&read_only::runs(journal)?, typed)?)?)
}

/// The run whose name begins so.
fn one(runs: &[RunId], wanted: &str) -> Result<RunId, Refusal> {
    let found: Vec<&RunId> = runs.iter().filter(|run| run.0.starts_with(wanted)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let help = if runs.is_empty() { "there are none yet".to_owned() } else { some(runs) };
            Err(Refusal::new(Exit::Wrong, format!("no run is named `{wanted}`")).help(help))
        }
        many => {
            let message = format!("{} runs begin with `{wanted}`", many.len());
            Err(Refusal::new(Exit::Wrong, message).help(some(many.iter().copied())))
        }
    }
}

/// The first few of the runs, which are the newest.
fn some<'a>(runs: impl IntoIterator<Item = &'a RunId>) -> String {
    let names: Vec<String> = runs.into_iter().take(5).map(|run| format!("`{run}`")).collect();
    format!("the newest are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_back_from_the_latest() {
        assert_eq!(["latest", "latest~", "latest~3"].map(place), [Some(0), Some(1), Some(3)]);
        assert_eq!(["late", "latest3", "latest~x", "20261121"].map(place), [None; 4]);
    }
}
