//! How large a plan may be. What would be larger is an error before anything of it is made.

use super::cells::MOST_CELLS;
use super::{Task, code};
use crate::spec::StageSpec;
use crate::spec::node::{Node, Value};
use crate::spec::template::{Context, Templates};
use crate::text::Diagnostic;

/// The most tasks of a plan.
const MOST_TASKS: usize = 1_000_000;
/// The most text in the settings of all its tasks, in bytes, templates counted as they are written.
const MOST_TEXT: usize = 1 << 30;
/// The most results that all tasks together take.
const MOST_LINKS: usize = 10_000_000;
/// The most comparisons of a cell with an `exclude`.
const MOST_EXCLUSIONS: usize = 50_000_000;

/// What the stages so far come to.
#[derive(Default)]
pub(super) struct Limits {
    tasks: usize,
    text: usize,
    links: usize,
}

impl Limits {
    /// Takes a stage in, before its cells are made.
    pub(super) fn stage(
        &mut self,
        stage: &StageSpec,
        context: &Context,
        templates: &Templates,
    ) -> Result<(), Diagnostic> {
        let (product, included, excluded) = counts(stage, context, templates);
        // More cells of one stage than it may have is an error of its own.
        let cells = product.saturating_add(included).min(MOST_CELLS);
        let name = &stage.name.value;
        let comparisons = cells.saturating_mul(excluded);
        if comparisons > MOST_EXCLUSIONS {
            let message = format!("`{name}` has {excluded} exclusions for {cells} cells, which is too much to compare");
            return Err(too_big(stage, message, "take whole values out of the matrix instead"));
        }
        self.tasks += cells;
        if self.tasks > MOST_TASKS {
            let message = format!("with `{name}` the plan has more than {MOST_TASKS} tasks");
            return Err(too_big(
                stage,
                message,
                "put more work into each task, or part of the stages into another spec",
            ));
        }
        self.text = self.text.saturating_add(cells.saturating_mul(text_of(&stage.body)));
        if self.text > MOST_TEXT {
            let message =
                format!("with `{name}` the settings of all tasks are more than {} MiB of text", MOST_TEXT >> 20);
            return Err(too_big(stage, message, "keep long texts in files that the stage names"));
        }
        Ok(())
    }

    /// Takes in the results that a task takes.
    pub(super) fn task(&mut self, stage: &StageSpec, task: &Task) -> Result<(), Diagnostic> {
        self.links += task.inputs.iter().map(|input| input.tasks.len()).sum::<usize>();
        if self.links <= MOST_LINKS {
            return Ok(());
        }
        let message = format!("with `{}` all tasks together take more than {MOST_LINKS} results", stage.name.value);
        Err(too_big(
            stage,
            message,
            "give it the matrix keys of the stages whose results it takes, or gather them first",
        ))
    }
}

fn too_big(stage: &StageSpec, message: String, help: &str) -> Diagnostic {
    let table = ["matrix", "foreach"].into_iter().find_map(|key| stage.common.get(key));
    let place = table.map_or(&stage.name.span, |node| &node.span);
    Diagnostic::error(code::TOO_BIG, message, place.clone(), "the limit is passed here").help(help)
}

/// How many cells the keys of a matrix make, how many are included, and how many rows take some out.
fn counts(stage: &StageSpec, context: &Context, templates: &Templates) -> (usize, usize, usize) {
    let Some(matrix) = stage.common.get("matrix") else { return (1, 0, 0) };
    let length = |node: &Node| match &node.value {
        Value::List(items) => items.len(),
        // What is wrong with a key is told when its cells are made.
        _ => templates.resolve(node, context).ok().and_then(|value| Some(value.as_array()?.len())).unwrap_or(1),
    };
    let rows = |key: &str| matrix.get(key).map_or(0, length);
    let axes = matrix.entries().iter().filter(|(key, _)| key.value != "include" && key.value != "exclude");
    (axes.map(|(_, node)| length(node)).fold(1, usize::saturating_mul), rows("include"), rows("exclude"))
}

fn text_of(node: &Node) -> usize {
    match &node.value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(|item| 16 + text_of(item)).sum(),
        Value::Table(entries) => entries.iter().map(|(key, node)| 16 + key.value.len() + text_of(node)).sum(),
        _ => 8,
    }
}
