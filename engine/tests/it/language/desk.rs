//! Files on a desk, and a spec among them that is read and planned with a stage kind that does nothing.

use pipe_engine::backend::{BackendKind, Backends, Beyond, Capability, Need, Reader, Startup, Traffic};
use pipe_engine::failure::Failure;
use pipe_engine::plan::{self, Experience, Lately, Plan, Request, Rows, Wording};
use pipe_engine::spec::{self, Environment, Outside, Read, SpecSchema, Texts};
use pipe_engine::stage::{ConfigProblem, OneResult, Registry, Results, StageKind, read_config};
use pipe_engine::text::{Diagnostic, Sources, render};
use pipe_engine::units::{Bytes, Cpu, Millis, Usd};
use pipe_engine::work::Work;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files by path, and what is said from outside.
#[derive(Clone, Default)]
pub(super) struct Desk {
    files: BTreeMap<PathBuf, String>,
    pub(super) outside: Outside,
    pub(super) rows: Rows,
    pub(super) earlier: Earlier,
}

/// What earlier runs tell, by the names of tasks and stages.
#[derive(Clone, Default)]
pub(super) struct Earlier {
    /// How many seconds each took.
    pub(super) took: BTreeMap<String, u64>,
    /// How many seconds attempts waited at each place.
    pub(super) waited: BTreeMap<String, u64>,
    /// How large the result of each task is.
    pub(super) bytes: BTreeMap<String, u64>,
    /// Where each stage was begun by a run that was given these parameters and has left some of it undone.
    pub(super) begun: BTreeMap<String, (String, Json)>,
}

impl Experience for Earlier {
    fn lately(&self, task: &str) -> Option<Lately> {
        let time = Duration::from_secs(*self.took.get(task)?);
        Some(Lately { median: time, shortest: time, longest: time, attempts: 5 })
    }
    fn startup(&self, place: &str) -> Option<Duration> {
        self.waited.get(place).map(|seconds| Duration::from_secs(*seconds))
    }
    fn bytes(&self, task: &str) -> Option<u64> {
        self.bytes.get(task).copied()
    }
    fn begun(&self, wording: &Wording<'_>, stage: &str) -> Option<String> {
        let (place, params) = self.begun.get(stage)?;
        (Json::Object(wording.params.clone()) == *params).then(|| place.clone())
    }
}

/// What became of the spec.
pub(super) struct Planned {
    pub(super) plan: Option<Plan>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) sources: Sources,
}

impl Desk {
    /// `spec.toml` with these lines after its version and name.
    pub(super) fn with_spec(lines: &str) -> Self {
        Self::default().file("spec.toml", &format!("version = 1\nname = \"x\"\n{lines}"))
    }

    pub(super) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    /// The same with another spec.
    pub(super) fn with(&self, change: impl Fn(&str) -> String) -> Self {
        let spec = change(&self.files[Path::new("spec.toml")]);
        self.clone().file("spec.toml", &spec)
    }

    pub(super) fn env(mut self, variables: &[(&str, &str)]) -> Self {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.outside.environment = Environment::of(owned);
        self
    }

    pub(super) fn param(mut self, name: &str, value: &str) -> Self {
        self.outside.params.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn profile(mut self, name: &str) -> Self {
        self.outside.profile = Some(name.to_owned());
        self
    }

    pub(super) fn rows(mut self, stage: &str, rows: &[Json]) -> Self {
        let rows = rows.iter().map(|row| row.as_object().unwrap().clone()).collect();
        self.rows.insert(stage.to_owned(), vec![(pipe_engine::ids::Cell::default(), rows)]);
        self
    }

    pub(super) fn plan(&self) -> Planned {
        self.plan_of("spec.toml")
    }

    pub(super) fn plan_of(&self, path: &str) -> Planned {
        let kinds = Registry::default().with(Toy);
        let here = Capability { gpus: Some(Vec::new()), slots: Some(2), ..Capability::default() };
        let backends = Backends::default().with(Cloud).with(Hall).with_local(here).with_traffic(Tolls);
        let schema = SpecSchema::of(&kinds, &backends);
        let Read { spec, sources, mut problems } = spec::load(Path::new(path), self, &self.outside, &schema).unwrap();
        let plan = spec.as_ref().and_then(|spec| {
            let base = Path::new(path).parent().unwrap();
            let (kinds, backends, schema, rows) = (&kinds, &backends, &schema, &self.rows);
            let (sources, texts, offline) = (&sources, self, true);
            let request = Request {
                spec,
                sources,
                base,
                texts,
                kinds,
                backends,
                schema,
                schemes: &[],
                offline,
                rows,
                part: None,
                experience: &self.earlier,
            };
            let (plan, more) = plan::build(&request);
            problems.extend(more);
            plan
        });
        Planned { plan, problems, sources }
    }
}

impl Texts for Desk {
    fn read(&self, path: &Path, _: usize) -> io::Result<Vec<u8>> {
        let text = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }
}

impl Planned {
    /// The plan of a spec that is right.
    pub(super) fn right(&self) -> &Plan {
        assert!(self.problems.is_empty(), "{}", self.shown());
        self.plan.as_ref().unwrap()
    }

