//! Puts the plan together, stage by stage, inputs first.

use super::cells::Expander;
use super::choice::{AUTO, Placed, Seeking, is_open};
use super::experience::{Experience, NoExperience, Wording};
use super::limits::Limits;
use super::making::{Ground, Made, Making};
use super::mistakes::Mistakes;
use super::pools::Pools;
use super::probe::Samples;
use super::project::Project;
use super::rows::{self, Row, Rows};
use super::selection::{Parts, Selection};
use super::settings::Settings;
use super::takes::Takes;
use super::traffic::{Reads, Roads};
use super::weighing::Weighing;
use super::{
    Plan, Stage, cells, code, files, hooks, order, params, pending, places, publish, reach, schedule, secrets, unused,
};
use crate::backend::Backends;
use crate::ids::Cell;
use crate::spec::common::{CELL_KEYS, Common, Defaults, Foreach};
use crate::spec::model::path_parts;
use crate::spec::node::{Node, PathPart};
use crate::spec::shape::Values;
use crate::spec::template::{Context, Templates};
use crate::spec::{Around, Reach, Spec, SpecSchema, StageSpec, Texts};
use crate::stage::{Registry, StageKind, read_config};
use crate::text::{Diagnostic, MOST_PROBLEMS, Severity, Sources, Span, keep_few, one_of, sort_by_position};
use petgraph::graph::NodeIndex;
use serde_json::Value as Json;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a plan is made of.
pub struct Request<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// The texts that make it up.
    pub sources: &'a Sources,
    /// The spec's folder, which paths in it are relative to. Those in another file are relative to that one.
    pub base: &'a Path,
    /// Where the spec was read from, and the files of its project are.
    pub texts: &'a dyn Texts,
    /// The stage kinds of this build.
    pub kinds: &'a Registry,
    /// The places to run of this build.
    pub backends: &'a Backends,
    /// Their schema.
    pub schema: &'a SpecSchema,
    /// The schemes of the stores that can be looked into besides folders, such as `s3`.
    pub schemes: &'a [&'a str],
    /// Whether files, secrets and programs that the spec names are left alone: it is judged by its text.
    pub offline: bool,
    /// The rows that are known of stages which others are spread over.
    pub rows: &'a Rows,
    /// The cells of a stage that are planned, where that is not all: each with all that it needs.
    pub part: Option<&'a Has<'a>>,
    /// What earlier runs tell: `backend = "auto"` chooses by it.
    pub experience: &'a dyn Experience,
}

/// Whether a cell of the stage of a name is planned.
pub type Has<'a> = dyn Fn(&str, &Cell) -> bool + 'a;

impl Request<'_> {
    /// The folder that a path written at `span` is relative to.
    pub(super) fn folder(&self, span: &Span) -> PathBuf {
        let source = self.sources.place(span).source;
        if std::ptr::eq(source, self.sources.main()) || source.path.starts_with('<') {
            return self.base.to_owned();
        }
        crate::spec::folder_of(Path::new(&source.path)).to_owned()
    }
}

