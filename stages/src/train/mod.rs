//! `kind = "train"`: a training set and frames -> a model, its numbers and its pictures.

pub mod builtin;
mod kept;

use crate::jsonl;
use crate::records::{FRAMES, FramesRecord, RECORDS, Row};
use builtin::{
    ClipShape, Confusion, DataError, Dataset, EpochMetrics, Example, FitError, Fitted, Learned, Settings, Split, go_on,
};
use kept::Kept;
use pipe_engine::failure::Failure;
use pipe_engine::stage::{ConfigProblem, Format, OneResult, Results, StageKind, read_config};
use pipe_engine::work::Work;
use safetensors::SafeTensors;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::ControlFlow;

/// Raised whenever the same data and settings would give another model.
const CODE: u32 = 1;

pub(crate) struct Train;

/// Trains a model on the records of a `format-jsonl` stage and the frames of a `preprocess` stage, joined on the clip's
/// id. Writes the model, `metrics.jsonl`, a confusion matrix and a loss curve.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The stage that gives the records.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    dataset: OneResult,
    /// The stage that gives the frames.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    frames: Results,
    /// What trains, such as `{ type = "builtin", epochs = 12 }`.
    trainer: Trainer,
    /// Which fields of a record mean what.
    #[serde(default)]
    fields: Fields,
}

/// What trains.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum Trainer {
    /// A small convolutional network over frames, on this machine's CPU. The same seed gives the same model.
    Builtin {
        /// How many times every training clip is seen. Default: 12.
        epochs: Option<NonZeroU32>,
        /// How many clips one step looks at. Default: 16.
        batch: Option<NonZeroU32>,
        /// Step size at the start; it falls to zero along half a cosine. Default: 0.003.
        learning_rate: Option<f64>,
        /// Decay of the weights, from 0 to 1. Default: 0.01.
        weight_decay: Option<f64>,
        /// Decides the first weights, the order of the clips and the shifts. Default: 0.
        seed: Option<u64>,
        /// Whether training clips are shifted by a pixel or two. They are never mirrored. Default: true.
        augment: Option<bool>,
    },
}

/// Which fields of a record mean what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    /// The clip's id.
    clip: String,
    /// What is to be learned.
    label: String,
    /// What is judged together and counts once: the play.
    group: String,
    /// The camera angle: the same label looks different from each.
    view: String,
}

impl Default for Fields {
    fn default() -> Self {
        let name = str::to_owned;
        Self { clip: name("clip"), label: name("label"), group: name("play"), view: name("angle") }
    }
}

impl Config {
    fn settings(&self) -> Settings {
        let usual = Settings::default();
        let Trainer::Builtin { epochs, batch, learning_rate, weight_decay, seed, augment } = self.trainer;
        Settings {
            epochs: epochs.unwrap_or(usual.epochs),
            batch: batch.unwrap_or(usual.batch),
            learning_rate: learning_rate.unwrap_or(usual.learning_rate),
            weight_decay: weight_decay.unwrap_or(usual.weight_decay),
            seed: seed.unwrap_or(usual.seed),
            augment: augment.unwrap_or(usual.augment),
        }
    }
}

impl StageKind for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn code(&self) -> String {
        format!("{CODE} candle 0.9")
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn formats(&self) -> Vec<Format> {
        let metrics = Format::of::<EpochMetrics>("metrics", &["metrics.jsonl"]);
        vec![metrics, Format::of::<Confusion>("confusion", &["confusion.json"])]
    }

    fn makes(&self, _: &Json) -> Vec<String> {
        FILES.map(str::to_owned).to_vec()
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        let config: Config = read_config(config)?;
        config.settings().check().map_err(|e| ConfigProblem::new(format!("trainer.{}", e.field), e.to_string()))
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let config: Config = work.config()?;
        let settings = config.settings();
        let dataset = dataset(work, &config.fields)?;
        let threads = NonZeroUsize::new(work.cpu()).unwrap_or(NonZeroUsize::MIN);
        let epochs = settings.epochs.get() as usize;
        let kept = Kept::of(work.checkpoints());
        work.progress(0, epochs, "epochs");
        let mut learned = |learned: &Learned<'_>| {
            kept.keep(learned);
            tell(work, learned.numbers(), epochs)
        };
        let fitted = go_on(&dataset, &settings, threads, kept.take().as_deref(), &mut learned).map_err(fit_failure)?;
        write(work, &fitted)?;
        let last = fitted.last();
        Ok(json!({
            "accuracy": rounded(last.validation_group_accuracy),
            "clip_accuracy": rounded(last.validation_accuracy),
            "loss": rounded(last.validation_loss),
            "held_out": fitted.confusion.total(),
            "epochs": fitted.metrics.len(),
        }))
    }
}

fn tell(work: &Work<'_>, epoch: &EpochMetrics, epochs: usize) -> ControlFlow<()> {
    let step = epoch.epoch as usize;
    work.metric("train_loss", step, epoch.train_loss);
    work.metric("validation_loss", step, epoch.validation_loss);
    work.metric("accuracy", step, epoch.validation_group_accuracy);
    work.progress(step, epochs, "epochs");
    ControlFlow::Continue(())
}

