//! `pipe report`: a run of the journal -> a page about it, or the same as data. Looks only; a run that goes on is not
//! disturbed, and a spec that is wrong by now does no harm.

use super::beside;
use super::status::never_run;
use crate::args::{Given, ReportArgs, SpecArgs};
use crate::exit::{Exit, Refusal};
use crate::paths;
use crate::printer::{Printer, Style};
use crate::report::{self, Told};
use crate::runs;
use crate::whole::Whole;
use crate::wiring::{self, Project};
use crate::words;
use pipe_engine::ids::RunId;
use pipe_engine::report::RunView;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &ReportArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let given = Given { state: args.state.clone(), ..Given::default() };
    let state = wiring::state_folder(&given, wiring::folder_of(&args.spec));
    let place = beside(&args.spec, args.state.as_ref());
    let view = match args.run.as_deref() {
        Some(name) if runs::place(name).is_none() => runs::named(&state.journal(), None, name)?,
        None if runs::outlines(&state.journal(), None)?.next().is_none() => return Err(never_run(&place)),
        name => runs::named_of_spec(&state.journal(), &args.spec, name.unwrap_or("latest"))?,
    };
    let Some(run) = &view.run else {
        return Err(Refusal::new(Exit::Unavailable, "the journal does not tell how the run began"));
    };
    let out = match (&args.out, printer.json) {
        (Some(out), _) => Some(out.clone()),
        (None, false) => Some(PathBuf::from(format!("report-{run}.html"))),
        (None, true) => None,
    };
    let out = out.map(|out| Whole::at(&out, "report")).transpose()?;
    let project = planned(args, given, &view);
    // What a plan of other texts says of this run may be wrong.
    let plan = project.as_ref().map(|project| &*project.plan).filter(|plan| plan.spec_digest == view.spec_digest);
    let store = project.as_ref().map(Project::store_here);
    let told = report::of((run, &state), (plan, store), place)?;
    if printer.json {
        printer.document(&told.account)?;
    }
    if let Some(out) = out {
        keep(&told, &out, printer)?;
    }
    Ok(Exit::Done)
}

/// The spec as it is now, with what the run was given; nothing where it is not sound any more.
fn planned(args: &ReportArgs, given: Given, view: &RunView) -> Option<Project> {
    let asked = view.asked.clone().unwrap_or_default();
    let params = if view.asked.is_some() { &asked.params } else { &view.params };
    let given = Given {
        params: params.iter().map(|(name, value)| (name.clone(), runs::typed(value))).collect(),
        profile: asked.profile,
        at: view.revision.as_ref().filter(|revision| revision.at.is_some()).map(|revision| revision.commit.clone()),
        offline: true,
        as_before: true,
        ..given
    };
    let args = SpecArgs { spec: args.spec.clone(), given };
    let checked = wiring::check(&args).ok()?;
    checked.plan.is_some().then(|| Project::of(checked, &args))
}

/// Writes the page of a run that has just ended. The run is over: its report alone may be missing.
pub(crate) fn after(run: &RunId, project: &Around<'_>, out: &Whole, printer: &Printer) {
    let told = report::of((run, project.state), (project.plan, project.store.clone()), project.place.clone());
    let written = told.and_then(|told| keep(&told, out, printer));
    if written.is_err() {
        let title = printer.paint_err(Style::Warning, "warning:");
        let again = format!("`pipe report {} {run}` writes it", project.place);
        printer.line(&format!("{title} the report was not written to {}: {again}", out.path().display()));
    }
}

/// What a run that has just ended leaves for its report.
pub(crate) struct Around<'a> {
    pub(crate) state: &'a pipe_engine::state::StateFolder,
    pub(crate) plan: Option<&'a pipe_engine::plan::Plan>,
    pub(crate) store: Option<PathBuf>,
    pub(crate) place: String,
}

/// Writes the page and says where it is.
fn keep(told: &Told, out: &Whole, printer: &Printer) -> Result<(), Refusal> {
    let page = told.page();
    out.write(|file| file.write_all(page.html.as_bytes())).map_err(|error| cannot(out.path(), &error))?;
    let mut holds = vec![words::bytes(page.html.len() as u64)];
    holds.extend((page.pictures > 0).then(|| words::count(page.pictures as u64, "picture")));
    holds.extend((page.left_out > 0).then(|| format!("{} left out", words::count(page.left_out as u64, "picture"))));
    let path = std::path::absolute(out.path()).unwrap_or_else(|_| out.path().to_owned());
    printer.line(&format!("report: {} ({})", paths::from_here(&path), holds.join(", ")));
    Ok(())
}

fn cannot(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(Exit::Unavailable, format!("the report cannot be written to {}: {error}", path.display()))
        .help("check that its folder is there and that the disk has room")
}
