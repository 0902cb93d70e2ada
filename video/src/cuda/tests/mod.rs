//! The host's path and the shipped kernels on the driver for tests. What they make is compared with the referee of
//! `docs/frames.md`, which shares nothing with them but the plan.

mod cases;

mod agreement;
mod faults;
mod host;
mod mutants;
mod overlap;
mod pinned;
mod probing;
mod roofline;
mod sharing;
mod there;
