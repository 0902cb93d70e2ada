//! A look at each stage before anything runs: a query is prepared, a template rendered on a sample of what it will get.

use super::making::Made;
use super::{Task, TaskInput, code};
use crate::spec::StageSpec;
use crate::spec::model::path_parts;
use crate::stage::{Probe, Probed, StageKind};
use crate::text::Diagnostic;
use serde_json::Value as Json;
use std::collections::HashMap;

/// What a record of each stage's result looks like, as far as that can be told.
#[derive(Default)]
pub(super) struct Samples(HashMap<String, Json>);

impl Samples {
    /// Looks at a stage through one of its tasks. It speaks for all: they differ in values only.
    pub(super) fn probe(
        &mut self,
        spec: &StageSpec,
        kind: &dyn StageKind,
        task: &Task,
        made: &Made,
    ) -> Vec<Diagnostic> {
        let here = task.files.iter().filter(|file| file.uri().is_none());
        let files = here.map(|file| (file.field.clone(), file.path.clone())).collect();
        let stage_of = |input: &TaskInput| Some(&made.graph[*input.tasks.first()?].id.stage);
        let sample = |input: &TaskInput| Some((input.field.clone(), self.0.get(stage_of(input)?)?.clone()));
        let inputs = task.inputs.iter().filter_map(sample).collect();
        let probe = Probe { config: &task.config, cell: &task.id.cell, files: &files, inputs: &inputs };
        let Probed { sample, problems } = kind.probe(&probe);
        self.0.extend(sample.map(|sample| (spec.name.value.clone(), sample)));
        let told = problems.into_iter().map(|problem| {
            let span = spec.body.at(&path_parts(&problem.field)).span.clone();
            let found = Diagnostic::error(code::BAD_SAMPLE, problem.message, span, "");
            problem.help.into_iter().fold(found, Diagnostic::help)
        });
        told.collect()
    }
}
