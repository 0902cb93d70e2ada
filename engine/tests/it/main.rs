//! The engine's tests from outside: one binary, one file or folder for each promise.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod catalogue;
mod describing;
mod formats;
mod gc;
mod gc_bucket;
mod items;
mod journal;
mod language;
mod layering;
mod run;
mod scheduler;
mod simulation;
mod store;