/// Builds the plan, or says everything that is wrong with the spec.
///
/// Stages that are spread over rows which are not in [`Request::rows`] have no tasks yet, nor have those that need them.
/// With the rows, the same request gives a plan that has them too: expansion is planning again.
pub fn build(request: &Request<'_>) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let origins = params::resolve(request.spec, &mut problems);
    let values = params::values(&origins);
    let order = order::sort(request.spec, request.schema, &mut problems);
    let mut ground = Ground {
        request,
        templates: Templates::new(),
        context: Context::new().with("params", &Json::Object(values.clone())),
        defaults: Defaults::default(),
        places: Vec::new(),
        project: Project::around(request.base),
    };
    ground.defaults = defaults(&ground, &mut problems);
    let around = around(&ground, &mut problems);
    ground.places = places::read(request, (&ground.templates, &ground.context), &mut problems);
    let wording = Wording { digest: &request.spec.digest, profile: request.spec.profile.as_deref(), params: &values };
    let mut builder = Builder::of(&ground, wording, &around, problems);
    if builder.fits(&order) {
        for place in order {
            builder.stage(&request.spec.stages[place]);
        }
    }
    let Builder { stages, mut made, mut problems, pools, roads, .. } = builder;
    let (store, bucket) = places::store(request, &stages, &ground.places, &mut problems);
    problems.extend(publish::check(request, &ground.project, &store, &mut made.graph));
    tidy(&mut problems, request.sources);
    if problems.iter().any(|p| p.severity == Severity::Error) || request.spec.broken {
        return (None, problems);
    }
    let spec = request.spec;
    problems.extend(unused::params(spec, request.sources, &ground.templates));
    let plan = Plan {
        name: spec.name.value.clone(),
        spec_digest: spec.digest.clone(),
        profile: spec.profile.clone(),
        environment: spec.environment.clone(),
        params: values,
        origins,
        store,
        opens: bucket.as_deref().is_some_and(|uri| places::opens(request, uri)),
        bucket,
        around,
        remotes: request.kinds.remotes().filter(|_| !request.offline).cloned(),
        places: ground.places,
        stages,
        pools: pools.into_sizes(),
        graph: made.graph,
        selection: Selection::default(),
        parts: Parts::default(),
        roads,
    };
    (Some(plan), problems)
}

/// What all stages have in common, with what is wrong with it.
fn defaults(ground: &Ground<'_>, problems: &mut Vec<Diagnostic>) -> Defaults {
    let Some(node) = &ground.request.spec.defaults else { return Defaults::default() };
    let schema = &ground.request.schema.root["properties"]["defaults"];
    read(ground, node, schema, problems).unwrap_or_default()
}

/// What happens around a run, with what is wrong with it.
fn around(ground: &Ground<'_>, problems: &mut Vec<Diagnostic>) -> Around {
    let node = &ground.request.spec.around;
    let around = read::<Around>(ground, node, &Json::Null, problems).unwrap_or_default();
    problems.extend(schedule::check(node, around.schedule.as_ref()));
    problems.extend(hooks::check(node, &around.hooks));
    around
}

/// In the order of the file, and each once: thirty-two cells with the same mistake are one mistake. What was typed on the
/// command line is in no file, so no program can change it.
fn tidy(problems: &mut Vec<Diagnostic>, sources: &Sources) {
    sort_by_position(problems);
    for problem in problems.iter_mut() {
        problem.fix.retain(|edit| !sources.place(&edit.span).source.path.starts_with('<'));
    }
    problems.dedup_by(|a, b| a.message == b.message && a.labels == b.labels);
    keep_few(problems);
}

/// A part of the spec as its type, templates resolved. `schema` says more of its values than the type can.
fn read<T: serde::de::DeserializeOwned>(
    ground: &Ground<'_>,
    node: &Node,
    schema: &Json,
    problems: &mut Vec<Diagnostic>,
) -> Option<T> {
    let read = ground.templates.resolve(node, &ground.context).and_then(|value| {
        let request = ground.request;
        let found = Values::new(node, schema, &request.schema.root, request.sources).problems(&value);
        if !found.is_empty() {
            return Err(found);
        }
        read_config(&value).map_err(|problem| {
            let span = node.at(&path_parts(&problem.field)).span.clone();
            let message = format!("`{}`: {}", problem.field, problem.message);
            vec![Diagnostic::error(code::BAD_SETTING, message, span, "")]
        })
    });
    read.map_err(|found| problems.extend(found)).ok()
}

struct Builder<'a> {
    ground: &'a Ground<'a>,
    wording: Wording<'a>,
    roads: Roads,
    /// Asked only where a stage leaves its place to the plan.
    experience: Option<&'a dyn Experience>,
    stages: Vec<Stage>,
    made: Made,
    samples: Samples,
    limits: Limits,
    pools: Pools,
    reach: &'a Reach,
    problems: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn of(ground: &'a Ground<'a>, wording: Wording<'a>, around: &'a Around, problems: Vec<Diagnostic>) -> Self {
        let request = ground.request;
        Self {
            ground,
            wording,
            roads: Roads::of(request.spec, request.backends),
            experience: is_open(request.spec).then_some(request.experience),
            stages: Vec::new(),
            made: Made::default(),
            limits: Limits::default(),
            pools: Pools::of(&around.pools),
            reach: &around.sources,
            samples: Samples::default(),
            problems,
        }
    }
}

