//! Turns loose examples and their frames into a dataset that can be learned from, or says what is wrong with it.
//! Knows labels, views, plays and splits; knows nothing of networks or of where frames come from.

use std::collections::{BTreeMap, BTreeSet};

/// What an example is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// The network learns from it.
    Train,
    /// It only measures what was learned.
    Validation,
}

/// What is known of one clip, apart from its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Unique among the examples; only used to name the clip in messages.
    pub id: String,
    /// The play. Clips of one play from several angles share it and are judged together.
    pub group: String,
    /// The camera angle. The same label looks different from each.
    pub view: String,
    /// What is to be learned.
    pub label: String,
    /// What the example is for; the same for all clips of a play.
    pub split: Split,
}

/// The size of one clip's frames, stored as `[frames, channels, height, width]`, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipShape {
    /// Frames in a clip.
    pub frames: usize,
    /// Colour planes in a frame.
    pub channels: usize,
    /// Rows in a frame, in pixels.
    pub height: usize,
    /// Columns in a frame, in pixels.
    pub width: usize,
}

impl ClipShape {
    /// How many numbers one clip has, or `None` when that number does not fit a `usize`.
    pub fn len(&self) -> Option<usize> {
        [self.channels, self.height, self.width]
            .iter()
            .try_fold(self.frames, |product, side| product.checked_mul(*side))
    }

    /// Whether a clip of this shape has no numbers at all.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl std::fmt::Display for ClipShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.frames, self.channels, self.height, self.width)
    }
}

/// Why examples cannot be learned from. Each message says what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The shape has a zero side or more numbers than fit in memory.
    #[error(
        "clips of shape {0} cannot be learned from: every side must be at least 1 and the product must fit in memory"
    )]
    Shape(ClipShape),
    /// The frames are not as many numbers as the examples need.
    #[error(
        "{examples} examples of shape {shape} need {wanted} numbers, but the frames hold {found}: every clip needs \
         exactly one frame tensor of that shape, in the order of the examples"
    )]
    FrameCount {
        /// How many examples there are.
        examples: usize,
        /// The shape of each.
        shape: ClipShape,
        /// How many numbers they need.
        wanted: usize,
        /// How many numbers there are.
        found: usize,
    },
    /// A frame holds an infinity or a NaN.
    #[error("the frames of clip `{0}` hold a value that is not a finite number: preprocess that clip again")]
    NotFinite(String),
    /// Two examples have one id.
    #[error("clip `{0}` is there twice: give each clip its own id, or drop one of the two")]
    DuplicateId(String),
    /// Clips of one play disagree about its label.
    #[error(
        "clip `{id}` of play `{group}` is labelled `{label}`, other clips of the play `{other}`: correct the label of \
         one"
    )]
    TwoLabels {
        /// The clip that disagrees.
        id: String,
        /// Its play.
        group: String,
        /// Its label.
        label: String,
        /// The label of the play's clips before it.
        other: String,
    },
    /// Clips of one play lie in both splits.
    #[error(
        "play `{0}` has clips in training and in validation, so validation would measure memory: split by play or by \
         game"
    )]
    SplitPlay(String),
    /// There is nothing to tell apart.
    #[error("all {examples} examples are labelled `{label}`: a classifier needs at least two labels in training")]
    OneLabel {
        /// How many training examples there are.
        examples: usize,
        /// The one label.
        label: String,
    },
    /// A split has no examples.
    #[error(
        "the {0} split is empty: it needs at least one clip; widen the selection of games or change the share of \
         validation"
    )]
    EmptySplit(&'static str),
    /// A validation clip has a label or a view that training never shows.
    #[error(
        "clip `{id}` in validation has the {what} `{name}`, which no training clip has (training has {known}): add \
         training clips with it, or leave the clip out"
    )]
    Unseen {
        /// The validation clip.
        id: String,
        /// `label` or `view`.
        what: &'static str,
        /// The name training does not have.
        name: String,
        /// The names training has.
        known: String,
    },
}

/// Examples and frames that fit together: two labels or more, two splits, every play whole on one side, and nothing in
/// validation that training never shows.
#[derive(Clone, Debug)]
pub struct Dataset {
    examples: Vec<Example>,
    frames: Vec<f32>,
    shape: ClipShape,
    labels: Vec<String>,
    views: Vec<String>,
    indices: Vec<Indices>,
}

/// Where an example's label and view stand in the sorted lists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indices {
    pub(super) label: u32,
    pub(super) view: u32,
}

