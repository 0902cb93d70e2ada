//! A stage's matrix -> its cells, in order.

use super::code;
use crate::ids::{Cell, scalar};
use crate::spec::StageSpec;
use crate::spec::model::Axis;
use crate::spec::node::{Node, PathPart};
use crate::spec::template::{Context, Templates};
use crate::text::Diagnostic;
use indexmap::IndexMap;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};

/// The most cells a stage may have.
const MOST_CELLS: usize = 100_000;
/// A cell names a folder, beside a key and a number; file systems allow 255 bytes.
const LONGEST_CELL: usize = 200;
/// Names that templates use for something else.
const RESERVED: [&str; 3] = ["params", "cell", "row"];

/// The cells of a stage: every combination of its matrix's values, by sorted key, each in the order it was written.
/// A stage without a matrix has one cell without keys.
pub(super) fn expand(
    stage: &StageSpec,
    matrix: Option<&IndexMap<String, Axis>>,
    node: &Node,
    context: &Context,
    templates: &Templates,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Cell> {
    let Some(matrix) = matrix else { return vec![Cell::default()] };
    let before = problems.len();
    let mut axes = BTreeMap::new();
    for key in matrix.keys() {
        let place = node.at(&[PathPart::from("matrix"), PathPart::from(key.as_str())]);
        match axis(key, place, context, templates) {
            Ok(values) => drop(axes.insert(key.clone(), values)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.len() > before {
        return Vec::new();
    }
    let count = axes.values().map(Vec::len).try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX);
    if count > MOST_CELLS {
        let place = node.at(&[PathPart::from("matrix")]).span.clone();
        let message = format!("the matrix of `{}` has {count} cells", stage.name.value);
        problems.push(Diagnostic::error(code::BAD_MATRIX, message, place, format!("at most {MOST_CELLS} are allowed")));
        return Vec::new();
    }
    let cells = product(&axes);
    if let Some(long) = cells.iter().map(Cell::folder).find(|folder| folder.len() > LONGEST_CELL) {
        let place = node.at(&[PathPart::from("matrix")]).span.clone();
        let message = format!("a cell of `{}` has a name of {} bytes: {long}", stage.name.value, long.len());
        let label = format!("at most {LONGEST_CELL} fit a folder's name");
        problems.push(Diagnostic::error(code::BAD_MATRIX, message, place, label).help("use shorter values"));
    }
    cells
}

fn axis(key: &str, place: &Node, context: &Context, templates: &Templates) -> Result<Vec<Json>, Vec<Diagnostic>> {
    let wrong = |message: String, help: &str| {
        vec![Diagnostic::error(code::BAD_MATRIX, message, place.span.clone(), "").help(help)]
    };
    if RESERVED.contains(&key) {
        return Err(wrong(
            format!("a matrix key cannot be named `{key}`"),
            "templates use that name for something else",
        ));
    }
    let value = templates.resolve(place, context)?;
    let Json::Array(values) = value else {
        return Err(wrong(format!("`matrix.{key}` is not a list"), "write the values in brackets: [\"a\", \"b\"]"));
    };
    if values.is_empty() {
        return Err(wrong(format!("`matrix.{key}` is empty, so the stage would have no task"), "give it a value"));
    }
    if let Some(bad) = values.iter().find(|v| v.is_object() || v.is_array() || v.is_null()) {
        return Err(wrong(
            format!("`matrix.{key}` has the value {bad}"),
            "values are strings, numbers or true and false",
        ));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = values.iter().find(|v| !seen.insert(scalar(v))) {
        return Err(wrong(format!("`matrix.{key}` has {twice} twice"), "each value makes one cell; write it once"));
    }
    Ok(values)
}

fn product(axes: &BTreeMap<String, Vec<Json>>) -> Vec<Cell> {
    axes.iter().fold(vec![Cell::default()], |cells, (key, values)| {
        let with = |cell: &Cell, value: &Json| {
            let mut cell = cell.clone();
            cell.0.insert(key.clone(), value.clone());
            cell
        };
        cells.iter().flat_map(|cell| values.iter().map(move |value| with(cell, value))).collect()
    })
}
