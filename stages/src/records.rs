//! The records that stages pass on: plays out of a database, clips of plays, frames of clips.

use pipe_engine::ids::Cell;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The file of an `export`'s artifact.
pub(crate) const PLAYS: &str = "plays.jsonl";
/// The clips manifest of an `extract-clips` artifact.
pub(crate) const CLIPS: &str = "clips.jsonl";
/// The index of a `preprocess` artifact.
#[cfg(any(feature = "video", feature = "trainer"))]
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
#[cfg(any(feature = "video", feature = "trainer"))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FramesRecord {
    /// The clip's id.
    pub(crate) id: String,
    /// The shard's file in the artifact.
    pub(crate) shard: String,
    /// Its place along the first dimension of the shard's tensor.
    pub(crate) row: usize,
}
