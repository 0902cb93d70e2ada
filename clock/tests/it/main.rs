//! The clock on days that matter, through years of simulated trouble, and with real processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod calendar;
mod folder;
mod years;
