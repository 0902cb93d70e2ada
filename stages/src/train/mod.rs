//! `kind = "train"`: a training set and frames -> a model, its numbers and its pictures; or a training set and clips -> a model of
//! Gemini that Vertex AI has tuned.

pub mod builtin;
mod gemini;
mod kept;

use crate::jsonl;
use crate::records::{FRAMES, FramesRecord, RECORDS, Row};
use builtin::{
    ClipShape, Confusion, DataError, Dataset, EpochMetrics, Example, FitError, Fitted, Learned, Settings, Split, go_on,
};
use gemini::Tuning;
use kept::Kept;
use pipe_engine::attempt::Attempt;
use pipe_engine::failure::Failure;
use pipe_engine::stage::{ConfigProblem, Desk, Format, Made, OneResult, Results, StageKind, read_config};
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
/// id. Writes the model, `metrics.jsonl`, a confusion matrix and a loss curve. With `type = "gemini-tuning"` it has Vertex AI tune a
/// model of Gemini on records and clips, and writes `tuned-model.json`, which says where that model is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The stage that gives the records.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    dataset: OneResult,
    /// The stage that gives the frames, which the built-in trainer learns from.
    frames: Option<Results>,
    /// The stages that give the clips which the records name, for a tuning of Gemini.
    #[serde(default)]
    clips: Vec<Results>,
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
    /// Vertex AI tunes a model of Gemini (supervised). The stage runs at a backend of the kind `vertex-tuning`.
    GeminiTuning {
        /// The model of Google's that is tuned, such as `gemini-2.5-flash`.
        base: Option<String>,
        /// The stage whose tuned model is tuned on.
        from: Option<OneResult>,
        /// The resource name of a model that is tuned on, such as `projects/P/locations/L/models/M@V`.
        from_model: Option<String>,
        /// Which checkpoint of it is tuned on, by its id. Default: its last.
        checkpoint: Option<String>,
        /// How many times every example is seen. Default: as Google chooses.
        epochs: Option<NonZeroU32>,
        /// What Google's own learning rate is multiplied with.
        learning_rate_multiplier: Option<f64>,
        /// The size of the adapter: 1, 2, 4, 8, 16 or 32, of which a model may take fewer. Default: as Google chooses.
        adapter_size: Option<u32>,
        /// What the model is shown as. A model that is tuned on becomes its own next version, unless this names another.
        display_name: Option<String>,
        /// Whether only the last checkpoint is kept. Default: false.
        #[serde(default)]
        last_checkpoint_only: bool,
        /// The largest share of examples, from 0 to 1, that Google may drop. Default: whatever it drops is a warning.
        max_dropped: Option<f64>,
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
    /// The settings of the built-in trainer, if that is what trains.
    fn settings(&self) -> Option<Settings> {
        let usual = Settings::default();
        let Trainer::Builtin { epochs, batch, learning_rate, weight_decay, seed, augment } = self.trainer else {
            return None;
        };
        Some(Settings {
            epochs: epochs.unwrap_or(usual.epochs),
            batch: batch.unwrap_or(usual.batch),
            learning_rate: learning_rate.unwrap_or(usual.learning_rate),
            weight_decay: weight_decay.unwrap_or(usual.weight_decay),
            seed: seed.unwrap_or(usual.seed),
            augment: augment.unwrap_or(usual.augment),
        })
    }

    /// How a model of Gemini is tuned, if that is what trains.
    fn tuning(&self) -> Option<Tuning<'_>> {
        let Trainer::GeminiTuning {
            base,
            from,
            from_model,
            checkpoint,
            epochs,
            learning_rate_multiplier,
            adapter_size,
            display_name,
            last_checkpoint_only,
            max_dropped,
        } = &self.trainer
        else {
            return None;
        };
        Some(Tuning {
            base: base.as_deref(),
            has_from: from.is_some(),
            from_model: from_model.as_deref(),
            checkpoint: checkpoint.as_deref(),
            epochs: *epochs,
            learning_rate_multiplier: *learning_rate_multiplier,
            adapter_size: *adapter_size,
            display_name: display_name.as_deref(),
            last_checkpoint_only: *last_checkpoint_only,
            max_dropped: *max_dropped,
        })
    }

    /// Whether what is named is what its trainer takes.
    fn check(&self) -> Result<(), ConfigProblem> {
        match (self.settings(), self.tuning()) {
            (Some(settings), _) => {
                let wrong =
                    |e: builtin::SettingsError| ConfigProblem::new(format!("trainer.{}", e.field), e.to_string());
                settings.check().map_err(wrong)?;
                if self.frames.is_none() {
                    let help = "frames = \"STAGE\" names the stage that preprocessed the clips";
                    return Err(ConfigProblem::new("frames", "the built-in trainer learns from frames").help(help));
                }
                refuse("clips", !self.clips.is_empty(), "the built-in trainer takes frames and no clips")
            }
            (None, Some(tuning)) => {
                tuning.check()?;
                refuse("frames", self.frames.is_some(), "a tuning of Gemini takes clips and no frames")
            }
            (None, None) => Ok(()),
        }
    }
}

fn refuse(field: &str, is_there: bool, why: &str) -> Result<(), ConfigProblem> {
    if is_there { Err(ConfigProblem::new(field, why)) } else { Ok(()) }
}

/// Of settings that were checked, no more than which trainer they name.
fn names_gemini(config: &Json) -> bool {
    config["trainer"]["type"] == gemini::SERVICE
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
        let confusion = Format::of::<Confusion>("confusion", &["confusion.json"]);
        vec![metrics, confusion, Format::of::<gemini::TunedModel>("tuned-model", &[gemini::MODEL])]
    }

    fn makes(&self, config: &Json) -> Vec<String> {
        if names_gemini(config) { vec![gemini::MODEL.to_owned()] } else { FILES.map(str::to_owned).to_vec() }
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<Config>(config)?.check()
    }

    fn service(&self, config: &Json) -> Option<&'static str> {
        names_gemini(config).then_some(gemini::SERVICE)
    }

    fn request(&self, attempt: &Attempt, desk: &dyn Desk) -> Result<Json, Failure> {
        let config = of_attempt(&attempt.config)?;
        config.tuning().ok_or_else(no_tuning)?.request(attempt, desk)
    }

    fn answered(&self, config: &Json, answer: &Json) -> Result<Made, Failure> {
        of_attempt(config)?.tuning().ok_or_else(no_tuning)?.answered(answer)
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let config: Config = work.config()?;
        let Some(settings) = config.settings() else {
            return Err(Failure::failed("no_worker", "a model of Gemini is tuned by Vertex AI, and by no worker"));
        };
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

fn of_attempt(config: &Json) -> Result<Config, Failure> {
    read_config(config).map_err(|problem| Failure::failed("bad_config", problem.message).on(problem.field))
}

fn no_tuning() -> Failure {
    Failure::failed("bug", "the built-in trainer asks no service")
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
