//! Rows of plays -> which part of a video each one asks for: times, the camera's clock, padding, and where the video ends.

use super::seconds::Seconds;
use super::times::{Mark, StartTimecode, TimesName};
use crate::columns::{no_column, text, wrong};
use crate::records::{Clamped, Ends, Row};
use pipe_engine::failure::Failure;
use pipe_engine::units::Millis;
use pipe_video::{Counting, Stretch, Timecode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

/// What is added to the plays' times to get those of a video: cameras do not start together. `"-1.5s"` for all angles, or one
/// for each, as in `{ FAR_LEFT = "0s", NEAR_LEFT = "-1.5s" }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Sync {
    /// The same for every angle.
    All(Shift),
    /// One for each angle, by its name.
    Angles(BTreeMap<String, Shift>),
}

/// How much later the plays' times come in a video.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Shift {
    /// So much; negative when the camera was started after the plays' clock.
    By(Offset),
    /// What a column of the plays says.
    #[serde(rename_all = "lowercase")]
    Column(ShiftColumn),
}

/// A column that says how much later a play's times come in a video.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShiftColumn {
    /// Its name. It holds whole milliseconds, or a duration such as `-1.5s`.
    column: String,
}

/// Milliseconds, perhaps below 0; written `-1.5s`, `800ms`, `+2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset(i64);

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sign, amount) = match text.trim().split_at_checked(1) {
            Some(("-", amount)) => (-1, amount),
            Some(("+", amount)) => (1, amount),
            _ => (1, text),
        };
        let wrong =
            || format!("`{text}` is no offset: write a duration, perhaps below 0, as in `-1.5s`, `800ms`, `2m`");
        let amount: Millis = amount.parse().map_err(|_| wrong())?;
        i64::try_from(amount.0).map(|ms| Self(sign * ms)).map_err(|_| wrong())
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Offset {
    fn schema_name() -> Cow<'static, str> {
        "Offset".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "examples": ["-1.5s", "800ms"] })
    }
}

impl Sync {
    /// What is added for an angle of the task; `Err` says what is missing.
    pub(super) fn shift(&self, angle: Option<&str>) -> Result<&Shift, String> {
        match (self, angle) {
            (Self::All(shift), _) => Ok(shift),
            (Self::Angles(angles), Some(angle)) => angles.get(angle).ok_or_else(|| {
                let known: Vec<&str> = angles.keys().map(String::as_str).collect();
                format!("there is no offset for the angle `{angle}`; there are those of {}", known.join(", "))
            }),
            (Self::Angles(_), None) => {
                Err("it is not known which angle this is: the stage has no `videos` and its cell no `angle`".to_owned())
            }
        }
    }
}

impl Shift {
    fn of(&self, row: &Row) -> Result<Seconds, Failure> {
        let column = match self {
            Self::By(Offset(ms)) => return Ok(Seconds::from_ms(*ms)),
            Self::Column(ShiftColumn { column }) => column,
        };
        let value = row.get(column).ok_or_else(|| no_column(row, column))?;
        let ms = value.as_i64().or_else(|| value.as_str().and_then(|text| Some(text.parse::<Offset>().ok()?.0)));
        let refuse = || wrong(row, column, &format!("is {value}, not milliseconds or an offset such as `-1.5s`"));
        ms.map(Seconds::from_ms).ok_or_else(refuse)
    }
}

/// What is asked of every play.
pub(super) struct Asking {
    pub(super) times: TimesName,
    /// Which timecode the video's first frame has.
    pub(super) start: StartTimecode,
    pub(super) before: Millis,
    pub(super) after: Millis,
}

/// One play as its row tells it.
pub(super) struct Play {
    pub(super) id: String,
    pub(super) row: Row,
    /// When it begins and what is the first moment after; why that cannot be told.
    marks: Result<[Mark; 2], Failure>,
}

/// The plays of some rows. One whose times cannot be read is among them, since the others can be cut.
///
/// # Errors
/// When rows have no id, two have the same, or a column is missing.
pub(super) fn plays(rows: Vec<Row>, times: TimesName) -> Result<Vec<Play>, Failure> {
    let mut seen = HashSet::new();
    let mut plays = Vec::with_capacity(rows.len());
    for row in rows {
        let play = play(row, times)?;
        if !seen.insert(play.id.clone()) {
            return Err(Failure::failed("same_play", format!("two plays have the id `{}`", play.id))
                .help("select a column that is unique as `id`"));
        }
        plays.push(play);
    }
    Ok(plays)
}

