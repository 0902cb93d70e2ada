//! The records that stages pass on: plays out of a database, clips of plays, frames of clips.

use pipe_engine::failure::Failure;
use pipe_engine::ids::Cell;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The file of an `export`'s artifact.
pub(crate) const PLAYS: &str = "plays.jsonl";
/// The clips manifest of an `extract-clips` artifact.
pub(crate) const CLIPS: &str = "clips.jsonl";
/// The index of a `preprocess` artifact.
pub(crate) const FRAMES: &str = "frames.jsonl";

/// A row of a database: its columns in order.
pub(crate) type Row = Map<String, Json>;

/// One clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClipRecord {
    /// Unique in the pipeline: the cell and the play.
    pub(crate) id: String,
    /// The play's id.
    pub(crate) play: String,
    /// The cell that cut it: the camera angle, the game.
    pub(crate) cell: Cell,
    /// The clip's file in the artifact.
    pub(crate) path: String,
    /// Asked for, on the video's clock.
    pub(crate) start_ms: u64,
    /// Asked for, on the video's clock; the first moment after.
    pub(crate) end_ms: u64,
    /// Frames in it.
    pub(crate) frames: u64,
    /// How it was cut: `encode`.
    pub(crate) mode: String,
    /// The play's row.
    pub(crate) row: Row,
}

/// Where the frames of one clip are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FramesRecord {
    /// The clip's id.
    pub(crate) id: String,
    /// The shard's file in the artifact.
    pub(crate) shard: String,
    /// Its place along the first dimension of the shard's tensor.
    pub(crate) row: usize,
}

/// A column's value as text: an id may be a number in the database.
pub(crate) fn text(row: &Row, column: &str) -> Result<String, Failure> {
    match row.get(column) {
        Some(Json::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(wrong(row, column, &format!("is {other}, not a text or number"))),
        None => Err(no_column(row, column)),
    }
}

/// A column's value as milliseconds.
pub(crate) fn millis(row: &Row, column: &str) -> Result<u64, Failure> {
    match row.get(column) {
        Some(value) => {
            value.as_u64().ok_or_else(|| wrong(row, column, &format!("is {value}, not milliseconds from 0")))
        }
        None => Err(no_column(row, column)),
    }
}

fn wrong(row: &Row, column: &str, what: &str) -> Failure {
    Failure::failed("bad_play", format!("column `{column}` {what}"))
        .on(Json::Object(row.clone()).to_string())
        .help("correct the row, or the query that reads it")
}

fn no_column(row: &Row, column: &str) -> Failure {
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    Failure::failed("no_column", format!("the plays have no column `{column}`"))
        .on(format!("columns {}", columns.join(", ")))
        .help("select it in the export's query, with `as` when it has another name")
}