impl Builder<'_> {
    /// Whether the plan will not be too large, before anything of it is made.
    fn fits(&mut self, order: &[usize]) -> bool {
        let Ground { request, templates, context, .. } = self.ground;
        let mut stages = order.iter().map(|place| &request.spec.stages[*place]).filter(|stage| !stage.broken);
        let found = stages.find_map(|stage| self.limits.stage(stage, context, templates).err());
        let fits = found.is_none();
        self.problems.extend(found);
        fits
    }

    fn stage(&mut self, spec: &StageSpec) {
        if spec.broken || self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let kind =
            self.ground.request.kinds.get(&spec.kind.value).expect("a stage of an unknown kind is broken").clone();
        let Some(common) = self.common(spec) else { return };
        let (place, name) = (self.stages.len(), &spec.name.value);
        if let Some(foreach) = &common.foreach {
            self.problems.extend(self.no_rows(spec, foreach));
        }
        let first = self.made.graph.node_count();
        let waits_for = self.waits_for(spec, common.foreach.as_ref());
        if waits_for.is_some() {
            let Ground { context, templates, .. } = self.ground;
            pending::check(spec, common.foreach.as_ref(), context, templates, &mut self.problems);
        } else {
            self.tasks(spec, &common, kind.as_ref());
        }
        let tasks = first..self.made.graph.node_count();
        self.look_at(spec, kind.as_ref(), tasks.clone());
        let needs = self.needs(spec, common.foreach.as_ref());
        let rows_of = common.foreach.as_ref().and_then(|f| self.made.stages.get(&f.stage.0)).map(|(place, _)| *place);
        self.made.stages.insert(name.clone(), (place, tasks.clone()));
        let secrets = secrets::sources(spec, &common, self.ground.request, &mut self.problems);
        let service = self.service(spec, kind.as_ref(), tasks);
        let settings = Settings::of(&self.ground.defaults, &common, secrets);
        // A service says nothing while it works.
        let silence = settings.silence.filter(|_| service.is_none());
        let settings = Settings { service, silence, ..settings };
        let by_rows = common.foreach.is_some() || needs.iter().any(|need| self.stages[*need].by_rows);
        let tasks = if by_rows { None } else { Some(first..self.made.graph.node_count()) };
        let placed = self.placed(spec, &settings, tasks, &needs);
        let Placed { place: backend, choice, done } = placed;
        self.problems.extend(secrets::too_far(spec, &settings, &self.ground.places[backend]));
        let place = (backend, &self.ground.places[backend]);
        let pools = self.pools.of_stage(spec, &common, &settings, place, &mut self.problems);
        let (name, code, kind) = (name.clone(), kind.code(), Arc::clone(&kind));
        let placed =
            Stage { name, code, kind, settings, backend, choice, done, by_rows, pools, needs, waits_for, rows_of };
        self.stages.push(placed);
    }

    /// The service that does the work of a stage's tasks. All have the same: which it is, no template decides.
    fn service(&self, spec: &StageSpec, kind: &dyn StageKind, mut tasks: Range<usize>) -> Option<&'static str> {
        match tasks.next() {
            Some(task) => kind.service(&self.made.graph[NodeIndex::new(task)].config),
            None => kind.service(&spec.body.to_json()),
        }
    }

    /// Where the tasks of a stage run; `None` where rows decide which it has.
    fn placed(
        &mut self,
        stage: &StageSpec,
        settings: &Settings,
        tasks: Option<Range<usize>>,
        needs: &[usize],
    ) -> Placed {
        let Ground { request, places, .. } = self.ground;
        let begins = needs.iter().map(|need| self.stages[*need].done).max().unwrap_or_default();
        let (backends, in_bucket) = (request.backends, request.spec.store.contains("://"));
        let count = tasks.as_ref().map_or(1, |tasks| tasks.len());
        let name = |task: usize| self.made.graph[NodeIndex::new(task)].id.to_string();
        let of = tasks.clone();
        let names = tasks.filter(|tasks| self.experience.is_some() && !tasks.is_empty());
        let names = names.map_or_else(|| vec![stage.name.value.clone()], |tasks| tasks.map(name).collect());
        let experience = self.experience.unwrap_or(&NoExperience);
        let takes = Takes::of(&names, settings, experience);
        let reads = (self.reads(settings, of), &self.roads);
        let experience = (experience, self.wording);
        let tasks = count;
        let seeking = Seeking { stage, settings, places, backends, in_bucket, tasks, takes, reads, experience, begins };
        seeking.place(&mut self.problems)
    }

    /// What the tasks of a stage read, where that helps to choose its place.
    fn reads(&self, settings: &Settings, tasks: Option<Range<usize>>) -> Reads {
        if self.experience.is_none() || settings.backend != AUTO {
            return Reads::default();
        }
        let Some(tasks) = tasks else { return Reads::unknown() };
        let Ground { request, places, .. } = self.ground;
        let task = |task: usize| &self.made.graph[NodeIndex::new(task)];
        let is_elsewhere = |need: usize| places[self.stages[task(need).stage].backend].capability.is_remote;
        let name = |need: usize| task(need).id.to_string();
        let weighing = Weighing::of(request, &name);
        Reads::of(tasks.map(task), &is_elsewhere, &weighing)
    }

    /// The files of a stage's tasks, and what the first of them would get.
    fn look_at(&mut self, spec: &StageSpec, kind: &dyn StageKind, tasks: Range<usize>) {
        let files = tasks.clone().flat_map(|task| &self.made.graph[NodeIndex::new(task)].files);
        self.problems.extend(reach::beyond(spec, self.reach, files));
        if self.ground.request.offline {
            return;
        }
        let mut made = tasks.map(|task| &self.made.graph[NodeIndex::new(task)]).peekable();
        let first = made.peek().copied();
        self.problems.extend(files::unnamed(spec, self.ground.request, kind, made.clone()));
        let missing = files::missing(spec, made.flat_map(|task| &task.files));
        if let Some(task) = first.filter(|_| missing.is_empty()) {
            self.problems.extend(self.samples.probe(spec, kind, task, &self.made));
        }
        self.problems.extend(missing);
    }

    fn tasks(&mut self, spec: &StageSpec, common: &Common, kind: &dyn StageKind) {
        let mut cells = self.cells(spec, common);
        if let Some(has) = self.ground.request.part {
            cells.retain(|(cell, _)| has(&spec.name.value, cell));
        }
        let mut making = Making::new(self.ground, spec, kind, self.stages.len());
        let mut mistakes = Mistakes::default();
        for (cell, row) in cells {
            match making.task(&self.made, cell, row.as_ref()) {
                Ok(task) => match self.limits.task(spec, &task) {
                    Ok(()) => self.made.add(task),
                    Err(problem) => {
                        self.problems.push(problem);
                        break;
                    }
                },
                Err(found) => mistakes.take(found),
            }
            if mistakes.are_enough() {
                break;
            }
        }
        self.problems.extend(mistakes.told());
    }

    /// What is wrong when a stage is to be spread over a stage whose kind makes no rows.
    fn no_rows(&self, spec: &StageSpec, foreach: &Foreach) -> Option<Diagnostic> {
        let source = &self.stages[self.made.stages.get(&foreach.stage.0)?.0];
        if !source.kind.rows().is_empty() {
            return None;
        }
        let span = spec.common.at(&path_parts("foreach.stage")).span.clone();
        let message = format!("`{}` makes no rows: it is a stage of kind `{}`", source.name, source.kind.name());
        let able = self.ground.request.kinds.kinds().filter(|kind| !kind.rows().is_empty()).map(|kind| kind.name());
        let help = format!("name a stage that makes rows: its kind is {}", one_of(able));
        Some(Diagnostic::error(code::NO_ROWS, message, span, "").help(help))
    }

    /// The stages that a stage names, by their place in the plan.
    fn needs(&self, spec: &StageSpec, foreach: Option<&Foreach>) -> Vec<usize> {
        let found = self.ground.request.schema.marked(&spec.kind.value, &spec.body.to_json());
        let named = found.iter().filter(|m| m.mark.is_stage()).map(|m| &m.text).chain(foreach.map(|f| &f.stage.0));
        let mut needs: Vec<usize> = named.filter_map(|name| Some(self.made.stages.get(name)?.0)).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// The stage whose rows must be known before this stage has tasks: its own, or that of a stage it needs.
    fn waits_for(&self, spec: &StageSpec, foreach: Option<&Foreach>) -> Option<usize> {
        let own = foreach.filter(|f| !self.ground.request.rows.contains_key(&f.stage.0));
        let own = own.and_then(|f| self.made.stages.get(&f.stage.0)).map(|(place, _)| *place);
        let waiting = |place: usize| self.stages[place].waits_for;
        // A source that itself waits comes first.
        let of_source = own.and_then(waiting);
        of_source.or(own).or_else(|| self.needs(spec, None).into_iter().find_map(waiting))
    }

    /// The stage's cells; of one that is spread over rows, each with its row.
    fn cells(&mut self, spec: &StageSpec, common: &Common) -> Vec<(Cell, Option<Row>)> {
        let Ground { request, context, templates, .. } = self.ground;
        let expander = Expander { stage: spec, context, templates };
        let own = expander.cells(common.matrix.as_ref(), &mut self.problems);
        let Some(foreach) = &common.foreach else { return own.into_iter().map(|cell| (cell, None)).collect() };
        // A source that is wrong has been reported.
        let Some(rows) = request.rows.get(&foreach.stage.0) else { return Vec::new() };
        let spread = rows::spread(spec, foreach, &own, rows).map_err(|problem| vec![problem]);
        let named = spread.and_then(|cells| {
            let place = spec.common.at(&path_parts("foreach.key"));
            expander.check_names(cells.iter().map(|(cell, _)| cell), (code::BAD_ROWS, place))?;
            Ok(cells)
        });
        match named {
            Ok(cells) => cells.into_iter().map(|(cell, row)| (cell, Some(row))).collect(),
            Err(found) => {
                self.problems.extend(found);
                Vec::new()
            }
        }
    }

    /// What every kind can say and holds for the whole stage, templates resolved: they may use `params`.
    fn common(&mut self, spec: &StageSpec) -> Option<Common> {
        let node = spec.common.without(&CELL_KEYS);
        let common: Common = read(self.ground, &node, self.ground.request.schema.common(), &mut self.problems)?;
        let conflict = |first: &str, second: &str, why: &str| {
            let [a, b] = [first, second].map(|key| spec.common.at(&[PathPart::from(key)]).span.clone());
            let message = format!("`{first}` and `{second}` exclude each other: {why}");
            Diagnostic::error(code::CONFLICT, message, b, "take one of them out").and(a, "and this")
        };
        if common.always && common.on_failure {
            let why = "one runs however the others ended, the other only after a failure";
            self.problems.push(conflict("always", "on_failure", why));
        }
        let key = common.foreach.as_ref().map(|foreach| &foreach.key);
        if let Some(key) = key.filter(|key| cells::RESERVED.contains(&key.as_str())) {
            let span = spec.common.at(&path_parts("foreach.key")).span.clone();
            let message = format!("a cell's key cannot be named `{key}`");
            let problem = Diagnostic::error(code::BAD_MATRIX, message, span, "");
            self.problems.push(problem.help("templates use that name for something else"));
        }
        Some(common)
    }
}
