//! `kind = "extract-clips"`: the plays of one game, cut out of one video of it. Each clip is an item of its own: it is
//! in the store as soon as it is whole, and a play that did not move is never cut again.

use crate::columns::{millis, text};
use crate::jsonl;
use crate::records::{CLIPS, ClipRecord, PLAYS, Row};
use crate::side_by_side;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::Cell;
use pipe_engine::key::{Key, KeyWriter};
use pipe_engine::stage::{ConfigProblem, Format, InputFile, OneResult, Probe, Probed, StageKind, read_config};
use pipe_engine::work::Work;
use pipe_video::{Cutter, EncodeOptions, Preset, Span, VideoError, VideoErrorKind, contact_sheet, versions};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::path::PathBuf;

/// Raised whenever the same play of the same video would give other bytes.
const CODE: u32 = 1;
/// What of a play's id may stand in a file's name as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// Clips shown on the contact sheet, and how.
const SHEET: (usize, usize, u32) = (24, 6, 192);

pub(crate) struct ExtractClips;

/// Cuts the clip of each play out of a video, exact to the frame: a clip holds the frames that are shown from
/// `start_ms` up to, and without, `end_ms`. Writes `clips.jsonl`, one MP4 a play and a contact sheet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The stage that gives the plays, with columns `id`, `start_ms` and `end_ms`.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    plays: OneResult,
    /// The video they are cut out of.
    #[expect(dead_code, reason = "the engine finds the file by its mark")]
    video: InputFile,
    /// Quality, from 0 (lossless) to 51 (worst). Default: 18, hard to tell from the source.
    #[serde(default = "default_crf")]
    #[schemars(range(min = 0, max = 51))]
    crf: u8,
    /// How hard the encoder works; slower gives smaller files. Default: `veryfast`.
    #[serde(default)]
    preset: PresetName,
}

/// x264's own names.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PresetName {
    Ultrafast,
    Superfast,
    #[default]
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
}

fn default_crf() -> u8 {
    EncodeOptions::default().crf
}

impl Config {
    fn options(&self) -> EncodeOptions {
        EncodeOptions { crf: self.crf, preset: Preset::ALL[self.preset as usize] }
    }
}

impl StageKind for ExtractClips {
    fn name(&self) -> &'static str {
        "extract-clips"
    }

    fn code(&self) -> String {
        format!("{CODE} {}", versions())
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn formats(&self) -> Vec<Format> {
        vec![Format::of::<ClipRecord>("clips", &[CLIPS])]
    }

    fn makes(&self, _: &Json) -> Vec<String> {
        vec![CLIPS.to_owned()]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<Config>(config).map(drop)
    }

    /// A sample play must have the columns that clips are cut by.
    fn probe(&self, probe: &Probe<'_>) -> Probed {
        let Some(Json::Object(row)) = probe.inputs.get("plays") else { return Probed::default() };
        match play(row.clone()) {
            Ok(play) => {
                let record = record(&play, probe.cell);
                Probed { sample: serde_json::to_value(record).ok(), problems: Vec::new() }
            }
            Err(failure) => {
                let problem = ConfigProblem::new("plays", failure.message);
                Probed { sample: None, problems: vec![failure.help.into_iter().fold(problem, ConfigProblem::help)] }
            }
        }
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let config: Config = work.config()?;
        let plays = plays(work)?;
        let cuts = Cutting { work, plays: &plays, options: config.options(), code: self.code() }.cut_all()?;
        write_sheet(work, &cuts)?;
        let clips: Vec<ClipRecord> = cuts.into_iter().map(|cut| cut.record).collect();
        work.write(CLIPS, &jsonl::write(&clips))?;
        Ok(json!({ "clips": clips.len(), "frames": clips.iter().map(|c| c.frames).sum::<u64>() }))
    }
}

/// One play, ready to be cut.
struct Play {
    id: String,
    span: Span,
    row: Row,
}

/// The plays in the order of their start, so that the video is read from front to back.
fn plays(work: &Work<'_>) -> Result<Vec<Play>, Failure> {
    let path = work.path_in(work.input("plays")?, PLAYS)?;
    let rows: Vec<Row> = jsonl::read(&path)?;
    let mut seen = HashSet::new();
    let mut plays = Vec::with_capacity(rows.len());
    for row in rows {
        let play = play(row)?;
        if !seen.insert(play.id.clone()) {
            return Err(Failure::failed("same_play", format!("two plays have the id `{}`", play.id))
                .help("select a column that is unique as `id`"));
        }
        plays.push(play);
    }
    plays.sort_by(|a, b| (a.span.start_ms, &a.id).cmp(&(b.span.start_ms, &b.id)));
    Ok(plays)
}

