//! Turns a trained network into `model.safetensors` and back, and answers for clips.
//! Knows names of labels and views and the file's format; knows nothing of training.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Pick, Shift};
use super::data::ClipShape;
use super::network::{Network, Sizes};
use super::vote;

/// The version of the file's metadata and of the network that its tensors belong to.
const FORMAT: u32 = 1;
/// The one key of the file's metadata. A second key would make the bytes depend on the order of a hash map.
const METADATA_KEY: &str = "pipe.builtin";
/// How many clips are computed at once. Only memory depends on it.
const CLIPS_AT_ONCE: usize = 16;

/// One clip to answer for.
#[derive(Clone, Copy, Debug)]
pub struct Clip<'a> {
    /// The camera angle, one of [`Model::views`].
    pub view: &'a str,
    /// The frames, `[frames, channels, height, width]` as [`Model::shape`] says, normalised as in training.
    pub frames: &'a [f32],
}

/// What the model takes a play for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The likeliest label.
    pub label: String,
    /// The probability of each label, in the order of [`Model::labels`]; they add up to 1.
    pub probabilities: Vec<f64>,
}

/// Why a model cannot be read, written or asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read or written.
    #[error("model file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a model of the built-in trainer.
    #[error(
        "model file {path} is not a model of the built-in trainer: {problem}; name a `model.safetensors` that it wrote"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The clip's view was not trained.
    #[error(
        "view `{view}` is unknown to the model, which was trained on {known}: ask with one of these, or train with \
         the view"
    )]
    View {
        /// The view asked for.
        view: String,
        /// The views the model has.
        known: String,
    },
    /// The clip is not as many numbers as the model's shape.
    #[error(
        "a clip holds {found} numbers, but the model needs frames of shape {shape}: preprocess with the size of \
         training"
    )]
    Shape {
        /// How many numbers the clip has.
        found: usize,
        /// The shape that was trained.
        shape: ClipShape,
    },
    /// No clip was given for a play.
    #[error("a play without clips cannot be answered for: give at least one clip")]
    NoClips,
    /// The arithmetic failed.
    #[error("compute the network's answer: {0}")]
    Compute(#[from] candle_core::Error),
}

/// What the file says about its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    version: u32,
    labels: Vec<String>,
    views: Vec<String>,
    shape: ClipShape,
}

/// A network with the names it answers in.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    labels: Vec<String>,
    views: Vec<String>,
    shape: ClipShape,
}

impl Model {
    pub(super) fn new(network: Network, labels: Vec<String>, views: Vec<String>, shape: ClipShape) -> Self {
        Self { network, labels, views, shape }
    }

    /// The labels it can answer, sorted.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The views it knows, sorted.
    pub fn views(&self) -> &[String] {
        &self.views
    }

    /// The shape of the clips it takes.
    pub fn shape(&self) -> ClipShape {
        self.shape
    }

    /// The weights by name, f32.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.network.tensors()
    }

    /// Reads what [`Model::save`] wrote.
    ///
    /// # Errors
    /// [`ModelError::File`] when the file cannot be read, [`ModelError::Format`] when it is something else.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let bytes = std::fs::read(path).map_err(|source| ModelError::File { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes).map_err(|problem| ModelError::Format { path: path.to_owned(), problem })
    }

    /// Writes tensors and names as one safetensors file, whose bytes depend on nothing else.
    ///
    /// # Errors
    /// [`ModelError::File`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        std::fs::write(path, self.to_bytes()?).map_err(|source| ModelError::File { path: path.to_owned(), source })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let metadata =
            Metadata { version: FORMAT, labels: self.labels.clone(), views: self.views.clone(), shape: self.shape };
        let text = serde_json::to_string(&metadata).expect("strings and whole numbers are always JSON");
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
        let bytes = safetensors::serialize(self.tensors(), Some(metadata)).map_err(candle_core::Error::from)?;
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let metadata = read_metadata(bytes)?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let tensor =
                candle_core::safetensors::Load::load(&view, &Device::Cpu).map_err(|error| error.to_string())?;
            tensors.insert(name.to_owned(), tensor);
        }
        let Metadata { labels, views, shape, .. } = metadata;
        let sizes = Sizes { shape, labels: labels.len(), views: views.len() };
        let network = Network::from_tensors(sizes, &tensors).map_err(|error| error.to_string())?;
        Ok(Self::new(network, labels, views, shape))
    }

    /// The log-probability of each label (in the order of [`Model::labels`], in nats) for each clip on its own.
    ///
    /// # Errors
    /// [`ModelError::View`] and [`ModelError::Shape`] when a clip does not fit the model.
    pub fn predict(&self, clips: &[Clip<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let picks = clips.iter().map(|clip| self.pick(*clip)).collect::<Result<Vec<_>, _>>()?;
        let mut answers = Vec::with_capacity(clips.len());
        for piece in picks.chunks(CLIPS_AT_ONCE) {
            answers.extend(answer(&self.network, piece, self.shape)?);
        }
        Ok(answers)
    }

    /// The label of the play that all these clips show: the largest sum of the clips' log-probabilities.
    ///
    /// # Errors
    /// As [`Model::predict`], and [`ModelError::NoClips`] for an empty list.
    pub fn predict_play(&self, clips: &[Clip<'_>]) -> Result<Prediction, ModelError> {
        if clips.is_empty() {
            return Err(ModelError::NoClips);
        }
        let answers = self.predict(clips)?;
        let totals = vote::add_up(self.labels.len(), answers.iter().map(Vec::as_slice));
        let label = self.labels[vote::winner(&totals)].clone();
        Ok(Prediction { label, probabilities: vote::normalised(&totals) })
    }

    fn pick<'a>(&self, clip: Clip<'a>) -> Result<Pick<'a>, ModelError> {
        let unknown = || ModelError::View { view: clip.view.to_owned(), known: self.views.join(", ") };
        let view = self.views.iter().position(|view| view == clip.view).ok_or_else(unknown)?;
        if self.shape.len() != Some(clip.frames.len()) {
            return Err(ModelError::Shape { found: clip.frames.len(), shape: self.shape });
        }
        let view = u32::try_from(view).expect("a model has fewer views than weights, which are in memory");
        Ok(Pick { frames: clip.frames, view, shift: Shift::default() })
    }
}

/// The network's log-probabilities, one row for each clip.
pub(super) fn answer(network: &Network, picks: &[Pick<'_>], shape: ClipShape) -> candle_core::Result<Vec<Vec<f32>>> {
    network.forward(&Batch::new(picks, shape)?)?.to_vec2()
}

fn read_metadata(bytes: &[u8]) -> Result<Metadata, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let texts = header.metadata().as_ref();
    let text = texts.and_then(|texts| texts.get(METADATA_KEY)).ok_or(format!("it has no metadata `{METADATA_KEY}`"))?;
    let metadata: Metadata = serde_json::from_str(text).map_err(|error| format!("its metadata are wrong: {error}"))?;
    if metadata.version != FORMAT {
        return Err(format!("its version is {}, this program reads version {FORMAT}", metadata.version));
    }
    if metadata.labels.is_empty() || metadata.views.is_empty() || metadata.shape.is_empty() {
        return Err("its metadata name no label, no view or no pixel".to_owned());
    }
    Ok(metadata)
}