    /// The codes of what is wrong, in the order they are told.
    pub(super) fn codes(&self) -> Vec<&'static str> {
        self.problems.iter().map(|problem| problem.code).collect()
    }

    pub(super) fn shown(&self) -> String {
        render(&self.sources, &self.problems, false)
    }

    /// The tasks of a stage, as a person writes them.
    pub(super) fn tasks(&self, stage: &str) -> Vec<String> {
        let of_stage = self.right().tasks().filter(|task| task.id.stage == stage);
        of_stage.map(|task| task.id.to_string()).collect()
    }

    /// The setting `say` of a stage's first task.
    pub(super) fn said(&self, stage: &str) -> Json {
        self.right().tasks().find(|task| task.id.stage == stage).unwrap().config["say"].clone()
    }

    /// The tasks whose results a task takes.
    pub(super) fn inputs(&self, task: &str) -> Vec<String> {
        let plan = self.right();
        let task = plan.tasks().find(|other| other.id.to_string() == task).unwrap();
        let needed = task.inputs.iter().flat_map(|input| input.tasks.iter());
        needed.map(|index| plan.task(index.index()).id.to_string()).collect()
    }
}

/// A stage kind that does nothing.
struct Toy;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape counts")]
struct ToyConfig {
    say: Option<Json>,
    one: Option<OneResult>,
    #[serde(default)]
    from: Vec<Results>,
}

impl StageKind for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn rows(&self) -> &'static [&'static str] {
        &["rows.json"]
    }
    fn code(&self) -> String {
        "1".to_owned()
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        ToyConfig::json_schema(generator)
    }
    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<ToyConfig>(config).map(drop)
    }
    fn run(&self, _: &Work<'_>) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

/// A place with limits and a price.
struct Cloud;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CloudConfig {
    project: Option<String>,
    /// How many times as dear it is; 0 where nobody knows the price.
    factor: Option<u64>,
    /// How many seconds an attempt waits there, and pays for.
    waits: Option<u64>,
    /// The region of its machines.
    region: Option<String>,
}

/// A GiB out of a bucket costs 0.1 USD, and 0.01 between regions.
struct Tolls;

impl Traffic for Tolls {
    fn gib(&self, _: &str, location: Option<&str>, reader: Reader<'_>) -> Option<Usd> {
        match reader {
            Reader::Outside => Some(Usd(100_000)),
            Reader::In(region) => Some(Usd(if location? == region { 0 } else { 10_000 })),
        }
    }
}

impl BackendKind for Cloud {
    fn name(&self) -> &'static str {
        "cloud"
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        CloudConfig::json_schema(generator)
    }
    fn variables(&self) -> &'static [(&'static str, &'static [&'static str])] {
        &[("project", &["CLOUD_PROJECT", "PROJECT"])]
    }
    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        match read_config::<CloudConfig>(config)?.project {
            Some(_) => Ok(()),
            None => Err(ConfigProblem::new("project", "its project is written nowhere")),
        }
    }
    fn capability(&self, _: &Json) -> Capability {
        Capability {
            cpu: Some(Cpu(8000)),
            memory: Some(Bytes(32 << 30)),
            gpus: Some(vec![("l4".to_owned(), 1)]),
            timeout: Some(Millis(3_600_000)),
            is_remote: true,
            is_priced: true,
            ..Capability::default()
        }
    }
    fn beyond(&self, _: &Json, need: &Need, _: Option<Millis>) -> Vec<Beyond> {
        let is_much = need.cpu > Cpu(4000) && need.gpu.is_some();
        let words = "5 CPUs with a GPU, and it has at most 4".to_owned();
        is_much.then_some(Beyond { field: "resources.cpu", words }).into_iter().collect()
    }
    fn location(&self, config: &Json) -> Option<String> {
        read_config::<CloudConfig>(config).ok()?.region
    }
    fn startup(&self, config: &Json) -> Startup {
        let waits = read_config::<CloudConfig>(config).ok().and_then(|config| config.waits).unwrap_or(0);
        Startup { time: Millis(waits * 1000), is_charged: true }
    }
    fn price(&self, config: &Json, need: &Need, time: Millis) -> Option<Usd> {
        let factor = read_config::<CloudConfig>(config).ok()?.factor.unwrap_or(1);
        (factor > 0).then(|| Usd(u64::from(need.cpu.0) * time.0 / 1000 * factor))
    }
}

/// A place that holds anything, and of which no price is known.
struct Hall;

impl BackendKind for Hall {
    fn name(&self) -> &'static str {
        "hall"
    }
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "object" })
    }
    fn check(&self, _: &Json) -> Result<(), ConfigProblem> {
        Ok(())
    }
    fn capability(&self, _: &Json) -> Capability {
        Capability { is_remote: true, is_priced: true, ..Capability::default() }
    }
}
