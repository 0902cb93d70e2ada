//! A store -> what of it is kept and why, and what goes: manifests to `lineage/`, bytes for good. Knows which result is
//! the newest of its task and which files a manifest names, not how any of them came to be. Of a bucket only what attempts have left
//! there goes.

mod attempts;
pub mod bucket;
mod catalogue;
pub mod checkpoints;
mod data;
mod mark;
pub mod pins;
mod plan;
pub mod runs;
mod sweep;
pub mod verify;

pub use catalogue::{Catalogue, Entry};
pub use data::{DataFile, Found};
pub use mark::{Roots, Rules, Why, mark};
pub use plan::{Plan, plan};
pub use sweep::{Step, sweep};

use crate::failure::Failure;

/// Why a store is better left alone.
fn unreadable(at: &str) -> Failure {
    Failure::failed("newer_store", "a result was filed by a newer version, and it cannot be told which files it needs")
        .on(at)
        .help("use the newest version of pipe that works with this store")
}
