//! Puts the plan together, stage by stage, inputs first.

use super::cells::Expander;
use super::condition;
use super::rows::{self, Row, Rows};
use super::settings::Settings;
use super::{Plan, Stage, Task, TaskInput, cells, code, files, order, params, pending};
use crate::backend::Backends;
use crate::ids::{Cell, TaskId, scalar};
use crate::spec::common::{CELL_KEYS, Common, Defaults, Foreach};
use crate::spec::model::path_parts;
use crate::spec::node::{Node, PathPart};
use crate::spec::template::{Context, Templates};
use crate::spec::{Around, Spec, SpecSchema, StageSpec, Texts};
use crate::stage::{Mark, Marked, Registry, StageKind, marked, read_config};
use crate::text::{Diagnostic, Severity, Sources, Span, sort_by_position};
use indexmap::IndexMap;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashMap};
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
    /// The rows that are known of stages which others are spread over.
    pub rows: &'a Rows,
}

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
    let mut builder = Builder {
        request,
        templates: Templates::new(),
        context: Context::new().with("params", &Json::Object(values.clone())),
        defaults: Defaults::default(),
        stages: Vec::new(),
        graph: DiGraph::new(),
        tasks: HashMap::new(),
        problems,
    };
    if let Some(node) = &request.spec.defaults {
        builder.defaults = builder.read(node).unwrap_or_default();
    }
    let around = builder.read::<Around>(&request.spec.around).unwrap_or_default();
    for place in order {
        builder.stage(&request.spec.stages[place]);
    }
    let Builder { stages, graph, mut problems, .. } = builder;
    tidy(&mut problems);
    if problems.iter().any(|p| p.severity == Severity::Error) || request.spec.broken {
        return (None, problems);
    }
    let spec = request.spec;
    let plan = Plan {
        name: spec.name.value.clone(),
        spec_digest: spec.digest.clone(),
        profile: spec.profile.clone(),
        params: values,
        origins,
        store: request.folder(&spec.place(&["store", "root"])).join(&spec.store),
        around,
        stages,
        graph,
    };
    (Some(plan), problems)
}

/// In the order of the file, and each once: thirty-two cells with the same mistake are one mistake.
fn tidy(problems: &mut Vec<Diagnostic>) {
    sort_by_position(problems);
    problems.dedup_by(|a, b| a.message == b.message && a.labels == b.labels);
}

struct Builder<'a> {
    request: &'a Request<'a>,
    templates: Templates,
    context: Context,
    defaults: Defaults,
    stages: Vec<Stage>,
    graph: DiGraph<Task, ()>,
    /// The tasks of each stage, in cell order.
    tasks: HashMap<String, (usize, Vec<NodeIndex>)>,
    problems: Vec<Diagnostic>,
}

/// A stage while its tasks are made.
struct Making<'a> {
    spec: &'a StageSpec,
    kind: &'a dyn StageKind,
    /// Its place in the plan.
    place: usize,
}

