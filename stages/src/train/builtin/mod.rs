//! Turns labelled clips into a small trained classifier of plays, with its numbers and its pictures.
//! Knows tensors of frames, labels, camera angles and plays; knows nothing of specs, stores, attempts or video files.
//!
//! The path: `Dataset::new` checks what is learned from, `fit` trains and reports each epoch, `go_on` does so from where another
//! was stopped, `Fitted::write` leaves the model, the metrics and the pictures in a folder, `Model::load` answers for new clips.
//!
//! The same dataset, settings and program give the same bytes on equal CPUs, whatever the number of threads: every
//! batch is cut into pieces of a fixed size, and the gradients of the pieces are added in the order of the pieces.

mod adam;
mod batch;
mod confusion;
mod data;
mod draw_confusion;
mod draw_loss;
mod fit;
mod metrics;
mod model;
mod network;
mod output;
mod reached;
mod seed;
mod settings;
mod vote;

#[cfg(test)]
mod tests;

pub use confusion::Confusion;
pub use data::{ClipShape, DataError, Dataset, Example, Split};
pub use fit::{FitError, Fitted, Learned, fit, go_on};
pub use metrics::EpochMetrics;
pub use model::{Clip, Model, ModelError, Prediction};
pub use output::WriteError;
pub use settings::{Settings, SettingsError};
