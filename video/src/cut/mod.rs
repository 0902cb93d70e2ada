//! Cuts clips out of one video: exactly the frames between two moments, with their sound. What can be copied is copied,
//! and only the frames at the edges are encoded; what is not proven safe to copy is encoded whole.
//! Knows milliseconds and files; knows nothing of plays or of where clips are published.

mod batch;
mod clip;
mod crew;
mod edges;
mod feed;
mod gate;
mod heard;
mod inside;
mod join;
mod options;
mod part;
mod plan;
mod report;
mod rounds;
mod route;
mod shape;
mod sound;
mod ticks;
mod together;
mod uses;
mod whole;

pub use options::{CutMode, CutOptions, Pixels, Sound};
pub use plan::{CutPlan, Cutter, Told};
pub use report::CutReport;
