//! What a stage kind is: how its settings look, what decides its output, how it is run.

mod classes;
mod fields;
mod format;
mod marks;
mod request;

pub use classes::{ClassRule, Exits};
pub use fields::{InputFile, InputSource, Mark, Marked, OneResult, ProjectFile, Results, TemplateFile};
pub use format::Format;
pub use marks::Marks;
pub use request::{Desk, Made};

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::ids::Cell;
use crate::remote::Remotes;
use crate::store::Store;
use crate::work::Work;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// One kind of work a spec can name with `kind = "..."`.
pub trait StageKind: Send + Sync {
    /// Its name in specs.
    fn name(&self) -> &'static str;

    /// What its output depends on besides its settings and inputs: a number that is raised whenever the same input
    /// would give other bytes, and the versions of the native libraries that shape them.
    fn code(&self) -> String;

    /// The shape of its settings, as an object.
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// Looks at settings whose shape is right and whose templates are resolved.
    ///
    /// # Errors
    /// What is wrong, and in which field.
    fn check(&self, config: &Json) -> Result<(), ConfigProblem>;

    /// Looks at a task before anything runs, with the files it names: prepares a query, renders a template on a sample.
    /// It should be over in milliseconds.
    fn probe(&self, _probe: &Probe<'_>) -> Probed {
        Probed::default()
    }

    /// Suffixes of files that belong to an input file when they are there, such as a database's log beside it.
    fn companions(&self) -> &'static [&'static str] {
        &[]
    }

    /// The forms of the files it writes that others read too.
    fn formats(&self) -> Vec<Format> {
        Vec::new()
    }

    /// Settings that decide nothing about a result, such as what is tried again: they are not in the key.
    fn aside(&self) -> &'static [&'static str] {
        &[]
    }

    /// Texts that may name files of the project without being marked as such, each with its field: a program's
    /// arguments. Whoever means a file by one has to name it in a marked field too.
    fn loose(&self, _config: &Json) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The names of the file of its results that holds rows, of which the first that is there counts; none when its
    /// results are no rows. Other stages may be spread over them with `foreach`.
    fn rows(&self) -> &'static [&'static str] {
        &[]
    }

    /// The files that every result of a task with these settings has, by their paths: what lacks one of them was made
    /// by something else.
    fn makes(&self, config: &Json) -> Vec<String> {
        match self.launch(config) {
            Launch::Program { outputs, .. } => outputs,
            Launch::Worker => Vec::new(),
        }
    }

    /// How a task of this kind is started.
    fn launch(&self, _config: &Json) -> Launch {
        Launch::Worker
    }

    /// The service that does the work of a task with these settings, in place of a worker. Only a place that offers it can
    /// have the task.
    fn service(&self, _config: &Json) -> Option<&'static str> {
        None
    }

    /// What such a task asks its service for, once its inputs are there. Whatever would be refused, or paid for in vain, is
    /// found here: nobody has been asked yet.
    ///
    /// # Errors
    /// Why it is not to be asked for.
    fn request(&self, attempt: &Attempt, _desk: &dyn Desk) -> Result<Json, Failure> {
        Err(Failure::failed("bug", "the stage kind asks no service").on(&attempt.kind))
    }

    /// What comes of the answer of a service that has done the work.
    ///
    /// # Errors
    /// Why what was made is not to be used.
    fn answered(&self, _config: &Json, _answer: &Json) -> Result<Made, Failure> {
        Err(Failure::failed("bug", "the stage kind asks no service"))
    }

    /// Does the work, in a worker process. Returns a few small facts about the result.
    ///
    /// # Errors
    /// Whatever stopped it.
    fn run(&self, work: &Work<'_>) -> Result<Json, Failure>;
}

/// What a task would get, as far as that can be told before anything runs.
pub struct Probe<'a> {
    /// Its settings, templates resolved.
    pub config: &'a Json,
    /// Its cell.
    pub cell: &'a Cell,
    /// The files outside the store it names, by field. They are there.
    pub files: &'a BTreeMap<String, PathBuf>,
    /// A record of what each input holds, by field, where the stage that makes it could tell.
    pub inputs: &'a BTreeMap<String, Json>,
}

/// What a look at a task found.
#[derive(Clone, Debug, Default)]
pub struct Probed {
    /// A record such as the task's result will hold.
    pub sample: Option<Json>,
    /// What is wrong.
    pub problems: Vec<ConfigProblem>,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The field, as a path such as `source.path` or `size[0]`; empty for the stage as a whole.
    pub field: String,
    /// What is wrong, for people.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl ConfigProblem {
    /// A problem of one field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), help: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads settings into their type, naming the field that does not fit.
///
/// # Errors
/// The field and the reason.
pub fn read_config<T: serde::de::DeserializeOwned>(config: &Json) -> Result<T, ConfigProblem> {
    // Nearly all settings are right, and following the path through them doubles the cost.
    T::deserialize(config).or_else(|_| serde_path_to_error::deserialize(config)).map_err(|error| {
        let field = error.path().to_string();
        let field = if field == "." { String::new() } else { field };
        ConfigProblem::new(field, error.into_inner().to_string())
    })
}

/// How a task is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// As `pipe worker`, which calls [`StageKind::run`].
    Worker,
    /// As a program of the author's.
    Program {
        /// The program and its arguments.
        argv: Vec<String>,
        /// What must exist in the output folder when it ends.
        outputs: Vec<String>,
        /// What sort of failure its ends are; of several rules that hold, the first counts.
        classes: Vec<ClassRule>,
        /// Whether it has a folder for what it has reached.
        checkpoints: bool,
    },
}

/// The stage kinds of a build, and what opens sources elsewhere for them.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Arc<dyn StageKind>>,
    remotes: Option<Arc<dyn Remotes>>,
    bucket: Option<(String, Arc<dyn Store>)>,
}

impl Registry {
    /// Adds a kind.
    #[must_use]
    pub fn with(mut self, kind: impl StageKind + 'static) -> Self {
        self.kinds.insert(kind.name(), Arc::new(kind));
        self
    }

    /// The same, with what opens sources elsewhere.
    #[must_use]
    pub fn with_remotes(self, remotes: Arc<dyn Remotes>) -> Self {
        Self { remotes: Some(remotes), ..self }
    }

    /// What opens sources elsewhere; `None` in a build that reads files of this machine only.
    pub fn remotes(&self) -> Option<&Arc<dyn Remotes>> {
        self.remotes.as_ref()
    }

    /// The same, for workers that find items in a bucket: at this URI.
    #[must_use]
    pub fn with_bucket(self, uri: &str, bucket: Arc<dyn Store>) -> Self {
        Self { bucket: Some((uri.to_owned(), bucket)), ..self }
    }

    /// The bucket that workers find items in, and its URI.
    pub fn bucket(&self) -> Option<&(String, Arc<dyn Store>)> {
        self.bucket.as_ref()
    }

    /// The kind of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn StageKind>> {
        self.kinds.get(name)
    }

    /// All kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<dyn StageKind>> {
        self.kinds.values()
    }
}
