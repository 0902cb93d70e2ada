//! `pipe diff`: two runs, or two revisions of a spec -> what differs between them. Starts nothing.

use crate::args::{DiffArgs, SpecArgs};
use crate::diff::{self, PlanDiff, Planned, RunDiff, Shelf};
use crate::exit::{Exit, Refusal};
use crate::nearby;
use crate::printer::Printer;
use crate::runs;
use crate::wiring::{self, Project};
use pipe_engine::report::RunView;
use pipe_engine::state::{StateFolder, read_only};
use pipe_engine::worker::read_attempt;
use pipe_engine::world::World;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

/// The two sides of a comparison.
#[derive(Debug, PartialEq, Eq)]
enum Sides {
    Runs(String, String),
    /// Revisions; without the second, the files as they are.
    Revisions(String, Option<String>),
}

pub(crate) fn run(args: &DiffArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (spec, names) = spec_and_names(&args.what);
    let state = wiring::state_folder(&args.given, spec.as_deref().map_or(Path::new(""), wiring::folder_of));
    let runs = read_only::runs(&state.journal())?;
    let is_run = |name: &str| runs::place(name).is_some() || runs.iter().any(|run| run.0.starts_with(name));
    match sides(&names, args.given.at.as_deref(), is_run)? {
        Sides::Runs(before, now) => of_runs(&before, &now, spec.as_deref(), args, &state, printer),
        Sides::Revisions(before, now) => {
            let spec = spec.ok_or_else(|| {
                let message = "two revisions are compared by what a spec makes of them, and no spec is named";
                Refusal::new(Exit::Wrong, message).help(nearby::specs(Path::new("")))
            })?;
            of_revisions(&before, now.as_deref(), &spec, args, printer)
        }
    }
}

/// The spec among the names, and the others in order.
fn spec_and_names(what: &[String]) -> (Option<PathBuf>, Vec<&str>) {
    let is_spec = |name: &String| {
        let extension = Path::new(name).extension();
        extension.is_some_and(|e| e == "toml" || e == "yaml" || e == "yml")
    };
    let place = what.iter().rposition(is_spec);
    let names = what.iter().enumerate().filter(|(i, _)| Some(*i) != place).map(|(_, name)| name.as_str());
    (place.map(|place| PathBuf::from(&what[place])), names.collect())
}

/// What two names stand for: runs, unless one is no run, and then revisions.
fn sides(names: &[&str], at: Option<&str>, is_run: impl Fn(&str) -> bool) -> Result<Sides, Refusal> {
    let own = |name: &str| name.to_owned();
    match (names, at) {
        ([], None) => Ok(Sides::Runs(own("latest~1"), own("latest"))),
        ([], Some(at)) => Ok(Sides::Revisions(own(at), None)),
        (_, Some(_)) => Err(Refusal::new(Exit::Wrong, "`--at` names a revision, and so do the arguments")
            .help("write both as `A..B`, or only `--at A` to compare with the files as they are")),
        ([one], None) => Ok(match one.split_once("..") {
            Some((before, now)) => {
                let before = if before.is_empty() { "HEAD" } else { before };
                Sides::Revisions(own(before), Some(own(now)).filter(|now| !now.is_empty()))
            }
            None if is_run(one) => Sides::Runs(own(one), own("latest")),
            None => Sides::Revisions(own(one), None),
        }),
        ([before, now], None) if is_run(before) || is_run(now) => Ok(Sides::Runs(own(before), own(now))),
        ([before, now], None) => Ok(Sides::Revisions(own(before), Some(own(now)))),
        (many, None) => Err(Refusal::new(Exit::Wrong, format!("two things are compared, not {}", many.len()))
            .help("name two runs, or two revisions and a spec")),
    }
}

