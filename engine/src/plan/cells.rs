//! A stage's matrix -> its cells: every combination of the values, without those that are excluded, with those that are
//! included. All cells have the same keys.

use super::code;
use crate::ids::{Cell, scalar};
use crate::spec::StageSpec;
use crate::spec::common::{Axis, Matrix};
use crate::spec::node::{Node, PathPart, Value};
use crate::spec::template::{Context, Templates};
use crate::text::{Diagnostic, Edit, closest, listed};
use indexmap::IndexMap;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// The most cells a stage may have.
pub(super) const MOST_CELLS: usize = 100_000;
/// A cell names a folder, beside a key and a number; file systems allow 255 bytes.
const LONGEST_CELL: usize = 200;
/// Names that templates use for something else.
pub(super) const RESERVED: [&str; 5] = ["params", "cell", "row", "inputs", "loop"];

/// Puts the cells of one stage together.
pub(super) struct Expander<'a> {
    pub(super) stage: &'a StageSpec,
    pub(super) context: &'a Context,
    pub(super) templates: &'a Templates,
}

type Found<T> = Result<T, Vec<Diagnostic>>;

impl Expander<'_> {
    /// The cells by sorted key, each key's values in the order they were written, and then the included ones.
    /// A stage without a matrix has one cell without keys.
    pub(super) fn cells(&self, matrix: Option<&Matrix>, problems: &mut Vec<Diagnostic>) -> Vec<Cell> {
        let Some(matrix) = matrix else { return vec![Cell::default()] };
        match self.matrix(matrix, problems) {
            Ok(cells) => cells,
            Err(found) => {
                problems.extend(found);
                Vec::new()
            }
        }
    }

    fn matrix(&self, matrix: &Matrix, problems: &mut Vec<Diagnostic>) -> Found<Vec<Cell>> {
        let axes = self.axes(matrix)?;
        let count = axes.values().map(Vec::len).try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX);
        if count > MOST_CELLS {
            let label = format!("at most {MOST_CELLS} are allowed");
            let message = format!("the matrix of `{}` has {count} cells", self.stage.name.value);
            return Err(vec![Diagnostic::error(code::BAD_MATRIX, message, self.place(&[]).span.clone(), label)]);
        }
        let mut cells = if axes.is_empty() { Vec::new() } else { product(&axes) };
        for (index, pattern) in matrix.exclude.iter().flatten().enumerate() {
            let place = self.place(&["exclude".into(), index.into()]);
            let keys = axes.keys().map(String::as_str);
            self.known_keys(pattern, keys, place)?;
            let before = cells.len();
            cells.retain(|cell| !has_all(cell, pattern));
            if cells.len() == before {
                let message = format!("`exclude` takes no cell out of `{}`", self.stage.name.value);
                let problem =
                    Diagnostic::warning(code::UNUSED_EXCLUDE, message, place.span.clone(), "no cell has these");
                problems.push(problem.help("compare the values with those of the matrix: \"1\" and 1 are different"));
            }
        }
        let included = self.included(matrix, &axes, &cells)?;
        cells.extend(included);
        self.check(&cells)?;
        Ok(cells)
    }

    fn axes(&self, matrix: &Matrix) -> Found<BTreeMap<String, Vec<Json>>> {
        let mut axes = BTreeMap::new();
        let mut problems = Vec::new();
        for (key, Axis(_)) in &matrix.axes {
            match self.axis(key) {
                Ok(values) => drop(axes.insert(key.clone(), values)),
                Err(found) => problems.extend(found),
            }
        }
        if axes.is_empty() && problems.is_empty() && matrix.include.as_ref().is_none_or(Vec::is_empty) {
            let message = format!("the matrix of `{}` has no keys", self.stage.name.value);
            problems.push(self.wrong(
                message,
                self.place(&[]),
                "write a key with its values: matrix.game = [\"g1\", \"g2\"]",
            ));
        }
        if problems.is_empty() { Ok(axes) } else { Err(problems) }
    }

    fn axis(&self, key: &str) -> Found<Vec<Json>> {
        let place = self.place(&[PathPart::from(key)]);
        let wrong = |message: String, help: &str| Err(vec![self.wrong(message, place, help)]);
        if RESERVED.contains(&key) {
            return wrong(
                format!("a matrix key cannot be named `{key}`"),
                "templates use that name for something else",
            );
        }
        let Json::Array(values) = self.templates.resolve(place, self.context)? else {
            return wrong(format!("`matrix.{key}` is not a list"), "write the values in brackets: [\"a\", \"b\"]");
        };
        if values.is_empty() {
            return wrong(format!("`matrix.{key}` is empty, so the stage would have no task"), "give it a value");
        }
        if let Some(bad) = values.iter().find(|value| !is_scalar(value)) {
            return wrong(
                format!("`matrix.{key}` has the value {bad}"),
                "values are strings, numbers or true and false",
            );
        }
        let mut seen = HashSet::new();
        if let Some(twice) = values.iter().find(|v| !seen.insert(scalar(v))) {
            return Err(vec![twice_in(key, place, twice)]);
        }
        Ok(values)
    }

    fn included(&self, matrix: &Matrix, axes: &BTreeMap<String, Vec<Json>>, cells: &[Cell]) -> Found<Vec<Cell>> {
        let Some(rows) = &matrix.include else { return Ok(Vec::new()) };
        let keys: BTreeSet<&str> = match rows.first() {
            Some(first) if axes.is_empty() => first.keys().map(String::as_str).collect(),
            _ => axes.keys().map(String::as_str).collect(),
        };
        let mut seen: HashSet<String> = cells.iter().map(Cell::to_string).collect();
        let mut included = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let place = self.place(&["include".into(), index.into()]);
            self.known_keys(row, keys.iter().copied(), place)?;
            if let Some(missing) = keys.iter().find(|key| !row.contains_key(**key)) {
                let message = format!("an included cell of `{}` has no `{missing}`", self.stage.name.value);
                return Err(vec![self.wrong(message, place, "all cells of a stage have the same keys")]);
            }
            if let Some((key, bad)) = row.iter().find(|(key, v)| !is_scalar(v) || RESERVED.contains(&key.as_str())) {
                let message = format!("an included cell of `{}` has `{key}` = {bad}", self.stage.name.value);
                return Err(vec![self.wrong(message, place, "values are strings, numbers or true and false")]);
            }
            let cell: Cell = row.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            if !seen.insert(cell.to_string()) {
                let message = format!("the cell {cell} of `{}` is there twice", self.stage.name.value);
                return Err(vec![self.wrong(message, place, "take it out of `include`: the matrix has it already")]);
            }
            included.push(cell);
        }
        Ok(included)
    }

    fn known_keys<'k>(
        &self,
        row: &IndexMap<String, Json>,
        keys: impl Iterator<Item = &'k str> + Clone,
        place: &Node,
    ) -> Found<()> {
        let Some(unknown) = row.keys().find(|key| !keys.clone().any(|known| known == *key)) else { return Ok(()) };
        let message = format!("`{unknown}` is no key of the matrix of `{}`", self.stage.name.value);
        let help = match closest(unknown, keys.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its keys are {}", listed(keys)),
        };
        Err(vec![self.wrong(message, place, &help)])
    }

    /// What holds for all cells together.
    fn check(&self, cells: &[Cell]) -> Found<()> {
        let name = &self.stage.name.value;
        if cells.is_empty() {
            let message = format!("`exclude` leaves no cell of `{name}`");
            return Err(vec![self.wrong(message, self.place(&["exclude".into()]), "leave at least one")]);
        }
        if cells.len() > MOST_CELLS {
            let message = format!("`{name}` has {} cells", cells.len());
            return Err(vec![self.wrong(message, self.place(&[]), &format!("at most {MOST_CELLS} are allowed"))]);
        }
        self.check_names(cells.iter(), (code::BAD_MATRIX, self.place(&[])))
    }

    /// A cell is the name of a folder. `at`: the code of the problem, and its place.
    pub(super) fn check_names<'c>(
        &self,
        mut cells: impl Iterator<Item = &'c Cell>,
        at: (&'static str, &Node),
    ) -> Found<()> {
        let Some(long) = cells.find(|cell| cell.text_len() > LONGEST_CELL) else { return Ok(()) };
        let message = format!("a cell of `{}` has a name of {} bytes: {long}", self.stage.name.value, long.text_len());
        let help = format!("use shorter values: at most {LONGEST_CELL} bytes fit a folder's name");
        Err(vec![Diagnostic::error(at.0, message, at.1.span.clone(), "").help(help)])
    }

    fn wrong(&self, message: String, place: &Node, help: &str) -> Diagnostic {
        Diagnostic::error(code::BAD_MATRIX, message, place.span.clone(), "").help(help)
    }

    fn place(&self, inside: &[PathPart]) -> &Node {
        let path: Vec<PathPart> = std::iter::once(PathPart::from("matrix")).chain(inside.iter().cloned()).collect();
        self.stage.common.at(&path)
    }
}

