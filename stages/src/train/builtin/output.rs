//! Leaves what a training made in a folder: the model, its numbers, its pictures.
//! Knows the names and formats of the files; knows nothing of stores or of how they are published.

use std::path::{Path, PathBuf};

use super::confusion::Confusion;
use super::draw_confusion::confusion_svg;
use super::draw_loss::loss_svg;
use super::fit::Fitted;
use super::metrics::EpochMetrics;
use super::model::ModelError;

/// A file of the training that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The model's file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Another file.
    #[error("write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A picture could not be drawn.
    #[error("draw {path}: {problem}")]
    Picture {
        /// The picture's file.
        path: PathBuf,
        /// What the drawing library said.
        problem: String,
    },
}

impl Fitted {
    /// Writes every file of the training into `folder`, which must exist.
    ///
    /// - `model.safetensors`: tensors and names, read by [`super::Model::load`]
    /// - `metrics.jsonl`: one [`EpochMetrics`] a line
    /// - `confusion.json`: the validation plays of the last epoch, as [`Confusion`]
    /// - `confusion.svg`, `loss.svg`: both as pictures
    ///
    /// # Errors
    /// [`WriteError`] names the file. Files written before it stay.
    pub fn write(&self, folder: &Path) -> Result<(), WriteError> {
        self.model.save(&folder.join("model.safetensors"))?;
        write(&folder.join("metrics.jsonl"), &metrics_jsonl(&self.metrics))?;
        write(&folder.join("confusion.json"), &confusion_json(&self.confusion))?;
        draw(&folder.join("confusion.svg"), confusion_svg(&self.confusion))?;
        draw(&folder.join("loss.svg"), loss_svg(&self.metrics))
    }
}

fn metrics_jsonl(metrics: &[EpochMetrics]) -> String {
    let line = |epoch| serde_json::to_string(epoch).expect("numbers are always JSON") + "\n";
    metrics.iter().map(line).collect()
}

fn confusion_json(confusion: &Confusion) -> String {
    serde_json::to_string_pretty(confusion).expect("strings and whole numbers are always JSON") + "\n"
}

fn draw(path: &Path, picture: Result<String, String>) -> Result<(), WriteError> {
    let svg = picture.map_err(|problem| WriteError::Picture { path: path.to_owned(), problem })?;
    write(path, &svg)
}

fn write(path: &Path, text: &str) -> Result<(), WriteError> {
    std::fs::write(path, text).map_err(|source| WriteError::File { path: path.to_owned(), source })
}
