//! Every spec that is kept in the project -> what is made of it, or of another text in its place: beside the same files,
//! under the same command line, with every kind of stage and place of this build.

use crate::bench::Bench;
use crate::corpus;
use crate::features::can_plan;
use crate::reference;
use crate::reference_page::blocks;
use pipe_engine::backend::Backends;
use pipe_engine::plan::{self, NoExperience, Plan, Request, Rows};
use pipe_engine::spec::{self, Disk, Environment, Outside, Read, SpecSchema, Texts};
use pipe_engine::stage::Registry;
use pipe_engine::text::{Diagnostic, Severity, Sources};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A spec, and all that belongs to it besides its text.
pub(crate) struct Seed {
    /// Where it is kept.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) is_yaml: bool,
    /// Whether nothing is wrong with it.
    pub(crate) is_good: bool,
    path: PathBuf,
    outside: Outside,
    /// Whether it is planned without a look at the files it names.
    offline: bool,
    _folder: Option<Rc<Bench>>,
}

/// What became of a text.
pub(crate) struct Made {
    pub(crate) plan: Option<Plan>,
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) sources: Sources,
}

impl Made {
    pub(crate) fn is_wrong(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The tasks of the plan by name.
    pub(crate) fn tasks(&self) -> Vec<String> {
        self.plan.iter().flat_map(Plan::tasks).map(|task| task.id.to_string()).collect()
    }
}

/// What this build can plan with.
pub(crate) struct Kit {
    kinds: Registry,
    backends: Backends,
    schema: SpecSchema,
}

impl Kit {
    pub(crate) fn new() -> Self {
        let kinds = pipe_stages::all();
        #[cfg(feature = "cloud")]
        let kinds = kinds.with_remotes(std::sync::Arc::new(pipe_stores::WebAndBuckets::default()));
        #[cfg(feature = "cloud")]
        let backends = pipe_backends::all();
        #[cfg(not(feature = "cloud"))]
        let backends = Backends::default();
        let schema = SpecSchema::of(&kinds, &backends);
        Self { kinds, backends, schema }
    }

    /// Reads and plans `text` in the place of the seed's own. `offline`: without a look at the files it names.
    pub(crate) fn make(&self, seed: &Seed, text: &str, offline: bool) -> Made {
        let texts = InPlace { path: &seed.path, text };
        let Read { spec, sources, mut problems } =
            spec::load(&seed.path, &texts, &seed.outside, &self.schema).expect("the spec itself is there");
        let plan = spec.as_ref().and_then(|spec| {
            let (base, offline) = (seed.path.parent().unwrap(), offline || seed.offline);
            let Self { kinds, backends, schema } = self;
            let (sources, rows, schemes) = (&sources, &Rows::new(), &["gs", "s3"]);
            let texts = &texts;
            let request = Request {
                spec,
                sources,
                base,
                texts,
                kinds,
                backends,
                schema,
                offline,
                schemes,
                rows,
                part: None,
                experience: &NoExperience,
            };
            let (plan, more) = plan::build(&request);
            problems.extend(more);
            plan
        });
        Made { plan, problems, sources }
    }
}

/// The files of this machine, but for one.
struct InPlace<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Texts for InPlace<'_> {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        if path != self.path {
            return Disk.read(path, most);
        }
        let bytes = self.text.as_bytes();
        Ok(bytes[..bytes.len().min(most + 1)].to_vec())
    }
}

/// What a command line such as `X=1 pipe plan spec.toml -P x=1 --profile prod` says of a spec in a folder.
fn outside(variables: &[(String, String)], arguments: &[String], folder: &Path) -> Outside {
    let mut outside = Outside { environment: Environment::of(variables.iter().cloned()), ..Outside::default() };
    for pair in arguments.windows(2) {
        let (option, value) = (pair[0].as_str(), pair[1].as_str());
        match option {
            "-P" => outside.params.extend(value.split_once('=').map(|(name, value)| (name.into(), value.into()))),
            "--profile" => outside.profile = Some(value.to_owned()),
            "--params" => outside.params_file = Some(folder.join(value)),
            _ => {}
        }
    }
    outside
}

/// The examples of the reference; those in TOML as YAML too.
fn of_reference() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for block in blocks().into_iter().filter(|block| block.is_spec() && can_plan(&block.text)) {
        let example = reference::Try::new(&block, &block.whole(), &block.language);
        let folder = example.bench.path("");
        let bench = Rc::new(example.bench);
        let seed = |text: String, is_yaml: bool| Seed {
            name: format!("docs/spec.md:{}", block.line),
            text,
            is_yaml,
            is_good: block.wrong().is_empty(),
            path: folder.join(if is_yaml { "spec.yaml" } else { "spec.toml" }),
            outside: outside(&example.variables, &example.arguments, &folder),
            offline: example.arguments.iter().any(|argument| argument == "--offline"),
            _folder: Some(bench.clone()),
        };
        let is_yaml = block.language == "yaml";
        seeds.push(seed(block.whole(), is_yaml));
        if !is_yaml && block.wrong().is_empty() {
            let tree = spec::toml::parse(&block.whole()).0.to_json();
            // JSON is YAML.
            seeds.push(seed(serde_json::to_string_pretty(&tree).unwrap(), true));
        }
    }
    seeds
}

/// The specs that are kept as files, those of the quickstart and the broken ones.
fn of_files() -> Vec<Seed> {
    let bench = Rc::new(corpus::copy());
    let mut seeds = Vec::new();
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs");
    for (folder, is_good, owner) in [(specs, true, None), (bench.path(""), false, Some(bench))] {
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let is_yaml = path.extension().is_some_and(|ending| ending == "yaml");
            let is_spec = is_yaml || path.extension().is_some_and(|ending| ending == "toml");
            let Some(text) = fs::read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { continue };
            // Those that are large so as to be refused are refused at once, and change nothing when they change.
            if !is_spec || !can_plan(&text) || text.len() > 10_000 {
                continue;
            }
            let first = text.lines().next().unwrap_or_default();
            let arguments: Vec<String> = first.split_whitespace().map(str::to_owned).collect();
            seeds.push(Seed {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                outside: outside(&[], &arguments, &folder),
                text,
                is_yaml,
                is_good,
                path,
                // The quickstart's data are made first.
                offline: is_good,
                _folder: owner.clone(),
            });
        }
    }
    seeds
}

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    let seeds: Vec<Seed> = of_reference().into_iter().chain(of_files()).collect();
    let count = |is: fn(&Seed) -> bool| seeds.iter().filter(|seed| is(seed)).count();
    let counts = [count(|s| s.is_good && !s.is_yaml), count(|s| s.is_good && s.is_yaml), count(|s| !s.is_good)];
    assert!(counts.iter().all(|count| *count >= 25), "{counts:?}");
    seeds
}