pub(super) fn is_scalar(value: &Json) -> bool {
    !(value.is_object() || value.is_array() || value.is_null())
}

fn has_all(cell: &Cell, pattern: &IndexMap<String, Json>) -> bool {
    pattern.iter().all(|(key, value)| cell.get(key) == Some(value))
}

/// A value that a matrix has twice, at both of its places where they are written.
fn twice_in(key: &str, list: &Node, value: &Json) -> Diagnostic {
    let message = format!("`matrix.{key}` has {value} twice");
    let help = "each value makes one cell; write it once";
    let Value::List(items) = &list.value else {
        return Diagnostic::error(code::BAD_MATRIX, message, list.span.clone(), "").help(help);
    };
    let same: Vec<usize> = (0..items.len()).filter(|at| scalar(&items[*at].to_json()) == scalar(value)).collect();
    match same.as_slice() {
        [first, again, ..] => {
            let (before, again) = (&items[again - 1], &items[*again]);
            Diagnostic::error(code::BAD_MATRIX, message, again.span.clone(), "again here")
                .and(items[*first].span.clone(), "first here")
                .fix(help, [Edit::new(before.span.end..again.span.end, "")])
        }
        _ => Diagnostic::error(code::BAD_MATRIX, message, list.span.clone(), "").help(help),
    }
}

/// Every combination; the values of the last key change first.
fn product(axes: &BTreeMap<String, Vec<Json>>) -> Vec<Cell> {
    let axes: Vec<(Arc<str>, &[Json])> = axes.iter().map(|(key, values)| (key.as_str().into(), &values[..])).collect();
    let count: usize = axes.iter().map(|(_, values)| values.len()).product();
    let cell = |mut number: usize| {
        let mut pairs: Vec<(Arc<str>, Json)> = Vec::with_capacity(axes.len());
        for (key, values) in axes.iter().rev() {
            pairs.push((key.clone(), values[number % values.len()].clone()));
            number /= values.len();
        }
        pairs.into_iter().collect()
    };
    (0..count).map(cell).collect()
}
