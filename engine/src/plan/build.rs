//! Puts the plan together, stage by stage, inputs first.

use super::{Plan, Stage, Task, TaskInput, cells, code, files, order, params};
use crate::failure::Class;
use crate::ids::{Cell, TaskId};
use crate::retry::Retry;
use crate::spec::model::{Common, Defaults, path_parts};
use crate::spec::node::{Node, PathPart};
use crate::spec::template::{Context, Templates};
use crate::spec::{RetrySpec, Spec, SpecSchema, StageSpec};
use crate::stage::{Mark, Marked, Registry, StageKind, marked, read_config};
use crate::text::{Diagnostic, Severity, sort_by_position};
use crate::units::Bytes;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Memory a task reserves unless it says otherwise.
const DEFAULT_MEMORY: Bytes = Bytes(512 << 20);

/// What a plan is made of.
pub struct Request<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// Its folder, which paths are relative to.
    pub base: &'a Path,
    /// Parameters set from outside.
    pub overrides: &'a [(String, String)],
    /// The stage kinds of this build.
    pub kinds: &'a Registry,
    /// Their schema.
    pub schema: &'a SpecSchema,
}

/// Builds the plan, or says everything that is wrong with the spec.
pub fn build(request: &Request<'_>) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let params = params::resolve(request.spec, request.overrides, &mut problems);
    let order = order::sort(request.spec, request.schema, &mut problems);
    let mut builder = Builder {
        request,
        templates: Templates::new(),
        context: Context::new().with("params", &Json::Object(params.clone())),
        defaults: Defaults::default(),
        stages: Vec::new(),
        graph: DiGraph::new(),
        tasks: HashMap::new(),
        problems,
    };
    if let Some(node) = &request.spec.defaults {
        match builder.resolved(node) {
            Ok(defaults) => builder.defaults = defaults,
            Err(found) => builder.problems.extend(found),
        }
    }
    for place in order {
        builder.stage(&request.spec.stages[place]);
    }
    let Builder { stages, graph, mut problems, .. } = builder;
    tidy(&mut problems);
    if problems.iter().any(|p| p.severity == Severity::Error) || request.spec.broken {
        return (None, problems);
    }
    (Some(finish(request, params, stages, graph)), problems)
}

fn finish(request: &Request<'_>, params: Map<String, Json>, stages: Vec<Stage>, graph: DiGraph<Task, ()>) -> Plan {
    let spec = request.spec;
    let store = request.base.join(&spec.store);
    Plan { name: spec.name.value.clone(), spec_digest: spec.digest.clone(), params, store, stages, graph }
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

impl Builder<'_> {
    fn stage(&mut self, spec: &StageSpec) {
        if spec.broken {
            return;
        }
        let kind = self.request.kinds.get(&spec.kind.value).expect("a stage of an unknown kind is broken").clone();
        let node = self.request.spec.root.at(&[PathPart::from("stages"), PathPart::from(spec.name.value.as_str())]);
        let Some(common) = self.common(spec) else { return };
        let cells =
            cells::expand(spec, common.matrix.as_ref(), node, &self.context, &self.templates, &mut self.problems);
        let place = self.stages.len();
        let mut tasks = Vec::new();
        for cell in cells {
            match self.task(spec, &common, kind.as_ref(), place, cell) {
                Ok(task) => tasks.push(self.add(task)),
                Err(found) => self.problems.extend(found),
            }
        }
        self.problems.extend(files::missing(spec, tasks.iter().flat_map(|t| &self.graph[*t].files)));
        let mut needs: Vec<usize> = tasks
            .iter()
            .flat_map(|t| self.graph.neighbors_directed(*t, petgraph::Incoming))
            .map(|n| self.graph[n].stage)
            .collect();
        needs.sort_unstable();
        needs.dedup();
        self.tasks.insert(spec.name.value.clone(), (place, tasks));
        self.stages.push(Stage { name: spec.name.value.clone(), code: kind.code(), kind: Arc::clone(&kind), needs });
    }

    fn add(&mut self, task: Task) -> NodeIndex {
        let needs: Vec<NodeIndex> = task.inputs.iter().flat_map(|i| i.tasks.iter().copied()).collect();
        let index = self.graph.add_node(task);
        for need in needs {
            self.graph.update_edge(need, index, ());
        }
        index
    }

    /// What every kind can say, templates resolved: they may use `params`.
    fn common(&mut self, spec: &StageSpec) -> Option<Common> {
        let read = self.resolved(&spec.common);
        read.map_err(|found| self.problems.extend(found)).ok()
    }

    fn resolved<T: serde::de::DeserializeOwned>(&self, node: &Node) -> Result<T, Vec<Diagnostic>> {
        let value = self.templates.resolve(node, &self.context)?;
        read_config(&value).map_err(|problem| {
            let span = node.at(&path_parts(&problem.field)).span.clone();
            vec![Diagnostic::error(code::BAD_SETTING, format!("`{}`: {}", problem.field, problem.message), span, "")]
        })
    }

    fn task(
        &self,
        spec: &StageSpec,
        common: &Common,
        kind: &dyn StageKind,
        stage: usize,
        cell: Cell,
    ) -> Result<Task, Vec<Diagnostic>> {
        let context = self.context_of(&cell);
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
        let found = marked(&self.request.schema.root, self.request.schema.kind(&spec.kind.value), &config);
        let files = files::resolve(spec, self.request.base, &found, &context, &self.templates)?;
        let inputs = self.inputs(spec, &found, &cell)?;
        let limits = Limits::of(&self.defaults, common);
        Ok(Task {
            id: TaskId { stage: spec.name.value.clone(), cell },
            stage,
            launch: kind.launch(&config),
            config,
            inputs,
            files,
            cpu: limits.cpu,
            memory: limits.memory,
            timeout: limits.timeout,
            retry: limits.retry,
        })
    }

    fn context_of(&self, cell: &Cell) -> Context {
        let whole = Json::Object(cell.0.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
        let context = self.context.clone().with("cell", &whole);
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

/// What a stage says of limits, and its defaults.
struct Limits {
    cpu: u32,
    memory: Bytes,
    timeout: Option<Duration>,
    retry: Retry,
}

impl Limits {
    fn of(defaults: &Defaults, own: &Common) -> Self {
        let (resources, usual) = (own.resources.unwrap_or_default(), defaults.resources.unwrap_or_default());
        let timeout = own.timeout.or(defaults.timeout);
        Self {
            cpu: resources.cpu.or(usual.cpu).unwrap_or(1),
            memory: resources.memory.or(usual.memory).unwrap_or(DEFAULT_MEMORY),
            timeout: timeout.map(|t| Duration::from_millis(t.0)),
            retry: retry(defaults.retry.as_ref(), own.retry.as_ref()),
        }
    }
}

/// The stage's own words first, then the defaults', then the classes' own budgets.
fn retry(defaults: Option<&RetrySpec>, own: Option<&RetrySpec>) -> Retry {
    let mut retry = Retry::default();
    for spec in [defaults, own].into_iter().flatten() {
        let budgets = [
            (Class::Failed, spec.failed),
            (Class::Transient, spec.transient),
            (Class::Preempted, spec.preempted),
            (Class::Timeout, spec.timeout),
            (Class::Stalled, spec.stalled),
            (Class::OutOfMemory, spec.out_of_memory),
        ];
        retry.budgets.extend(budgets.into_iter().filter_map(|(class, budget)| Some((class, budget?))));
        if let Some(backoff) = spec.backoff {
            retry.first = Duration::from_millis(backoff.shortest().0);
            retry.longest = Duration::from_millis(backoff.longest().0);
        }
    }
    retry
}