/// Four significant digits: a loss may be small.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// The files of a training.
const FILES: [&str; 5] = ["model.safetensors", "metrics.jsonl", "confusion.json", "confusion.svg", "loss.svg"];

/// The files of a training, each taken into the artifact.
fn write(work: &Work<'_>, fitted: &Fitted) -> Result<(), Failure> {
    let model = work.output("model.safetensors")?;
    let folder = model.parent().unwrap_or(&model);
    fitted
        .write(folder)
        .map_err(|e| Failure::failed("cannot_write", "the training's files cannot be written").source(e))?;
    FILES.iter().try_for_each(|file| work.finished(file))
}

/// Records and frames, joined on the clip's id.
fn dataset(work: &Work<'_>, fields: &Fields) -> Result<Dataset, Failure> {
    let input = work.input("dataset")?;
    let mut examples = Vec::new();
    for (file, split) in RECORDS.into_iter().zip([Split::Train, Split::Validation]) {
        let records: Vec<Row> = jsonl::read(&work.path_in(input, file)?)?;
        for (i, record) in records.iter().enumerate() {
            examples.push(example(record, fields, split).map_err(|f| f.on(format!("{file}:{}", i + 1)))?);
        }
    }
    let (frames, shape) = frames(work, &examples)?;
    Dataset::new(examples, frames, shape).map_err(|e: DataError| Failure::failed("bad_dataset", e.to_string()))
}

fn example(record: &Row, fields: &Fields, split: Split) -> Result<Example, Failure> {
    let field = |name: &str| match record.get(name) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.to_string()),
        _ => {
            let known: Vec<&str> = record.keys().map(String::as_str).collect();
            Err(Failure::failed("no_field", format!("a record has no text `{name}`; it has {}", known.join(", ")))
                .help("write it in the dataset's template, or name another field in `fields`"))
        }
    };
    Ok(Example {
        id: field(&fields.clip)?,
        group: field(&fields.group)?,
        view: field(&fields.view)?,
        label: field(&fields.label)?,
        split,
    })
}

/// The frames of each example, in their order, and the shape of one clip's.
fn frames(work: &Work<'_>, examples: &[Example]) -> Result<(Vec<f32>, ClipShape), Failure> {
    let wanted: HashMap<&str, usize> = examples.iter().enumerate().map(|(i, e)| (e.id.as_str(), i)).collect();
    let (mut all, mut shape, mut filled) = (Vec::new(), None, vec![false; examples.len()]);
    for input in work.inputs("frames") {
        let index: Vec<FramesRecord> = jsonl::read(&work.path_in(input, FRAMES)?)?;
        for shard in input.files.iter().filter(|f| f.path.ends_with(".safetensors")) {
            let path = work.path(shard);
            let bytes = fs::read(&path).map_err(|e| Failure::io("read the frames", &path, &e))?;
            let (data, this) = tensor(&bytes).map_err(|f| f.on(path.display().to_string()))?;
            let same = *shape.get_or_insert(this);
            if same != this {
                return Err(Failure::failed(
                    "bad_frames",
                    format!("clips of shape {this} and {same} cannot be trained on together"),
                )
                .help("give all clips one `size` and number of `frames`"));
            }
            let length = this.len().unwrap_or_default();
            all.resize(length * examples.len(), 0.0);
            for record in index.iter().filter(|r| r.shard == shard.path) {
                let Some(example) = wanted.get(record.id.as_str()) else { continue };
                let clip =
                    data.chunks_exact(4 * length).nth(record.row).ok_or_else(|| bad_shard("it has too few clips"))?;
                let place = &mut all[example * length..(example + 1) * length];
                for (to, from) in place.iter_mut().zip(clip.chunks_exact(4)) {
                    *to = f32::from_le_bytes([from[0], from[1], from[2], from[3]]);
                }
                filled[*example] = true;
            }
        }
    }
    match (shape, filled.iter().position(|f| !f)) {
        (Some(shape), None) => Ok((all, shape)),
        (_, missing) => {
            let id = missing.map_or("", |i| examples[i].id.as_str());
            Err(Failure::failed("no_frames", format!("clip `{id}` has no frames"))
                .help("give `frames` the stage that preprocessed the clips of this data set"))
        }
    }
}

/// The bytes of a shard's tensor and the shape of one clip in it.
fn tensor(bytes: &[u8]) -> Result<(&[u8], ClipShape), Failure> {
    let file = SafeTensors::deserialize(bytes).map_err(bad_shard)?;
    let view = file.tensor("frames").map_err(bad_shard)?;
    match *view.shape() {
        [_, frames, channels, height, width] if view.dtype() == safetensors::Dtype::F32 => {
            Ok((view.data(), ClipShape { frames, channels, height, width }))
        }
        _ => Err(bad_shard("it is not f32 of five dimensions")),
    }
}

fn bad_shard(why: impl std::fmt::Display) -> Failure {
    Failure::failed("bad_frames", "the frames cannot be read").source(why)
}

fn fit_failure(error: FitError) -> Failure {
    Failure::failed("training", error.to_string())
}
