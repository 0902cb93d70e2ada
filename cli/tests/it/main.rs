//! The binary as a person or a program meets it: its command line, its exit codes, what it says, and what it leaves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

#[cfg(feature = "cloud")]
mod afar;
mod again;
mod around;
mod at;
mod beginning;
mod bench;
#[cfg(feature = "video")]
#[path = "../../../video/tests/it/bomb.rs"]
mod bomb;
#[cfg(feature = "cloud")]
mod bucket;
mod cache;
#[cfg(feature = "cloud")]
mod canary;
#[cfg(feature = "cloud")]
mod checking;
mod choosing;
mod ci;
#[cfg(feature = "cloud")]
mod cloud_run;
mod confined;
mod corpus;
#[cfg(feature = "cloud")]
mod cost;
#[cfg(feature = "video")]
mod cutting;
mod deadline;
mod diff;
#[cfg(feature = "cloud")]
mod doctoring;
#[cfg(feature = "cloud")]
mod far_away;
mod features;
#[cfg(all(feature = "cloud", feature = "video"))]
mod films;
mod git;
mod given;
#[cfg(feature = "cuda")]
mod gpu;
mod image;
#[cfg(feature = "cloud")]
mod jobs;
#[cfg(feature = "cloud")]
mod killed;
#[cfg(feature = "cloud")]
mod leaving;
#[cfg(feature = "cloud")]
mod midway;
mod moving;
mod mutants;
mod output;
#[cfg(feature = "cloud")]
mod pace;
mod pages;
#[cfg(all(feature = "cloud", feature = "video", feature = "trainer"))]
mod parity;
mod picture;
#[cfg(feature = "cloud")]
mod placing;
#[cfg(all(feature = "cloud", feature = "video", feature = "trainer"))]
mod quick;
#[cfg(all(feature = "video", feature = "trainer"))]
mod quickstart;
mod reference;
mod reference_page;
mod refusing;
mod report;
mod room;
mod running;
#[cfg(feature = "cloud")]
mod s3;
#[cfg(all(feature = "video", feature = "trainer"))]
mod sample;
mod scale;
mod schedule;
mod schemas;
#[cfg(feature = "cloud")]
mod secret_rights;
mod secrets;
mod seeds;
mod seeing;
#[cfg(feature = "cloud")]
mod service;
mod settled;
mod spreading;
mod stopping;
#[cfg(feature = "cloud")]
mod sweeping;
mod trace;
mod trust;
#[cfg(feature = "cloud")]
mod tuning;
#[cfg(feature = "cloud")]
mod versions;
#[cfg(feature = "cloud")]
mod vertex;
mod watching;
#[cfg(all(feature = "cloud", feature = "video", feature = "trainer"))]
mod ways;
#[cfg(feature = "cloud")]
mod whereabouts;
