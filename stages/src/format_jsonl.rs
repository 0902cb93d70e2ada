//! `kind = "format-jsonl"`: clips -> records for fine-tuning, rendered through a template and split without leakage.

use crate::jsonl;
use crate::records::{CLIPS, ClipRecord, RECORDS, Row, TrainingRecord};
use pipe_engine::failure::Failure;
use pipe_engine::ids::scalar;
use pipe_engine::spec::template::{Context, TemplateError, Templates};
use pipe_engine::stage::{ConfigProblem, Format, Probe, Probed, Results, StageKind, TemplateFile, read_config};
use pipe_engine::work::Work;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) struct FormatJsonl;

/// Renders one record for each clip through a template and splits the records by group, so that what is validated on
/// was never trained on. Writes `train.jsonl` and `validation.jsonl`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The stages that give the clips.
    #[schemars(length(min = 1))]
    from: Vec<Results>,
    /// A template that makes one JSON object. It can use `clip`, `row` (the play's columns) and `cell`, and the filter
    /// `json` to quote values. `clip.path` is relative to the gathered clips: to the folder that a command finds as
    /// `$PIPE_INPUT_CLIPS` when it says `inputs = { clips = { stage = "clips" } }`.
    #[expect(dead_code, reason = "the engine finds the file by its mark")]
    template: TemplateFile,
    /// How records are split. Without it there is only `train.jsonl`.
    split: Option<Split>,
}

/// How records are split.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Split {
    /// The share of groups that is held out, above 0 and below 1. At least one group is on each side.
    #[schemars(range(min = 0.0, max = 1.0))]
    validation: f64,
    /// What makes a group: a key of the clips' cells or a column of the plays, such as `game`.
    by: String,
    /// Which groups are held out. Default: 0.
    #[serde(default)]
    seed: u64,
}

impl StageKind for FormatJsonl {
    fn name(&self) -> &'static str {
        "format-jsonl"
    }

    fn code(&self) -> String {
        "1 minijinja 3".to_owned()
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn formats(&self) -> Vec<Format> {
        vec![Format::of::<TrainingRecord>("training-record", &RECORDS)]
    }

    fn makes(&self, config: &Json) -> Vec<String> {
        let is_split = config.get("split").is_some_and(|split| !split.is_null());
        RECORDS.iter().take(if is_split { 2 } else { 1 }).map(|file| (*file).to_owned()).collect()
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        let config: Config = read_config(config)?;
        match config.split {
            Some(split) if split.validation <= 0.0 || split.validation >= 1.0 => {
                Err(ConfigProblem::new("split.validation", format!("{} is not between 0 and 1", split.validation))
                    .help("0.2 holds out a fifth of the groups"))
            }
            _ => Ok(()),
        }
    }

    /// One record is made of a sample clip, so that a misspelt column in the template is found before anything runs.
    fn probe(&self, probe: &Probe<'_>) -> Probed {
        let (Ok(config), Some(path)) = (read_config::<Config>(probe.config), probe.files.get("template")) else {
            return Probed::default();
        };
        let problem = |field: &str, failure: Failure| {
            let on = failure.on.as_ref().map_or_else(String::new, |on| format!("{on}: "));
            let found = ConfigProblem::new(field, format!("{on}{}", failure.message));
            failure.help.into_iter().fold(found, ConfigProblem::help)
        };
        let name = probe.config["template"].as_str().unwrap_or_default();
        let renderer = match Renderer::open(path, name) {
            Ok(renderer) => renderer,
            Err(failure) => return Probed { problems: vec![problem("template", failure)], sample: None },
        };
        let mut problems = Vec::new();
        if let Err(error) = renderer.templates.check(&renderer.text) {
            problems.push(problem("template", renderer.failed(error)));
        }
        let samples = probe.inputs.values().filter_map(|sample| serde_json::from_value(sample.clone()).ok());
        for clip in samples.filter(|_: &ClipRecord| problems.is_empty()).collect::<Vec<_>>() {
            problems.extend(renderer.record(&clip).err().map(|failure| problem("template", failure)));
            let by = config.split.as_ref().and_then(|split| group(&clip, &split.by).err());
            problems.extend(by.map(|failure| problem("split.by", Failure { on: None, ..failure })));
        }
        Probed { problems, sample: None }
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let config: Config = work.config()?;
        let clips = clips(work, config.from.len())?;
        let renderer = Renderer::read(work)?;
        let held_out = match &config.split {
            Some(split) => held_out(&clips, split)?,
            None => BTreeSet::new(),
        };
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for (i, clip) in clips.iter().enumerate() {
            let group = config.split.as_ref().map(|split| group(clip, &split.by)).transpose()?;
            let record = renderer.record(clip)?;
            if group.is_some_and(|g| held_out.contains(&g)) {
                validation.push(record)
            } else {
                train.push(record)
            }
            work.progress(i + 1, clips.len(), "records");
        }
        let [train_file, validation_file] = RECORDS;
        work.write(train_file, &jsonl::write(&train))?;
        if config.split.is_some() {
            work.write(validation_file, &jsonl::write(&validation))?;
        }
        Ok(json!({ "train": train.len(), "validation": validation.len(), "held_out": held_out }))
    }
}

