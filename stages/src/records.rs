//! The records that stages pass on: plays out of a database, clips of plays, frames of clips, examples to train on.

use indexmap::IndexMap;
use pipe_engine::ids::Cell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The file of an `export`'s artifact.
pub(crate) const PLAYS: &str = "plays.jsonl";
/// The clips manifest of an `extract-clips` artifact.
pub(crate) const CLIPS: &str = "clips.jsonl";
/// The index of a `preprocess` artifact.
#[cfg(any(feature = "video", feature = "trainer"))]
pub(crate) const FRAMES: &str = "frames.jsonl";

/// The records of a `format-jsonl` artifact: those to train on, and those held out.
pub(crate) const RECORDS: [&str; 2] = ["train.jsonl", "validation.jsonl"];

/// A table that somebody else made: a play, with its columns in order, or a record to train on.
pub(crate) type Row = Map<String, Json>;

/// One row of an export, its columns in the order of the query. `extract-clips` needs `id`, and
/// `start_ms` and `end_ms` or what its `times` says.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct PlayRow(pub(crate) IndexMap<String, Column>);

/// The value of one column.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Column {
    /// SQL's null.
    Null,
    /// A whole number of 64 bits.
    Integer(i64),
    /// A number that is finite.
    Real(f64),
    /// Text in UTF-8.
    Text(String),
}

/// One clip of one play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClipRecord {
    /// Unique in the pipeline: the cell, the angle where the task cuts several, and the play.
    pub(crate) id: String,
    /// What became of it. A clip that was not cut has no file, and stages that take clips pass over it.
    #[serde(default)]
    pub(crate) status: ClipStatus,
    /// Why it was not cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ClipError>,
    /// The play's id.
    pub(crate) play: String,
    /// The cell that cut it: the camera angle, the game.
    pub(crate) cell: Cell,
    /// The camera angle of its video, where that is known: the name in `videos`, or the cell's `angle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) angle: Option<String>,
    /// The clip's file in the artifact; empty when there is none.
    pub(crate) path: String,
    /// A small picture of it, a JPEG in the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thumbnail: Option<String>,
    /// The codec of its pictures, such as `h264`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) codec: String,
    /// FFmpeg's name of the encoder of those of its pictures that were encoded, such as `libx264`. Absent when none was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) encoder: String,
    /// Bytes of its file.
    #[serde(default)]
    pub(crate) size: u64,
    /// BLAKE3 of its file, in hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) blake3: String,
    /// Where it was cut, on the video's clock, in whole milliseconds rounded down.
    pub(crate) start_ms: u64,
    /// Where it was cut, on the video's clock; the first moment after.
    pub(crate) end_ms: u64,
    /// Frames in it.
    pub(crate) frames: u64,
    /// How it was cut; empty when it was not. `smart`: whole groups of pictures are the video's own bytes and only the edges were encoded;
    /// `copy`: all of it is the video's own bytes; `encode`: all of it was encoded.
    pub(crate) mode: String,
    /// Why it was cut another way than was asked for. Empty when it was cut as asked.
    #[serde(default)]
    pub(crate) why: String,
    /// How many of its frames are the video's own bytes.
    #[serde(default)]
    pub(crate) frames_copied: u64,
    /// How many of its frames were encoded.
    #[serde(default)]
    pub(crate) frames_encoded: u64,
    /// The timecode of the video's first frame, from which the play's timecodes were counted. Absent when it has none, or the
    /// play's times are no timecodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_timecode: Option<String>,
    /// Asked for, with its padding, in exact seconds on the video's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<Ends>,
    /// Where the play itself lies, without padding, in exact seconds on the video's clock. Absent when nothing was padded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unpadded: Option<Ends>,
    /// How much of the padding lies outside the video, so that the clip is shorter. Absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clamped: Option<Clamped>,
    /// The start of the first frame and the end of the last one, in exact seconds on the video's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shown: Option<Ends>,
    /// The same in ticks of the video's pictures, on the clock inside the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ticks: Option<Ticks>,
    /// The play's row.
    pub(crate) row: Row,
}

impl ClipRecord {
    /// Whether there is a clip.
    pub(crate) fn is_cut(&self) -> bool {
        self.status == ClipStatus::Cut
    }
}

/// What became of a clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClipStatus {
    /// It is there.
    #[default]
    Cut,
    /// It could not be cut, and `error` says why.
    Failed,
}

/// Why a clip was not cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClipError {
    /// For programs, such as `play_outside_video`.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

/// How much of a clip's padding lies outside the video, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Clamped {
    /// Before its first moment.
    pub(crate) before_ms: u64,
    /// After its last one.
    pub(crate) after_ms: u64,
}

/// Where a clip begins and ends, in seconds: a fraction as the number above and the number below the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Ends {
    /// The first moment inside.
    pub(crate) start: [i64; 2],
    /// The first moment after.
    pub(crate) end: [i64; 2],
}

/// Where a clip begins and ends, in ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Ticks {
    /// The first frame's time.
    pub(crate) start: i64,
    /// The end of the last frame.
    pub(crate) end: i64,
    /// Seconds of one tick, as the number above and the number below the line.
    pub(crate) base: [u32; 2],
}

/// Where the frames of one clip are.
#[cfg(any(feature = "video", feature = "trainer"))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FramesRecord {
    /// The clip's id.
    pub(crate) id: String,
    /// The shard's file in the artifact.
    pub(crate) shard: String,
    /// Its place along the first dimension of the shard's tensor.
    pub(crate) row: usize,
}

/// One record to train on, as the built-in trainer reads it. The template of the data set decides what is in it: other
/// fields may stand beside these, a `train` stage can give these other names in `fields`, and a trainer of your own may
/// want none of them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "templates make records, so there is only their schema")]
pub(crate) struct TrainingRecord {
    /// The clip's id.
    clip: Word,
    /// What is to be learned.
    label: Word,
    /// What is judged together and counts once: the play.
    play: Word,
    /// The camera angle.
    angle: Word,
}

/// Text; a number is taken for its digits.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "templates make records, so there is only their schema")]
enum Word {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}