/// # Errors
/// When the row has no id or lacks a column: the query is wrong, and not this play.
pub(super) fn play(row: Row, times: TimesName) -> Result<Play, Failure> {
    let id = text(&row, "id")?;
    let [start, end] = times.columns();
    if let Some(missing) = [start, end].into_iter().find(|column| !row.contains_key(*column)) {
        let failure = no_column(&row, missing);
        let other = TimesName::default();
        return Err(if other != times && other.columns().iter().all(|column| row.contains_key(*column)) {
            failure.help("select it in the export's query, or leave `times` out: the plays have milliseconds")
        } else {
            failure
        });
    }
    let marks = times.read(&row, start).and_then(|from| Ok([from, times.read(&row, end)?]));
    Ok(Play { id, row, marks })
}

/// The part of a video that a play asks for.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The timecode of the video's first frame, where times were counted from it.
    pub(super) start_timecode: Option<Timecode>,
    /// Where the play itself lies, and what was asked for with padding.
    pub(super) play: [Seconds; 2],
    pub(super) asked: [Seconds; 2],
    /// What is cut: padding ends where the video does.
    pub(super) cut: [Seconds; 2],
}

impl Part {
    pub(super) fn stretch(&self) -> Stretch {
        Stretch::new(self.cut[0].exact(), self.cut[1].exact())
    }

    /// How much of the padding lies outside the video. `None`: nothing does.
    pub(super) fn clamped(&self) -> Option<Clamped> {
        let [before, after] = [self.cut[0] - self.asked[0], self.asked[1] - self.cut[1]];
        (before > Seconds::ZERO || after > Seconds::ZERO)
            .then(|| Clamped { before_ms: before.ms(), after_ms: after.ms() })
    }
}

pub(super) fn ends([start, end]: [Seconds; 2]) -> Ends {
    Ends { start: start.parts(), end: end.parts() }
}

impl Play {
    /// What it asks for of a video whose clock is shifted so and whose frames are counted so. What is not told of the video is
    /// not needed for it.
    ///
    /// # Errors
    /// What is wrong with the play's times, and in which row.
    pub(super) fn part(
        &self,
        shift: Option<&Shift>,
        counting: Option<&Counting>,
        asking: &Asking,
    ) -> Result<Part, Failure> {
        let marks = self.marks.clone()?;
        let on_row = || Json::Object(self.row.clone()).to_string();
        let start_timecode = asking.start.of(asking.times, counting);
        let moment = |mark: Mark, column: &str| {
            let told = |(message, help): (String, &str)| {
                Failure::failed("bad_time", format!("column `{column}`: {message}")).on(on_row()).help(help)
            };
            mark.moment(counting, start_timecode).map_err(told)
        };
        let [from, to] = asking.times.columns();
        let shift = shift.map_or(Ok(Seconds::ZERO), |shift| shift.of(&self.row))?;
        let [start, end] = [moment(marks[0], from)? + shift, moment(marks[1], to)? + shift];
        if start >= end {
            let message = format!("it ends at {} ms, which is not after its start at {} ms", end.ms(), start.ms());
            return Err(Failure::failed("bad_play", message)
                .on(on_row())
                .help("correct the play's times in the database"));
        }
        if start < Seconds::ZERO {
            let early = (Seconds::ZERO - start).ms();
            let message = format!("it begins {early} ms before the video does, by `sync`");
            return Err(Failure::failed("play_outside_video", message)
                .on(on_row())
                .help("check the offset of this angle"));
        }
        let padding = |Millis(ms): Millis| Seconds::from_ms(i64::try_from(ms).unwrap_or(i64::MAX / 2));
        let asked = [start - padding(asking.before), end + padding(asking.after)];
        let last = counting.and_then(|counting| counting.end).map_or(asked[1], |last| end.max(last.into()));
        Ok(Part { start_timecode, play: [start, end], asked, cut: [asked[0].max(Seconds::ZERO), asked[1].min(last)] })
    }
}