fn of_runs(
    before: &str,
    now: &str,
    spec: Option<&Path>,
    args: &DiffArgs,
    state: &StateFolder,
    printer: &Printer,
) -> Result<Exit, Refusal> {
    // A spec that is wrong by now says nothing about runs of its past, so its problems are not told here.
    let plan = spec.and_then(|spec| wiring::check(&spec_args(spec, args, None)).ok()).and_then(|checked| checked.plan);
    let pipeline = plan.as_ref().map(|plan| plan.name.as_str());
    let journal = state.journal();
    let (before, now) = (runs::named(&journal, pipeline, before)?, runs::named(&journal, pipeline, now)?);
    let store =
        [&now, &before].into_iter().find_map(|view| store_of(view, state)).or(plan.as_ref().map(|p| p.store.clone()));
    let found = RunDiff::of(&before, &now, &Shelf { state: state.clone(), store });
    let text = |printer: &Printer| diff::tell::runs(&found, printer);
    say("runs", json!(found), text, printer)
}

/// Where a run put its results, as its attempts were told.
fn store_of(view: &RunView, state: &StateFolder) -> Option<PathBuf> {
    let attempts = view.tasks.values().flat_map(|task| &task.attempts);
    attempts.filter_map(|attempt| read_attempt(&state.attempt(attempt.id.as_ref()?)).ok()).map(|a| a.store).next()
}

fn of_revisions(
    before: &str,
    now: Option<&str>,
    spec: &Path,
    args: &DiffArgs,
    printer: &Printer,
) -> Result<Exit, Refusal> {
    let world = World::real();
    let planned = |at: Option<&str>| -> Result<Planned, Refusal> {
        let args = spec_args(spec, args, at);
        let checked = wiring::check(&args)?.sound(printer)?;
        let name = checked.at.as_ref().map_or_else(|| "the files as they are".to_owned(), |at| at.name());
        let (project, finder) = Project::of(checked, &args).grown(&world, printer)?;
        let recipe = project.recipe.clone();
        Planned::new(name, &recipe.spec, project, finder)
    };
    let found = PlanDiff::of(&planned(Some(before))?, &planned(now)?);
    let text = |printer: &Printer| diff::tell::plans(&found, printer);
    say("plans", json!(found), text, printer)
}

fn spec_args(spec: &Path, args: &DiffArgs, at: Option<&str>) -> SpecArgs {
    let mut given = args.given.clone();
    given.at = at.map(str::to_owned);
    SpecArgs { spec: spec.to_owned(), given }
}

fn say(kind: &str, mut document: Json, text: impl Fn(&Printer) -> String, printer: &Printer) -> Result<Exit, Refusal> {
    if printer.json {
        document["diff"] = kind.into();
        printer.document(&document)?;
    } else {
        printer.data(&text(printer))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(what: &[&str], at: Option<&str>) -> Sides {
        let what: Vec<String> = what.iter().map(|name| (*name).to_owned()).collect();
        let is_run = |name: &str| runs::place(name).is_some() || name.starts_with("2026");
        sides(&spec_and_names(&what).1, at, is_run).unwrap()
    }

    #[test]
    fn names_are_runs_or_revisions() {
        let runs = |a: &str, b: &str| Sides::Runs(a.to_owned(), b.to_owned());
        let revisions = |a: &str, b: Option<&str>| Sides::Revisions(a.to_owned(), b.map(str::to_owned));
        assert_eq!(read(&["x.toml"], None), runs("latest~1", "latest"));
        assert_eq!(read(&["20261121-1", "x.toml"], None), runs("20261121-1", "latest"));
        assert_eq!(read(&["latest~2", "latest", "x.toml"], None), runs("latest~2", "latest"));
        assert_eq!(read(&["x.yaml", "v1..v2"], None), revisions("v1", Some("v2")));
        assert_eq!(read(&["v1", "v2", "x.toml"], None), revisions("v1", Some("v2")));
        assert_eq!(read(&["v1..", "x.toml"], None), revisions("v1", None));
        assert_eq!(read(&["..v2", "x.toml"], None), revisions("HEAD", Some("v2")));
        assert_eq!(read(&["main", "x.toml"], None), revisions("main", None));
        assert_eq!(read(&["x.toml"], Some("v1")), revisions("v1", None));
    }

    #[test]
    fn three_names_or_revisions_said_twice_are_refused() {
        assert!(sides(&["a", "b", "c"], None, |_| false).is_err());
        assert!(sides(&["a"], Some("v1"), |_| false).is_err());
    }
}
