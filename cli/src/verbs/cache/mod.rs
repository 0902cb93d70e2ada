//! `pipe cache`: what a store keeps, and what may go.

mod adopt;
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
use pipe_engine::world::{Timestamp, World};

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
            .help("this version looks after folders only; a bucket has rules of its own for what is old")),
    }
}

/// The store, to look at. One that is not there yet is empty.
fn store(project: &Project) -> Folder {
    Folder::for_looking(project.plan.store.canonicalize().unwrap_or_else(|_| project.plan.store.clone()))
}

/// What `gc` is to go by.
fn rules(keeping: &Keeping, world: &World) -> Rules {
    let Keeping { keep, older_than, min_age, .. } = *keeping;
    Rules { keep, older_than: older_than.into(), min_age: min_age.into(), now: world.now() }
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
