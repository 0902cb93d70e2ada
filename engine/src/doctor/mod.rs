//! Before a run: what its attempts would ask of places elsewhere, so that these can be asked first. After a crash: the jobs that
//! are there, and which of them nobody wants.

mod strays;
mod trials;
mod versions;

pub use strays::{Judged, Verdict, judge, reap};
pub use trials::{Trial, Tried, trials};
pub use versions::{Versions, ask};
