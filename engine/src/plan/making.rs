//! One cell of a stage -> its task. What is the same for all cells of the stage is worked out once.

use super::matching::Matching;
use super::own::Own;
use super::project::Project;
use super::rows::Row;
use super::{Place, Request, Task, TaskInput, code, files};
use crate::ids::{Cell, TaskId};
use crate::spec::StageSpec;
use crate::spec::common::Defaults;
use crate::spec::model::path_parts;
use crate::spec::shape::Values;
use crate::spec::template::{Context, Prepared, Templates};
use crate::stage::{ConfigProblem, Mark, Marked, StageKind};
use crate::text::Diagnostic;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What all stages stand on.
pub(super) struct Ground<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) templates: Templates,
    /// The names that every template may use.
    pub(super) context: Context,
    pub(super) defaults: Defaults,
    /// Where stages can run.
    pub(super) places: Vec<Place>,
    /// What the spec's files and the copies of its results must not leave.
    pub(super) project: Project,
}

/// The tasks so far.
#[derive(Default)]
pub(super) struct Made {
    pub(super) graph: DiGraph<Task, ()>,
    /// The place of each stage in the plan, and those of its tasks, in cell order.
    pub(super) stages: HashMap<String, (usize, Range<usize>)>,
}

impl Made {
    pub(super) fn add(&mut self, task: Task) {
        let mut needs: Vec<NodeIndex> = task.inputs.iter().flat_map(|input| input.tasks.iter().copied()).collect();
        needs.sort_unstable();
        needs.dedup();
        let index = self.graph.add_node(task);
        // The task is new, so there is no such edge; to look for one costs as much as the need has followers.
        for need in needs {
            self.graph.add_edge(need, index, ());
        }
    }

    fn tasks(&self, stage: &str) -> Option<Range<usize>> {
        self.stages.get(stage).map(|(_, tasks)| tasks.clone())
    }

    fn cell(&self, task: usize) -> &Cell {
        &self.graph[NodeIndex::new(task)].id.cell
    }
}

/// A stage while its tasks are made.
pub(super) struct Making<'a> {
    ground: &'a Ground<'a>,
    spec: &'a StageSpec,
    kind: &'a dyn StageKind,
    /// Its place in the plan.
    place: usize,
    body: Prepared<'a>,
    own: Own<'a>,
    paths: files::Paths<'a>,
    /// What its templates make, held against the schema of its kind.
    values: Values<'a>,
    /// The tasks of the stages it names, by stage and whether all of them are taken.
    matchings: HashMap<(String, bool), Matching>,
    /// The settings of the newest task.
    last: Arc<Json>,
}

impl<'a> Making<'a> {
    pub(super) fn new(ground: &'a Ground<'a>, spec: &'a StageSpec, kind: &'a dyn StageKind, place: usize) -> Self {
        let schema = ground.request.schema;
        Self {
            ground,
            spec,
            kind,
            place,
            body: ground.templates.prepare(&spec.body, &ground.context),
            own: Own::of(ground, spec),
            paths: files::Paths::of(ground, spec),
            values: Values::new(&spec.body, schema.kind(&spec.kind.value), &schema.root, ground.request.sources),
            matchings: HashMap::new(),
            last: Arc::new(Json::Null),
        }
    }

