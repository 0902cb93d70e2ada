//! The pipeline engine: spec text -> `Spec` -> `Plan` -> core -> attempts on a backend -> journal and manifests.
//!
//! Knows nothing of video, JSONL, HTTP or Google: stage kinds come in through [`stage::Registry`]. Each module
//! uses only the ones listed above it; `tests/it/layering.rs` holds that order.

// What everything may use.
pub mod disk;
pub mod doing;
pub mod failpoint;
pub mod failure;
pub mod finding;
pub mod planted;
pub mod secret;
pub mod text;
pub mod units;
pub mod world;

pub mod stamp;

// Names, keys and what a task asks for.
pub mod ids;
pub mod key;
pub mod remote;
pub mod resources;
pub mod retry;

// The frozen formats, and what is folded from them.
pub mod manifest;

pub mod asked;
pub mod attempt;
pub mod confine;
pub mod revision;
pub mod site;

pub mod event;
pub mod report;

// What a stage sees while it works.
pub mod store;
pub mod work;

// Results that machines share.
pub mod shared;

pub mod stage;

pub mod backend;

// From text to a graph of tasks.
pub mod spec;

pub mod plan;

// What decides, what is remembered, what is there already.
pub mod scheduler;
pub mod state;

pub mod estimate;
pub mod lookup;

pub mod settled;

// Where it all happens.
pub mod worker;

pub mod elsewhere;
pub mod local;
pub mod outpost;
pub mod run;

// What is kept of it all, and what comes from elsewhere.
pub mod gc;

pub mod adopt;

pub mod given;

// All of that together, for people.
pub mod account;

// What is wrong before a run, and what is left after a crash.
pub mod doctor;