impl Dataset {
    /// Puts examples and frames together.
    ///
    /// `frames`: the clips one after another in the order of `examples`, each `shape`, already normalised (about -3
    /// to 3).
    /// Labels and views are those of the training examples, sorted by name.
    ///
    /// # Errors
    /// [`DataError`] with the first thing that is wrong.
    pub fn new(examples: Vec<Example>, frames: Vec<f32>, shape: ClipShape) -> Result<Self, DataError> {
        check_frames(&examples, &frames, shape)?;
        check_plays(&examples)?;
        for (split, name) in [(Split::Train, "training"), (Split::Validation, "validation")] {
            if !examples.iter().any(|example| example.split == split) {
                return Err(DataError::EmptySplit(name));
            }
        }
        let labels = training_names(&examples, |example| &example.label);
        let views = training_names(&examples, |example| &example.view);
        if let [label] = labels.as_slice() {
            let training = examples.iter().filter(|example| example.split == Split::Train).count();
            return Err(DataError::OneLabel { examples: training, label: label.clone() });
        }
        let indices =
            examples.iter().map(|example| find_indices(example, &labels, &views)).collect::<Result<_, _>>()?;
        Ok(Self { examples, frames, shape, labels, views, indices })
    }

    /// The examples, in the order they were given.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// The labels that can be answered, sorted.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The views that are known, sorted.
    pub fn views(&self) -> &[String] {
        &self.views
    }

    /// The shape of every clip.
    pub fn shape(&self) -> ClipShape {
        self.shape
    }

    /// The numbers of one clip, `[frames, channels, height, width]`.
    pub(super) fn clip(&self, row: usize) -> &[f32] {
        let len = self.frames.len() / self.examples.len();
        &self.frames[row * len..(row + 1) * len]
    }

    pub(super) fn indices(&self, row: usize) -> Indices {
        self.indices[row]
    }

    /// The rows of one split, in the order of the examples.
    pub(super) fn rows(&self, split: Split) -> Vec<usize> {
        (0..self.examples.len()).filter(|row| self.examples[*row].split == split).collect()
    }

    /// The rows of each play of one split, plays sorted by name.
    pub(super) fn plays(&self, split: Split) -> Vec<Vec<usize>> {
        let mut plays: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in self.rows(split) {
            plays.entry(&self.examples[row].group).or_default().push(row);
        }
        plays.into_values().collect()
    }
}

fn check_frames(examples: &[Example], frames: &[f32], shape: ClipShape) -> Result<(), DataError> {
    let len = shape.len().filter(|len| *len > 0).ok_or(DataError::Shape(shape))?;
    let wanted = len.checked_mul(examples.len()).ok_or(DataError::Shape(shape))?;
    if wanted != frames.len() {
        return Err(DataError::FrameCount { examples: examples.len(), shape, wanted, found: frames.len() });
    }
    for (example, clip) in examples.iter().zip(frames.chunks_exact(len)) {
        if !clip.iter().all(|value| value.is_finite()) {
            return Err(DataError::NotFinite(example.id.clone()));
        }
    }
    Ok(())
}

fn check_plays(examples: &[Example]) -> Result<(), DataError> {
    let mut ids = BTreeSet::new();
    let mut plays: BTreeMap<&str, &Example> = BTreeMap::new();
    for example in examples {
        if !ids.insert(&example.id) {
            return Err(DataError::DuplicateId(example.id.clone()));
        }
        let first = *plays.entry(&example.group).or_insert(example);
        if first.label != example.label {
            return Err(DataError::TwoLabels {
                id: example.id.clone(),
                group: example.group.clone(),
                label: example.label.clone(),
                other: first.label.clone(),
            });
        }
        if first.split != example.split {
            return Err(DataError::SplitPlay(example.group.clone()));
        }
    }
    Ok(())
}

fn training_names(examples: &[Example], name: fn(&Example) -> &String) -> Vec<String> {
    let training = examples.iter().filter(|example| example.split == Split::Train);
    let names: BTreeSet<&String> = training.map(name).collect();
    names.into_iter().cloned().collect()
}

fn find_indices(example: &Example, labels: &[String], views: &[String]) -> Result<Indices, DataError> {
    let find = |what, name: &String, known: &[String]| {
        let index = known.binary_search(name).map_err(|_| DataError::Unseen {
            id: example.id.clone(),
            what,
            name: name.clone(),
            known: known.join(", "),
        })?;
        Ok(u32::try_from(index).expect("there are fewer names than examples, which are in memory"))
    };
    Ok(Indices { label: find("label", &example.label, labels)?, view: find("view", &example.view, views)? })
}
