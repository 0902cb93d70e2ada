//! Tuning jobs: what one is said to be and the examples in its buckets -> a tuned model, and how many examples were of no use. Nothing
//! is trained: what counts is what a client is told.

mod dataset;
mod job;
mod life;
mod methods;
mod model;
mod spec;

pub(super) use job::Tuning;
pub(super) use methods::{cancel, create, get, list};
pub(super) use model::Model;
