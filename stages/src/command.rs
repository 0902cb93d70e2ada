//! `kind = "command"`: a program of the author's. It starts in an empty folder, finds what it was promised and writes
//! under `$PIPE_OUTPUT`.

use pipe_engine::failure::Failure;
use pipe_engine::stage::{ClassRule, ConfigProblem, InputFile, Launch, ProjectFile, Results, StageKind, read_config};
use pipe_engine::work::Work;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Component, Path};

pub(crate) struct Command;

/// Runs a program. It starts in a folder that holds what `files` names, finds its inputs through `$PIPE_INPUT_X` and
/// writes under `$PIPE_OUTPUT`. A JSON object of at most 16 KiB that it writes to `result.json` there is what `when` of other
/// stages and reports read of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The program and its arguments, each element one argument. No shell comes between.
    #[schemars(with = "Option<Vec<String>>", length(min = 1))]
    argv: Option<Vec<Argument>>,
    /// Or lines for `sh -e`. Templates cannot stand in it: matrix keys are there as `$PIPE_CELL_GAME`, and `env` gives it
    /// whatever else it needs, so that no value can become code.
    #[schemars(length(min = 1), extend("format" = "no-template"))]
    shell: Option<String>,
    /// Files of the project it needs, such as `["tools/report.py"]`. They are placed in its folder under these paths.
    #[serde(default)]
    #[expect(dead_code, reason = "the engine finds them by their mark")]
    files: Vec<ProjectFile>,
    /// What it needs, by name: `{ stage = "model" }` or `{ file = "rules.txt" }`. `$PIPE_INPUT_NAME` leads there: to the
    /// file, or to a folder with the stage's files. Where the stage has matrix keys that this one has not, its results
    /// are gathered and each lies in a folder named after its cell. Of a stage that has no result, because this one runs
    /// after a failure, there is an empty folder.
    #[serde(default)]
    inputs: BTreeMap<String, Input>,
    /// What must exist under `$PIPE_OUTPUT` when it ends. When others are spread over its rows with `foreach`, it writes
    /// these as `rows.json`, a list of objects, or `rows.jsonl`, one object a line.
    #[serde(default)]
    outputs: Vec<String>,
    /// Which failures of it are of another class than `failed`, such as `{ exit = 75, class = "transient" }` or
    /// `{ pattern = "CUDA out of memory", class = "out-of-memory" }`; the first that holds counts. The class decides how
    /// often it is tried again.
    #[serde(default)]
    classes: Vec<ClassRule>,
    /// Whether it keeps what it has reached in `$PIPE_CHECKPOINTS`, a folder that every further attempt at the same work
    /// on this machine finds again as the last one left it. Nothing in it is a result, and it goes when there is one.
    #[serde(default)]
    checkpoints: bool,
}

/// One argument of a program. A template that stands alone has the type of its value, so `"{{ epochs }}"` may be a number.
#[derive(Deserialize)]
#[serde(from = "Scalar")]
struct Argument(String);

/// What can be an argument.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Whole(i64),
    Number(f64),
    Truth(bool),
}

impl From<Scalar> for Argument {
    fn from(scalar: Scalar) -> Self {
        Self(match scalar {
            Scalar::Text(text) => text,
            Scalar::Whole(number) => number.to_string(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Truth(truth) => truth.to_string(),
        })
    }
}

/// Write `{ stage = "model" }` for the results of a stage, or `{ file = "rules.txt" }` for a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// A stage whose results it gets as a folder.
    stage: Option<Results>,
    /// Whether it gets the results of every cell, also of those that do not belong to its own. Each lies in a folder named
    /// after its cell.
    #[serde(default)]
    all: bool,
    /// A file outside the store.
    file: Option<InputFile>,
}

impl StageKind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn code(&self) -> String {
        "1".to_owned()
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn rows(&self) -> &'static [&'static str] {
        &["rows.json", "rows.jsonl"]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        let config: Config = read_config(config)?;
        check_input_names(&config)?;
        if config.argv.is_some() == config.shell.is_some() {
            let message = "a command has either `argv` or `shell`";
            return Err(
                ConfigProblem::new("", message).help("write argv = [\"program\", \"argument\"], or shell = \"...\"")
            );
        }
        for (name, input) in &config.inputs {
            if input.stage.is_some() == input.file.is_some() {
                return Err(ConfigProblem::new(format!("inputs.{name}"), "an input is either a stage or a file")
                    .help("write { stage = \"NAME\" } or { file = \"PATH\" }"));
            }
            if input.all && input.stage.is_none() {
                return Err(ConfigProblem::new(format!("inputs.{name}.all"), "a file has no cells")
                    .help("take `all` out, or name a stage"));
            }
        }
        config.classes.iter().enumerate().try_for_each(|(place, rule)| rule.check(place))?;
        for (i, output) in config.outputs.iter().enumerate() {
            if !stays_inside(output) {
                return Err(ConfigProblem::new(
                    format!("outputs[{i}]"),
                    format!("`{output}` leads out of the output folder"),
                )
                .help("name a path under $PIPE_OUTPUT, without a leading `/` and without `..`"));
            }
        }
        Ok(())
    }

    fn aside(&self) -> &'static [&'static str] {
        &["classes", "checkpoints"]
    }

    fn loose(&self, config: &Json) -> Vec<(String, String)> {
        let arguments = config["argv"].as_array().into_iter().flatten().enumerate();
        arguments.filter_map(|(i, argument)| Some((format!("argv[{i}]"), argument.as_str()?.to_owned()))).collect()
    }

    fn launch(&self, config: &Json) -> Launch {
        let config: Config = read_config(config).expect("checked before it is launched");
        let argv = config.argv.map(|argv| argv.into_iter().map(|Argument(text)| text).collect());
        let shell = config.shell.map(|lines| vec!["sh".to_owned(), "-ec".to_owned(), lines]);
        let Config { outputs, classes, checkpoints, .. } = config;
        Launch::Program { argv: argv.or(shell).unwrap_or_default(), outputs, classes, checkpoints }
    }

    fn run(&self, _: &Work<'_>) -> Result<Json, Failure> {
        Err(Failure::failed("no_worker", "a command is started as a program of its own, never by a worker"))
    }
}

/// An input's name becomes a variable's, in capitals, so it must be one and no other input's.
fn check_input_names(config: &Config) -> Result<(), ConfigProblem> {
    let mut seen = BTreeMap::new();
    for name in config.inputs.keys() {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let problem = |message: String| ConfigProblem::new(format!("inputs.{name}"), message);
        if !is_name {
            return Err(problem(format!("an input cannot be named `{name}`"))
                .help("use letters, digits and `_`, and begin with a letter: it becomes $PIPE_INPUT_NAME"));
        }
        if let Some(other) = seen.insert(name.to_ascii_uppercase(), name) {
            return Err(
                problem(format!("`{name}` and `{other}` would be the same variable")).help("rename one of them")
            );
        }
    }
    Ok(())
}

fn stays_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}
