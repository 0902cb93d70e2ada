//! The engine's tests from outside: one binary, one file or folder for each promise.

mod formats;
mod journal;
mod layering;
mod run;
mod scheduler;
mod store;