    /// The task at `cell`; of a stage that is spread over rows, with its row.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn task(&mut self, made: &Made, cell: Cell, row: Option<&Row>) -> Result<Task, Vec<Diagnostic>> {
        let context = self.context_of(&cell, row);
        let config = self.body.resolve(&context)?;
        let beyond = self.values.out_of_bounds(&config);
        if !beyond.is_empty() {
            return Err(beyond);
        }
        self.kind.check(&config).map_err(|problem| match self.values.problems(&config) {
            found if found.is_empty() => vec![self.wrong_setting(problem)],
            found => found,
        })?;
        let found = self.ground.request.schema.marked(&self.spec.kind.value, &config);
        let files = self.paths.files(&found, &context)?;
        let inputs = self.inputs(made, &found, &cell)?;
        Ok(Task {
            when: self.own.when(&context)?,
            env: self.own.env(&context)?,
            publish: self.own.publish(&context)?,
            labels: self.own.labels(&context)?,
            id: TaskId { stage: self.spec.name.value.clone(), cell },
            stage: self.place,
            config: self.shared(config),
            inputs,
            files,
        })
    }

    /// The settings, or those of the task before when they are equal: of a hundred thousand tasks they would be most of the plan.
    fn shared(&mut self, config: Json) -> Arc<Json> {
        if *self.last != config {
            self.last = Arc::new(config);
        }
        self.last.clone()
    }

    fn context_of(&self, cell: &Cell, row: Option<&Row>) -> Context {
        let mut context = self.ground.context.clone().with("cell", &cell.to_json());
        if let Some(row) = row {
            context = context.with("row", &row.clone().into());
        }
        cell.iter().fold(context, |context, (key, value)| context.with(key.clone(), value))
    }

    fn wrong_setting(&self, problem: ConfigProblem) -> Diagnostic {
        let span = self.spec.body.at(&path_parts(&problem.field)).span.clone();
        let field = if problem.field.is_empty() { self.spec.name.value.clone() } else { problem.field };
        let found = Diagnostic::error(code::BAD_SETTING, format!("`{field}`: {}", problem.message), span, "");
        match problem.help {
            Some(help) => found.help(help),
            None => found,
        }
    }

    fn inputs(&mut self, made: &Made, found: &[Marked], cell: &Cell) -> Result<Vec<TaskInput>, Vec<Diagnostic>> {
        let stages = found.iter().filter(|m| m.mark.is_stage());
        // What is wrong with a name, or with the stage it names, has been reported.
        let known = stages.filter_map(|marked| Some((marked, made.tasks(&marked.text)?)));
        known.map(|(marked, tasks)| self.input(made, marked, tasks, cell).map_err(|d| vec![d])).collect()
    }

    fn input(
        &mut self,
        made: &Made,
        marked: &Marked,
        tasks: Range<usize>,
        cell: &Cell,
    ) -> Result<TaskInput, Diagnostic> {
        let spec = self.spec;
        // A cell without keys shares none with any other, so whoever asks for it gets them all.
        let (takes_all, anywhere) = (marked.mark == Mark::AllResults, Cell::default());
        let asked = if takes_all { &anywhere } else { cell };
        let matching = self
            .matchings
            .entry((marked.text.clone(), takes_all))
            .or_insert_with(|| Matching::new(tasks.clone().map(|task| (NodeIndex::new(task), made.cell(task))), asked));
        let input = TaskInput { field: marked.field.clone(), tasks: matching.of(asked), takes_all };
        let here = || TaskId { stage: spec.name.value.clone(), cell: cell.clone() };
        let span = || spec.body.at(&path_parts(&marked.field)).span.clone();
        match (marked.mark, input.tasks.len()) {
            // When its own stage failed to expand, that has been reported.
            (_, 0) if tasks.is_empty() => Ok(input),
            (_, 0) => {
                let message = format!("no cell of `{}` belongs to `{}`", marked.text, here());
                let help = "cells belong together when the matrix keys that both stages have are equal";
                let label = cells_shown(tasks.map(|task| made.cell(task)), cell);
                Err(Diagnostic::error(code::NO_RESULT, message, span(), label).help(help))
            }
            (Mark::OneResult, n @ 2..) => {
                let message = format!(
                    "`{}` takes one result, and {n} cells of `{}` belong to `{}`",
                    marked.field,
                    marked.text,
                    here()
                );
                let missing: Vec<&str> = made.cell(tasks.start).keys().filter(|key| !cell.has(key)).collect();
                let help = format!("give `{}` the matrix key {} as well", spec.name.value, missing.join(" and "));
                Err(Diagnostic::error(code::SEVERAL_RESULTS, message, span(), "").help(help))
            }
            _ => Ok(input),
        }
    }
}

/// Other cells by the keys that they share with one: "it has game=g1 and game=g2".
fn cells_shown<'c>(others: impl Iterator<Item = &'c Cell>, cell: &Cell) -> String {
    let mut cells: Vec<String> = Vec::new();
    for other in others {
        let shared = other.iter().filter(|(key, _)| cell.has(key));
        let shown = shared.map(|(key, value)| (key.clone(), value.clone())).collect::<Cell>().to_string();
        if !cells.contains(&shown) {
            cells.push(shown);
        }
        if cells.len() > MOST_SHOWN {
            break;
        }
    }
    let more = if cells.len() > MOST_SHOWN { ", ..." } else { "" };
    cells.truncate(MOST_SHOWN);
    format!("it has {}{more}", cells.join(" and "))
}

/// How many cells of another stage a message names.
const MOST_SHOWN: usize = 4;
