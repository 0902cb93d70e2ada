//! `pipe cache`: what a store keeps, and what may go.

mod adopt;
mod bucket;
mod du;
mod gc;
mod ls;
mod pin;
mod verify;

use crate::args::{CacheArgs, CacheVerb, Keeping, SpecArgs};
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::wiring::Project;
use pipe_engine::gc::{Roots, Rules, pins, runs};
use pipe_engine::state::{Hints, StateFolder};
use pipe_engine::store::Folder;
use pipe_engine::units::Millis;
use pipe_engine::world::{Timestamp, World};
use std::time::Duration;

/// In milliseconds.
const DAY: u64 = 86_400_000;

pub(crate) fn run(args: &CacheArgs, printer: &Printer) -> Result<Exit, Refusal> {
    match &args.what {
        CacheVerb::Ls(args) => ls::run(args, printer),
        CacheVerb::Du(args) => du::run(args, printer),
        CacheVerb::Gc(args) => gc::run(args, printer),
        CacheVerb::Pin(args) => pin::run(args, printer),
        CacheVerb::Unpin(args) => pin::unpin(args, printer),
        CacheVerb::Verify(args) => verify::run(args, printer),
        CacheVerb::Adopt(args) => adopt::run(args, printer),
    }
}

/// The project of a spec whose store is a folder.
fn project(args: &SpecArgs, printer: &Printer) -> Result<Project, Refusal> {
    let project = Project::load(args, printer)?;
    match &project.plan.bucket {
        None => Ok(project),
        Some(bucket) => Err(Refusal::new(Exit::Unavailable, format!("the store is {bucket}, and not a folder"))
            .help("of a bucket `pipe cache gc` alone looks after what attempts have left there; it has rules of its own for what is old")),
    }
}

/// The store, to look at. One that is not there yet is empty.
fn store(project: &Project) -> Folder {
    Folder::for_looking(project.plan.store.canonicalize().unwrap_or_else(|_| project.plan.store.clone()))
}

/// What `gc` is to go by: what was typed, else what the spec says.
fn rules(typed: &Keeping, project: &Project, world: &World) -> Rules {
    let spec = project.recipe.spec.keep;
    Rules {
        keep: typed.keep.or(spec.results).unwrap_or(3) as usize,
        older_than: typed.older_than.or(spec.younger_than).unwrap_or(Millis(DAY)).into(),
        min_age: typed.min_age.into(),
        removed_for: typed.keep_removed.or(spec.removed).unwrap_or(Millis(90 * DAY)).into(),
        now: world.now(),
    }
}

/// Of how many runs of each pipeline `gc` keeps events and logs.
fn runs_kept(typed: &Keeping, project: &Project) -> usize {
    typed.keep_runs.or(project.recipe.spec.keep.runs).unwrap_or(100) as usize
}

/// How long the checkpoints of work that is not done are kept.
fn checkpoints_kept(typed: &Keeping, project: &Project) -> Duration {
    typed.keep_checkpoints.or(project.recipe.spec.keep.checkpoints).unwrap_or(Millis(7 * DAY)).into()
}

/// What is kept whatever else is said.
fn roots(store: &Folder, state: &StateFolder) -> Result<Roots, Refusal> {
    Ok(Roots {
        pinned: pins::all(store)?.into_values().map(|pin| pin.fingerprint).collect(),
        newest: Hints::load(&state.hints()).all_newest().collect(),
        open: runs::in_use(state)?,
    })
}

/// `2026-11-22 02:00`: nobody counts the seconds of an old result.
fn minute(time: Timestamp) -> String {
    let told = time.to_local();
    told.get(..16).unwrap_or(&told).to_owned()
}
