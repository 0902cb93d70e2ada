//! What a stage asks of a play's row: a column as text, or a sentence that says why not.

use crate::records::Row;
use pipe_engine::failure::Failure;
use serde_json::Value as Json;

/// A column's value as text: an id may be a number in the database.
pub(crate) fn text(row: &Row, column: &str) -> Result<String, Failure> {
    match row.get(column) {
        Some(Json::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(wrong(row, column, &format!("is {other}, not a text or number"))),
        None => Err(no_column(row, column)),
    }
}

/// A column whose value is not what it should be.
pub(crate) fn wrong(row: &Row, column: &str, what: &str) -> Failure {
    Failure::failed("bad_play", format!("column `{column}` {what}"))
        .on(Json::Object(row.clone()).to_string())
        .help("correct the row, or the query that reads it")
}

/// A column that is not there.
pub(crate) fn no_column(row: &Row, column: &str) -> Failure {
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    Failure::failed("no_column", format!("the plays have no column `{column}`"))
        .on(format!("columns {}", columns.join(", ")))
        .help("select it in the export's query, with `as` when it has another name")
}
