//! The name of a run as people type it -> the run: `latest`, `latest~1` for the one before, or how its name begins.
//! Also: what its tasks come to, and its parameters as they would be typed.

use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::summary;
use crate::words;
use pipe_engine::event::Counts;
use pipe_engine::ids::RunId;
use pipe_engine::report::{RunView, Standing};
use pipe_engine::state::{JournalError, read_only};
use serde_json::Value as Json;
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

/// As [`of`], and of runs that came to their end without their tasks.
pub(crate) fn outlines<'a>(
    journal: &'a Path,
    pipeline: Option<&'a str>,
) -> Result<impl Iterator<Item = Result<RunView, JournalError>> + 'a, JournalError> {
    let outline = move |run: RunId| {
        let outline = RunView::of(&read_only::outline(journal, &run)?);
        let is_ours = pipeline.is_none_or(|name| outline.pipeline == name);
        if outline.finished.is_none() && is_ours { view(journal, &run) } else { Ok(outline) }
    };
    let views = read_only::runs(journal)?.into_iter().map(outline);
    Ok(views.filter(move |view| {
        view.as_ref().is_ok_and(|view| pipeline.is_none_or(|name| view.pipeline == name)) || view.is_err()
    }))
}

/// How the tasks of a run ended; of one that has not come to its end, those that have.
pub(crate) fn counts(view: &RunView) -> Counts {
    view.finished.unwrap_or_else(|| {
        let count = |standing| view.tasks.values().filter(|task| task.standing == standing).count() as u64;
        Counts {
            succeeded: count(Standing::Succeeded),
            cached: count(Standing::Cached),
            failed: count(Standing::Failed),
            skipped: count(Standing::Skipped),
            cancelled: count(Standing::Cancelled),
        }
    })
}

/// `3 ran, 72 up to date, 1 failed`, and of a run that has not come to its end `1 running, 4 not begun`.
pub(crate) fn tally(view: &RunView, life: &Life) -> String {
    let counts = counts(view);
    let Counts { succeeded, cached, failed, skipped, cancelled } = counts;
    if view.finished.is_some() {
        return summary::told(&counts);
    }
    let count = |standing| view.tasks.values().filter(|task| task.standing == standing).count() as u64;
    let running = count(Standing::Running);
    let submitted = count(Standing::Submitted);
    let resting = count(Standing::Resting);
    let open = running + submitted + resting;
    let begun = succeeded + cached + failed + skipped + cancelled + open;
    let standings = [
        (running, if matches!(life, Life::Running(_)) { "running" } else { "cut short" }),
        (submitted, "waiting for a machine"),
        (resting, "waiting to retry"),
        (view.planned.saturating_sub(begun), "not begun"),
    ];
    let ended = Some(summary::told(&counts)).filter(|_| begun > open);
    let open = standings.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
    ended.into_iter().chain(open).collect::<Vec<_>>().join(", ")
}

/// A parameter's value as it is typed behind `-P name=`.
pub(crate) fn typed(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `20261121-2354-71d2 of 2026-11-21 23:54:14`.
pub(crate) fn name(view: &RunView) -> String {
    let run = view.run.as_ref().map_or("?", |run| run.0.as_str());
    format!("{run} of {}", view.started.to_local())
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
                let runs = words::count(there as u64, "run");
                Err(Refusal::new(Exit::Wrong, format!("there is no run `{typed}`")).help(format!("there are {runs}")))
            }
        };
    }
    Ok(view(journal, &one(&read_only::runs(journal)?, typed)?)?)
}

/// As [`named`], of the runs of the spec at a path. The spec need not be sound any more, nor of the name it had.
pub(crate) fn named_of_spec(journal: &Path, spec: &Path, typed: &str) -> Result<RunView, Refusal> {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let spec_of = |view: &RunView| view.asked.as_ref().map_or(view.spec.clone(), |asked| asked.path.clone());
    let mut place = place(typed).unwrap_or(0);
    let mut there = 0;
    for view in outlines(journal, None)? {
        let view = view?;
        // Older versions wrote the path as it was typed, from wherever that was.
        let is_its = whole(Path::new(&spec_of(&view))) == whole(spec)
            || view.asked.is_none() && Path::new(&view.spec).file_name() == spec.file_name();
        there += u64::from(is_its);
        match (is_its, place) {
            (false, _) => {}
            (true, 0) => return Ok(view.run.map_or(Ok(RunView::default()), |run| self::view(journal, &run))?),
            (true, _) => place -= 1,
        }
    }
    let message = format!("there is no run `{typed}` of {}", spec.display());
    Err(Refusal::new(Exit::Wrong, message).help(format!("there are {}", words::count(there, "run"))))
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
