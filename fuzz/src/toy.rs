//! Kinds of stages that do nothing but have every sort of setting, and a folder with a few files.

use crate::case::Case;
use pipe_engine::backend::{BackendKind, Backends, Capability};
use pipe_engine::failure::Failure;
use pipe_engine::ids::Cell;
use pipe_engine::plan::{self, NoExperience, Plan, Request, Rows};
use pipe_engine::spec::{Spec, SpecSchema};
use pipe_engine::stage::{ConfigProblem, InputFile, OneResult, ProjectFile, Registry, Results, StageKind, read_config};
use pipe_engine::text::{Diagnostic, Sources};
use pipe_engine::units::{Bytes, Millis, MillisRange};
use pipe_engine::work::Work;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::OnceLock;
use tempfile::TempDir;

/// What specs are read and planned with.
pub(crate) struct Project {
    pub(crate) kinds: Registry,
    pub(crate) backends: Backends,
    pub(crate) schema: SpecSchema,
    pub(crate) folder: TempDir,
}

impl Project {
    /// Unless `offline`, files and programs that the spec names are looked for, which bytes that are made up must not
    /// cause.
    pub(crate) fn plan(
        &self,
        case: &Case,
        spec: &Spec,
        sources: &Sources,
        rows: &Rows,
        offline: bool,
    ) -> (Option<Plan>, Vec<Diagnostic>) {
        plan::build(&Request {
            spec,
            sources,
            base: self.folder.path(),
            kinds: &self.kinds,
            backends: &self.backends,
            schema: &self.schema,
            schemes: &["gs", "s3"],
            part: None,
            offline,
            rows,
            texts: case,
            experience: &NoExperience,
        })
    }
}

/// The one project of this process.
pub(crate) fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| {
        let kinds = Registry::default().with(Make).with(Take);
        let backends = Backends::default().with(Cloud);
        let schema = SpecSchema::of(&kinds, &backends);
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        fs::write(folder.path().join("a.txt"), "a").expect("a file can be written");
        fs::create_dir(folder.path().join("d")).expect("a folder can be made");
        symlink("/etc", folder.path().join("out")).expect("a link can be made");
        Project { kinds, backends, schema, folder }
    })
}

/// Makes something of files and numbers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "settings are read and never used")]
struct MakeConfig {
    /// What it runs.
    #[schemars(length(min = 1, max = 9))]
    argv: Vec<String>,
    /// Files of the project.
    #[serde(default)]
    files: Vec<ProjectFile>,
    /// A file.
    file: Option<InputFile>,
    /// A name.
    #[schemars(length(min = 2, max = 5))]
    name: Option<String>,
    /// A size.
    size: Option<Bytes>,
    /// A duration.
    rest: Option<Millis>,
    /// A range of durations.
    backoff: Option<MillisRange>,
    /// A share.
    #[schemars(range(min = 0.0, max = 1.0))]
    share: Option<f64>,
    /// A width and a height.
    extent: Option<(u32, u32)>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Anything.
    any: Option<Json>,
}

/// Makes something of other stages' results.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "settings are read and never used")]
struct TakeConfig {
    /// One result.
    one: Option<OneResult>,
    /// Many results.
    #[serde(default)]
    many: Vec<Results>,
    /// Results by name.
    #[serde(default)]
    inputs: BTreeMap<String, Results>,
    /// Where from.
    source: Option<Source>,
    /// How.
    mode: Option<Mode>,
    /// One or many.
    either: Option<Either>,
    /// Whether at all.
    on: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "settings are read and never used")]
enum Source {
    /// A file.
    File {
        /// Its path.
        path: InputFile,
    },
    /// A server.
    Server {
        /// Its name.
        host: String,
        /// Its port.
        port: Option<u16>,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Fast,
    Exact,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "settings are read and never used")]
enum Either {
    One(String),
    Many(Vec<String>),
    Named { name: String },
}

macro_rules! toy_kind {
    ($kind:ident, $name:literal, $config:ident) => {
        struct $kind;

        impl StageKind for $kind {
            fn name(&self) -> &'static str {
                $name
            }
            fn code(&self) -> String {
                "1".to_owned()
            }
            fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
                $config::json_schema(generator)
            }
            fn rows(&self) -> &'static [&'static str] {
                &["rows.json"]
            }
            fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
                read_config::<$config>(config).map(drop)
            }
            fn run(&self, _: &Work<'_>) -> Result<Json, Failure> {
                Err(Failure::failed("no_worker", "a toy does no work"))
            }
        }
    };
}

/// What the stages of a plan make that others are spread over: two rows each.
pub(crate) fn rows(plan: &Plan) -> Rows {
    let row = |id: &str| [("id".to_owned(), json!(id)), ("n".to_owned(), json!(5))].into_iter().collect();
    let waited_for = plan.stages.iter().filter_map(|stage| stage.waits_for);
    waited_for
        .map(|place| (plan.stages[place].name.clone(), vec![(Cell::default(), vec![row("r1"), row("r2")])]))
        .collect()
}

/// A place to run that has little room.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "settings are read and never used")]
struct CloudConfig {
    /// Whose it is.
    project: String,
    /// Where it is.
    region: Option<String>,
}

struct Cloud;

impl BackendKind for Cloud {
    fn name(&self) -> &'static str {
        "cloud"
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        CloudConfig::json_schema(generator)
    }
    fn variables(&self) -> &'static [(&'static str, &'static [&'static str])] {
        &[("project", &["PROJECT", "CLOUD_PROJECT"]), ("region", &["REGION"])]
    }
    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<CloudConfig>(config).map(drop)
    }
    fn capability(&self, _: &Json) -> Capability {
        Capability {
            memory: Some(Bytes(8 << 30)),
            timeout: Some(Millis(3_600_000)),
            is_priced: true,
            ..Capability::default()
        }
    }
}

toy_kind!(Make, "make", MakeConfig);
toy_kind!(Take, "take", TakeConfig);
