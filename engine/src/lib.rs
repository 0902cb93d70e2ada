//! The pipeline engine: spec text -> `Spec` -> `Plan` -> core -> attempts on a backend -> journal and manifests.
//!
//! Knows nothing of video, JSONL, HTTP or Google: stage kinds come in through [`stage::Registry`]. Each module
//! uses only the ones listed above it; `tests/it/layering.rs` holds that order.
pub mod attempt;
pub mod event;
pub mod failure;
pub mod ids;
pub mod key;
pub mod local;
pub mod lookup;
pub mod manifest;
pub mod plan;
pub mod report;
pub mod retry;
pub mod run;
pub mod scheduler;
pub mod spec;
pub mod stage;
pub mod state;
pub mod store;
pub mod text;
pub mod units;
pub mod work;
pub mod worker;
pub mod world;