fn play(row: Row) -> Result<Play, Failure> {
    let id = text(&row, "id")?;
    let span = Span { start_ms: millis(&row, "start_ms")?, end_ms: millis(&row, "end_ms")? };
    if span.start_ms >= span.end_ms {
        let message =
            format!("play `{id}` ends at {} ms, which is not after its start at {} ms", span.end_ms, span.start_ms);
        return Err(Failure::failed("bad_play", message).help("correct the play's times in the database"));
    }
    Ok(Play { id, span, row })
}

/// What is known of a play's clip before it is cut.
fn record(play: &Play, cell: &Cell) -> ClipRecord {
    ClipRecord {
        id: if cell.is_empty() { play.id.clone() } else { format!("{cell}/{}", play.id) },
        play: play.id.clone(),
        cell: cell.clone(),
        path: String::new(),
        start_ms: play.span.start_ms,
        end_ms: play.span.end_ms,
        frames: 0,
        mode: String::new(),
        row: play.row.clone(),
    }
}

/// A clip that is whole and where it lies, perhaps in the folder of an earlier attempt.
struct Cut {
    record: ClipRecord,
    place: PathBuf,
}

/// All clips of one video, cut side by side. Each encoder runs on one thread, so the number of threads changes how
/// long it takes and no byte.
struct Cutting<'a> {
    work: &'a Work<'a>,
    plays: &'a [Play],
    options: EncodeOptions,
    code: String,
}

impl Cutting<'_> {
    fn cut_all(&self) -> Result<Vec<Cut>, Failure> {
        let told = |done| self.work.progress(done, self.plays.len(), "clips");
        told(0);
        side_by_side::map(self.plays, self.work.cpu(), told, |cutter, play| self.clip(play, cutter))
    }

    fn clip(&self, play: &Play, cutter: &mut Option<Cutter>) -> Result<Cut, Failure> {
        let name = format!("{}.mp4", utf8_percent_encode(&play.id, &PLAIN));
        let video = self.work.file("video")?;
        let item = self.work.item(&self.key(play, &video.blake3), &name, |out| {
            let cutter = match cutter {
                Some(open) => open,
                none => none.insert(Cutter::open(&video.path, self.options).map_err(|e| video_failure(&e))?),
            };
            let cut = cutter.cut(play.span, out).map_err(|e| play_failure(play, &e))?;
            Ok(json!({ "frames": cut.frames, "mode": "encode" }))
        })?;
        let place = self.work.path(&item.file);
        let record = ClipRecord {
            path: item.file.path,
            frames: item.facts["frames"].as_u64().unwrap_or_default(),
            mode: item.facts["mode"].as_str().unwrap_or_default().to_owned(),
            ..record(play, self.work.cell())
        };
        Ok(Cut { record, place })
    }

    /// What decides a clip's bytes. Neither the play's id nor its label is part of it.
    fn key(&self, play: &Play, video: &str) -> Key {
        KeyWriter::default()
            .field("kind", "extract-clips/clip")
            .field("code", &self.code)
            .field("video", video)
            .field("start_ms", play.span.start_ms)
            .field("end_ms", play.span.end_ms)
            .field("crf", self.options.crf)
            .field("preset", self.options.preset)
            .finish()
    }
}

/// A picture of the first clips, for people: the middle frame of each.
fn write_sheet(work: &Work<'_>, cuts: &[Cut]) -> Result<(), Failure> {
    let (most, columns, width) = SHEET;
    let places: Vec<PathBuf> = cuts.iter().take(most).map(|cut| cut.place.clone()).collect();
    let png = contact_sheet(&places, columns, width).map_err(|e| video_failure(&e))?;
    work.write("contact-sheet.png", &png)
}

fn play_failure(play: &Play, error: &VideoError) -> Failure {
    let failure = video_failure(error);
    let message = format!("play `{}`: {}", play.id, failure.message);
    Failure { message, ..failure }
}

/// A video's trouble as a failure of the attempt.
pub(crate) fn video_failure(error: &VideoError) -> Failure {
    let (class, code) = match error.kind {
        VideoErrorKind::NotAVideo => (Class::Failed, "not_a_video"),
        VideoErrorKind::NoVideoStream => (Class::Failed, "no_pictures"),
        VideoErrorKind::Corrupt => (Class::Failed, "video_corrupt"),
        VideoErrorKind::OutOfRange => (Class::Failed, "play_outside_video"),
        VideoErrorKind::Unsupported => (Class::Failed, "video_unsupported"),
        VideoErrorKind::BadOption => (Class::Failed, "bad_option"),
        VideoErrorKind::NoSpace => (Class::OutOfDisk, "disk_full"),
        VideoErrorKind::Io => (Class::Failed, "io"),
        VideoErrorKind::Encoder => (Class::Failed, "encoder"),
    };
    Failure::of(class, code, error.message.clone()).on(error.path.display().to_string()).help(error.help.clone())
}