/// All clips, sorted by id: the order in which they came must not show in the result.
fn clips(work: &Work<'_>, fields: usize) -> Result<Vec<ClipRecord>, Failure> {
    let mut clips: Vec<ClipRecord> = Vec::new();
    for input in (0..fields).flat_map(|i| work.inputs(&format!("from[{i}]"))) {
        let found = jsonl::read::<ClipRecord>(&work.path_in(input, CLIPS)?)?;
        clips.extend(found.into_iter().filter(ClipRecord::is_cut));
    }
    clips.sort_by(|a, b| a.id.cmp(&b.id));
    match clips.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(Failure::failed("same_clip", format!("two clips have the id `{}`", pair[0].id))
            .help("name each stage once in `from`")),
        None if clips.is_empty() => Err(Failure::failed("no_clips", "there are no clips to make records of")),
        None => Ok(clips),
    }
}

/// The group a clip belongs to.
fn group(clip: &ClipRecord, by: &str) -> Result<String, Failure> {
    clip.cell.get(by).or_else(|| clip.row.get(by)).map(scalar).ok_or_else(|| {
        let known: Vec<&str> = clip.cell.keys().chain(clip.row.keys().map(String::as_str)).collect();
        Failure::failed("no_group", format!("clips have no `{by}` to split by"))
            .on(clip.id.clone())
            .help(format!("split by one of {}", known.join(", ")))
    })
}

/// The groups that are held out: the first in an order that only their names and the seed decide, so that a new game
/// moves as few others as can be to the other side.
fn held_out(clips: &[ClipRecord], split: &Split) -> Result<BTreeSet<String>, Failure> {
    let groups = clips.iter().map(|clip| group(clip, &split.by)).collect::<Result<BTreeSet<_>, _>>()?;
    if groups.len() < 2 {
        let message = format!("a split needs at least 2 groups of `{}`, and there is {}", split.by, groups.len());
        let found = groups.into_iter().next().unwrap_or_default();
        return Err(Failure::failed("one_group", message).on(found).help("add games, or take `split` out"));
    }
    let wanted = (groups.len() as f64 * split.validation).round() as usize;
    let at_most = groups.len() - 1;
    let mut drawn: Vec<(blake3::Hash, String)> =
        groups.into_iter().map(|g| (blake3::hash(format!("{}:{g}", split.seed).as_bytes()), g)).collect();
    drawn.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    Ok(drawn.into_iter().take(wanted.clamp(1, at_most)).map(|(_, group)| group).collect())
}

struct Renderer {
    templates: Templates,
    text: String,
    name: String,
}

impl Renderer {
    fn read(work: &Work<'_>) -> Result<Self, Failure> {
        let file = work.file("template")?;
        Self::open(&file.path, &file.written)
    }

    fn open(path: &Path, name: &str) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|e| Failure::io("read the template", path, &e))?;
        Ok(Self { templates: Templates::new(), text, name: name.to_owned() })
    }

    fn failed(&self, error: TemplateError) -> Failure {
        let line = error.range.as_ref().map_or(1, |r| self.text[..r.start.min(self.text.len())].lines().count().max(1));
        let failure = Failure::failed("bad_template", error.message).on(format!("{}:{line}", self.name));
        error.help.into_iter().fold(failure, Failure::help)
    }

    /// One clip's record: whatever the template makes must be one JSON object.
    fn record(&self, clip: &ClipRecord) -> Result<Row, Failure> {
        let made = self.templates.value(&self.text, &context(clip)).map_err(|error| self.failed(error))?;
        let text = made.as_str().map_or_else(|| made.to_string(), str::to_owned);
        serde_json::from_str(&text).map_err(|e| {
            Failure::failed("bad_record", "the template did not make a JSON object")
                .on(format!("{} for clip {}: {}", self.name, clip.id, text.trim()))
                .source(e)
                .help("quote values with the filter `json`: {{ row.label | json }}")
        })
    }
}

fn context(clip: &ClipRecord) -> Context {
    let cell = clip.cell.to_json();
    let path = format!("{}/{}", clip.cell.folder(), clip.path);
    let facts = json!({
        "id": clip.id, "play": clip.play, "angle": clip.angle, "path": path,
        "start_ms": clip.start_ms, "end_ms": clip.end_ms, "frames": clip.frames,
    });
    Context::new().with("clip", &facts).with("cell", &cell).with("row", &Json::Object(clip.row.clone()))
}
