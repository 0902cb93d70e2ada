//! `foreach`: the rows another stage made -> the cells of a stage. A pure function of the rows, so the same result always
//! makes the same tasks.

use super::{cells, code};
use crate::ids::{Cell, scalar};
use crate::spec::StageSpec;
use crate::spec::common::Foreach;
use crate::spec::node::PathPart;
use crate::text::{Diagnostic, Span, closest, listed};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashSet};

/// One row: its columns.
pub type Row = Map<String, Json>;

/// The rows that stages made which others are spread over, by stage, in the order of its cells. What is not here is not
/// known yet.
pub type Rows = BTreeMap<String, Vec<(Cell, Vec<Row>)>>;

/// The cells of `foreach` and the row of each: the stage's own cells, times the rows of the results that belong to them.
///
/// # Errors
/// Rows without the key, with a key that is no scalar, or with the same key twice; too many.
pub(super) fn spread(
    stage: &StageSpec,
    foreach: &Foreach,
    own: &[Cell],
    rows: &[(Cell, Vec<Row>)],
) -> Result<Vec<(Cell, Row)>, Diagnostic> {
    let key = &foreach.key;
    let place = stage.common.at(&[PathPart::from("foreach"), PathPart::from("key")]).span.clone();
    let wrong = |message: String, help: String| {
        Diagnostic::error(code::BAD_ROWS, message, place.clone(), "this column").help(help)
    };
    let mut spread = Vec::new();
    for cell in own {
        let mut seen = HashSet::new();
        for row in rows.iter().filter(|(from, _)| from.agrees_with(cell)).flat_map(|(_, rows)| rows) {
            let Some(value) = row.get(key) else {
                return Err(no_column(&foreach.stage.0, key, row, place));
            };
            if !cells::is_scalar(value) {
                let message = format!("a row of `{}` has `{key}` = {value}", foreach.stage.0);
                return Err(wrong(message, "the key of a row is text, a number, or true or false".to_owned()));
            }
            if !seen.insert(scalar(value)) {
                let message = format!("two rows of `{}` have `{key}` = {value}", foreach.stage.0);
                return Err(wrong(message, "name a column that is different in each row".to_owned()));
            }
            spread.push((cell.with(key, value), row.clone()));
        }
        if spread.len() > cells::MOST_CELLS {
            let message =
                format!("`{}` makes more than {} rows for `{}`", foreach.stage.0, cells::MOST_CELLS, stage.name.value);
            return Err(wrong(message, "make fewer rows, or more than one of them in a task".to_owned()));
        }
    }
    Ok(spread)
}

fn no_column(stage: &str, key: &str, row: &Row, place: Span) -> Diagnostic {
    let columns = || row.keys().map(String::as_str);
    let help = match closest(key, columns()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the columns are {}", listed(columns())),
    };
    Diagnostic::error(code::BAD_ROWS, format!("a row of `{stage}` has no `{key}`"), place, "this column").help(help)
}