impl Builder<'_> {
    fn stage(&mut self, spec: &StageSpec) {
        if spec.broken {
            return;
        }
        let kind = self.request.kinds.get(&spec.kind.value).expect("a stage of an unknown kind is broken").clone();
        let Some(common) = self.common(spec) else { return };
        let (place, name) = (self.stages.len(), &spec.name.value);
        let waits_for = self.waits_for(spec, common.foreach.as_ref());
        let mut tasks = Vec::new();
        if waits_for.is_some() {
            pending::check(spec, common.foreach.as_ref(), &self.context, &self.templates, &mut self.problems);
        } else {
            let making = Making { spec, kind: kind.as_ref(), place };
            for (cell, row) in self.cells(spec, &common) {
                match self.task(&making, cell, row.as_ref()) {
                    Ok(task) => tasks.push(self.add(task)),
                    Err(found) => self.problems.extend(found),
                }
            }
        }
        self.problems.extend(files::missing(spec, tasks.iter().flat_map(|t| &self.graph[*t].files)));
        let needs = self.needs(spec, common.foreach.as_ref());
        self.tasks.insert(name.clone(), (place, tasks));
        let settings = Settings::of(&self.defaults, &common);
        self.stages.push(Stage {
            name: name.clone(),
            code: kind.code(),
            kind: Arc::clone(&kind),
            settings,
            needs,
            waits_for,
        });
    }

    /// The stages that a stage names, by their place in the plan.
    fn needs(&self, spec: &StageSpec, foreach: Option<&Foreach>) -> Vec<usize> {
        let found = self.marked(spec, &spec.body.to_json());
        let named = found.iter().filter(|m| m.mark.is_stage()).map(|m| &m.text).chain(foreach.map(|f| &f.stage.0));
        let mut needs: Vec<usize> = named.filter_map(|name| Some(self.tasks.get(name)?.0)).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// The stage whose rows must be known before this stage has tasks: its own, or that of a stage it needs.
    fn waits_for(&self, spec: &StageSpec, foreach: Option<&Foreach>) -> Option<usize> {
        let own = foreach.filter(|f| !self.request.rows.contains_key(&f.stage.0));
        let own = own.and_then(|f| self.tasks.get(&f.stage.0)).map(|(place, _)| *place);
        let waiting = |place: usize| self.stages[place].waits_for;
        // A source that itself waits comes first.
        let of_source = own.and_then(waiting);
        of_source.or(own).or_else(|| self.needs(spec, None).into_iter().find_map(waiting))
    }

    /// The stage's cells; of one that is spread over rows, each with its row.
    fn cells(&mut self, spec: &StageSpec, common: &Common) -> Vec<(Cell, Option<Row>)> {
        let node = self.request.spec.root.at(&[PathPart::from("stages"), PathPart::from(spec.name.value.as_str())]);
        let expander = Expander { stage: spec, node, context: &self.context, templates: &self.templates };
        let own = expander.cells(common.matrix.as_ref(), &mut self.problems);
        let Some(foreach) = &common.foreach else { return own.into_iter().map(|cell| (cell, None)).collect() };
        // A source that is wrong has been reported.
        let Some(rows) = self.request.rows.get(&foreach.stage.0) else { return Vec::new() };
        match rows::spread(spec, node, foreach, &own, rows) {
            Ok(cells) => cells.into_iter().map(|(cell, row)| (cell, Some(row))).collect(),
            Err(problem) => {
                self.problems.push(problem);
                Vec::new()
            }
        }
    }

    fn add(&mut self, task: Task) -> NodeIndex {
        let needs: Vec<NodeIndex> = task.inputs.iter().flat_map(|i| i.tasks.iter().copied()).collect();
        let index = self.graph.add_node(task);
        for need in needs {
            self.graph.update_edge(need, index, ());
        }
        index
    }

    /// What every kind can say and holds for the whole stage, templates resolved: they may use `params`.
    fn common(&mut self, spec: &StageSpec) -> Option<Common> {
        let node = spec.common.without(&CELL_KEYS);
        let common: Common = self.read(&node)?;
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

    fn read<T: serde::de::DeserializeOwned>(&mut self, node: &Node) -> Option<T> {
        let read = self.templates.resolve(node, &self.context).and_then(|value| {
            read_config(&value).map_err(|problem| {
                let span = node.at(&path_parts(&problem.field)).span.clone();
                vec![Diagnostic::error(
                    code::BAD_SETTING,
                    format!("`{}`: {}", problem.field, problem.message),
                    span,
                    "",
                )]
            })
        });
        read.map_err(|found| self.problems.extend(found)).ok()
    }

    fn task(&self, making: &Making<'_>, cell: Cell, row: Option<&Row>) -> Result<Task, Vec<Diagnostic>> {
        let Making { spec, kind, place } = *making;
        let context = self.context_of(&cell, row);
        let config = self.templates.resolve(&spec.body, &context)?;
        kind.check(&config).map_err(|problem| {
            let span = spec.body.at(&path_parts(&problem.field)).span.clone();
            let field = if problem.field.is_empty() { spec.name.value.clone() } else { problem.field };
            let found = Diagnostic::error(code::BAD_SETTING, format!("`{field}`: {}", problem.message), span, "");
            vec![match problem.help {
                Some(help) => found.help(help),
                None => found,
            }]
        })?;
        let found = self.marked(spec, &config);
        let files = files::resolve(spec, self.request, &found, &context, &self.templates)?;
        let inputs = self.inputs(spec, &found, &cell)?;
        let own = OfCell { spec, context: &context, builder: self };
        Ok(Task {
            when: condition::read(spec.common.get("when"), &context, &self.templates).map_err(|found| vec![found])?,
            env: own.env()?,
            publish: own.publish()?,
            labels: own.labels()?,
            id: TaskId { stage: spec.name.value.clone(), cell },
            stage: place,
            launch: kind.launch(&config),
            config,
            inputs,
            files,
        })
    }

    fn marked(&self, spec: &StageSpec, config: &Json) -> Vec<Marked> {
        marked(&self.request.schema.root, self.request.schema.kind(&spec.kind.value), config)
    }

    fn context_of(&self, cell: &Cell, row: Option<&Row>) -> Context {
        let whole = Json::Object(cell.0.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
        let mut context = self.context.clone().with("cell", &whole);
        if let Some(row) = row {
            context = context.with("row", &Json::Object(row.clone()));
        }
        cell.0.iter().fold(context, |context, (key, value)| context.with(key.as_str(), value))
    }

    fn inputs(&self, spec: &StageSpec, found: &[Marked], cell: &Cell) -> Result<Vec<TaskInput>, Vec<Diagnostic>> {
        let stages = found.iter().filter(|m| m.mark.is_stage());
        // What is wrong with a name, or with the stage it names, has been reported.
        let known = stages.filter_map(|m| Some((m, &self.tasks.get(&m.text)?.1)));
        known.map(|(marked, tasks)| self.matching(spec, marked, tasks, cell).map_err(|d| vec![d])).collect()
    }

    /// The one rule by which cells meet: keys that both sides have must be equal.
    fn matching(
        &self,
        spec: &StageSpec,
        marked: &Marked,
        tasks: &[NodeIndex],
        cell: &Cell,
    ) -> Result<TaskInput, Diagnostic> {
        let fits = tasks.iter().copied().filter(|t| self.graph[*t].id.cell.agrees_with(cell));
        let input = TaskInput { field: marked.field.clone(), tasks: fits.collect() };
        let here = TaskId { stage: spec.name.value.clone(), cell: cell.clone() };
        let span = || spec.body.at(&path_parts(&marked.field)).span.clone();
        match (marked.mark, input.tasks.len()) {
            // When its own stage failed to expand, that has been reported.
            (_, 0) if tasks.is_empty() => Ok(input),
            (_, 0) => {
                let message = format!("no cell of `{}` belongs to `{here}`", marked.text);
                let help = "cells belong together when the matrix keys that both stages have are equal";
                Err(Diagnostic::error(code::NO_RESULT, message, span(), "").help(help))
            }
            (Mark::OneResult, n @ 2..) => {
                let message = format!(
                    "`{}` takes one result, and {n} cells of `{}` belong to `{here}`",
                    marked.field, marked.text
                );
                let missing: Vec<&str> = self.keys_missing(tasks[0], cell);
                let help = format!("give `{}` the matrix key {} as well", spec.name.value, missing.join(" and "));
                Err(Diagnostic::error(code::SEVERAL_RESULTS, message, span(), "").help(help))
            }
            _ => Ok(input),
        }
    }

    fn keys_missing(&self, producer: NodeIndex, cell: &Cell) -> Vec<&str> {
        self.graph[producer].id.cell.0.keys().filter(|k| !cell.0.contains_key(*k)).map(String::as_str).collect()
    }
}

/// What a stage says of one of its cells, besides its kind's own settings.
struct OfCell<'a> {
    spec: &'a StageSpec,
    context: &'a Context,
    builder: &'a Builder<'a>,
}

impl OfCell<'_> {
    /// The table under `key`, templates resolved.
    fn table(&self, key: &str) -> Result<Map<String, Json>, Vec<Diagnostic>> {
        let Some(node) = self.spec.common.get(key) else { return Ok(Map::new()) };
        match self.builder.templates.resolve(node, self.context)? {
            Json::Object(map) => Ok(map),
            _ => Err(vec![Diagnostic::error(
                code::BAD_SETTING,
                format!("`{key}` is not a table"),
                node.span.clone(),
                "",
            )]),
        }
    }

    /// The defaults' variables, then the stage's own.
    fn env(&self) -> Result<BTreeMap<String, String>, Vec<Diagnostic>> {
        let usual = self.builder.defaults.env.clone();
        let own = self.table("env")?;
        let mut env = BTreeMap::new();
        for (name, value) in usual.into_iter().chain(own) {
            let span = || self.spec.common.at(&[PathPart::from("env"), PathPart::from(name.as_str())]).span.clone();
            let wrong = |message: String, help: &str| {
                Err(vec![Diagnostic::error(code::BAD_VARIABLE, message, span(), "").help(help)])
            };
            if name.starts_with("PIPE_") || name.is_empty() || name.contains(['=', '\0']) {
                return wrong(
                    format!("a variable cannot be named `{name}`"),
                    "names that begin with PIPE_ are pipe's own",
                );
            }
            if !cells::is_scalar(&value) {
                return wrong(
                    format!("the variable `{name}` is {value}"),
                    "its value is text, a number, or true or false",
                );
            }
            env.insert(name, scalar(&value));
        }
        Ok(env)
    }

    fn labels(&self) -> Result<IndexMap<String, String>, Vec<Diagnostic>> {
        let mut labels = self.builder.defaults.labels.clone();
        labels.extend(self.table("labels")?.iter().map(|(name, value)| (name.clone(), scalar(value))));
        Ok(labels)
    }

    /// Where files of the result are copied to. What a template puts into a path may not lead elsewhere.
    fn publish(&self) -> Result<IndexMap<String, PathBuf>, Vec<Diagnostic>> {
        let Some(node) = self.spec.common.get("publish") else { return Ok(IndexMap::new()) };
        self.table("publish")?;
        let paths = node.entries().iter().map(|(file, target)| {
            let path = self.builder.templates.resolve_path(target, self.context)?;
            Ok((file.value.clone(), self.builder.request.folder(&target.span).join(scalar(&path))))
        });
        paths.collect()
    }
}
