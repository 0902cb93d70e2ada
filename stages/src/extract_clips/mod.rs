//! `kind = "extract-clips"`: the plays of one game, cut out of one video of it. Each clip is an item of its own: it is
//! in the store as soon as it is whole, and a play that did not move is never cut again.

use crate::columns::{millis, text};
use crate::jsonl;
use crate::records::{CLIPS, ClipRecord, Ends, PLAYS, Row, Ticks};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::Cell;
use pipe_engine::key::{Key, KeyWriter};
use pipe_engine::stage::{ConfigProblem, Format, InputFile, OneResult, Probe, Probed, StageKind, read_config};
use pipe_engine::work::{Item, Work};
use pipe_video::{
    CutMode, CutOptions, CutPlan, CutReport, EncodeOptions, Media, Pixels, Preset, Ratio, Span, VideoError,
    VideoErrorKind, contact_sheet, versions,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Raised whenever the same play of the same video would give other bytes.
const CODE: u32 = 2;
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
    /// What of the video is copied and what is encoded. Default: `smart`.
    #[serde(default)]
    mode: ModeName,
    /// Whether clips have the video's sound. It is copied. Default: `true`.
    #[serde(default = "default_audio")]
    audio: bool,
    /// Width and height of the clips, both even. Only where every frame is encoded, as `fps` and `pixels`. Default: the
    /// video's own.
    #[serde(default)]
    size: Option<[u32; 2]>,
    /// Frames a second: at each moment the one that is on screen. Default: the video's own times.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    fps: Option<u32>,
    /// How finely colour is stored. Default: as in the video, in 8 bits.
    #[serde(default)]
    pixels: Option<PixelsName>,
    /// FFmpeg's name of the encoder for clips that are encoded whole, such as `h264_nvenc` where there is one. Default:
    /// `libx264`.
    #[serde(default = "default_encoder")]
    encoder: String,
    /// Quality, from 0 (lossless) to 51 (worst). Default: 18, hard to tell from the source.
    #[serde(default = "default_crf")]
    #[schemars(range(min = 0, max = 51))]
    crf: u8,
    /// How hard the encoder works; slower gives smaller files. Default: `veryfast`.
    #[serde(default)]
    preset: PresetName,
}

/// How clips are cut. However it is, a clip that cannot be proven right otherwise is encoded whole, and the manifest
/// says so.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    /// Copies whole groups of pictures and encodes the frames at the edges: exact, and near the speed of copying.
    #[default]
    Smart,
    /// Copies everything: from the key frame at or before the start to the first frame at or behind the end where
    /// copied frames can end. The manifest tells where that was.
    Copy,
    /// Encodes every frame.
    Encode,
}

fn default_audio() -> bool {
    true
}

fn default_encoder() -> String {
    CutOptions::default().encoder
}

/// How finely colour is stored, as FFmpeg calls it.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PixelsName {
    Yuv420p,
    Yuv422p,
    Yuv444p,
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
    fn options(&self) -> CutOptions {
        let encode = EncodeOptions { crf: self.crf, preset: Preset::ALL[self.preset as usize] };
        CutOptions {
            mode: CutMode::ALL[self.mode as usize],
            encode,
            audio: self.audio,
            encoder: self.encoder.clone(),
            size: self.size.map(|[width, height]| (width, height)),
            frame_rate: self.fps.map(|num| Ratio { num, den: 1 }),
            pixels: self.pixels.map(|pixels| match pixels {
                PixelsName::Yuv420p => Pixels::Yuv420,
                PixelsName::Yuv422p => Pixels::Yuv422,
                PixelsName::Yuv444p => Pixels::Yuv444,
            }),
        }
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
        let config: Config = read_config(config)?;
        let shaped =
            [("size", config.size.is_some()), ("fps", config.fps.is_some()), ("pixels", config.pixels.is_some())];
        match shaped.iter().find(|(_, given)| *given && !matches!(config.mode, ModeName::Encode)) {
            Some((field, _)) => {
                let message = format!("`{field}` cannot be changed where frames are copied");
                Err(ConfigProblem::new(*field, message).help("add `mode = \"encode\"`"))
            }
            None => Ok(()),
        }
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
        why: String::new(),
        frames_copied: 0,
        frames_encoded: 0,
        asked: Some(Ends {
            start: [i64::try_from(play.span.start_ms).unwrap_or(i64::MAX), 1000],
            end: [i64::try_from(play.span.end_ms).unwrap_or(i64::MAX), 1000],
        }),
        shown: None,
        ticks: None,
        row: play.row.clone(),
    }
}

/// A clip that is whole and where it lies, perhaps in the folder of an earlier attempt.
struct Cut {
    record: ClipRecord,
    place: PathBuf,
}

/// What is told of a clip that was cut, also to those who find it later.
#[derive(Serialize, Deserialize)]
struct Facts {
    mode: String,
    why: String,
    frames: u64,
    frames_copied: u64,
    frames_encoded: u64,
    shown: Ends,
    ticks: Ticks,
}

impl Facts {
    fn of(report: &CutReport) -> Self {
        Facts {
            mode: report.mode.name().to_owned(),
            why: report.why.clone(),
            frames: report.frames,
            frames_copied: report.frames_copied,
            frames_encoded: report.frames_encoded,
            shown: Ends { start: [report.start.num, report.start.den], end: [report.end.num, report.end.den] },
            ticks: Ticks {
                start: report.start_ticks,
                end: report.end_ticks,
                base: [report.time_base.num, report.time_base.den],
            },
        }
    }
}

/// All clips of one video, cut in one pass. Each encoder runs on one thread, so the number of threads changes how long
/// it takes and no byte.
struct Cutting<'a> {
    work: &'a Work<'a>,
    plays: &'a [Play],
    options: CutOptions,
    code: String,
}

impl Cutting<'_> {
    /// Finds the clips that are there and cuts the others. Every clip that can be cut is, whatever became of others.
    fn cut_all(&self) -> Result<Vec<Cut>, Failure> {
        let video = self.work.file("video")?;
        let mut plan = CutPlan::new(Media::file(&video.path), self.options.clone());
        let (mut clips, mut missing) = (Vec::new(), Vec::new());
        for (number, play) in self.plays.iter().enumerate() {
            let found = self.work.find_item(&self.key(play, &video.blake3), &name(play))?;
            if found.is_none() {
                plan.add(play.span, &self.work.output(&name(play))?);
                missing.push(number);
            }
            clips.push(found.map(Ok));
        }
        let told = |clips: &[Option<Result<Item, Failure>>]| {
            self.work.progress(clips.iter().flatten().count(), clips.len(), "clips");
        };
        told(&clips);
        let clips = Mutex::new(clips);
        plan.run(self.work.cpu(), &|clip, outcome| {
            let number = missing[clip];
            let item = self.file(&self.plays[number], &video.blake3, outcome);
            let mut clips = clips.lock().unwrap_or_else(PoisonError::into_inner);
            clips[number] = Some(item);
            told(&clips);
        });
        self.gathered(clips.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Files a clip that was cut as an item.
    fn file(&self, play: &Play, video: &str, outcome: Result<CutReport, VideoError>) -> Result<Item, Failure> {
        let report = outcome.map_err(|error| play_failure(play, &error))?;
        let item = self.work.item(&self.key(play, video), &name(play), |_| {
            serde_json::to_value(Facts::of(&report)).map_err(|e| Failure::failed("bad_item", e.to_string()))
        })?;
        let ours = self.work.output(&name(play))?;
        if self.work.path(&item.file) != ours {
            // Another attempt filed the same clip meanwhile. Ours is worth nothing, and so is why it cannot be removed.
            let _ = fs::remove_file(ours);
        }
        Ok(item)
    }

    /// All clips, or the first failure in the order of the plays.
    fn gathered(&self, clips: Vec<Option<Result<Item, Failure>>>) -> Result<Vec<Cut>, Failure> {
        let failed = clips.iter().flatten().filter(|clip| clip.is_err()).count();
        let cuts = self.plays.iter().zip(clips).map(|(play, clip)| {
            let lost = || Failure::failed("no_clip", format!("play `{}` was not cut", play.id));
            self.cut(play, clip.ok_or_else(lost)??)
        });
        cuts.collect::<Result<_, _>>().map_err(|first: Failure| match failed {
            0 | 1 => first,
            _ => Failure {
                message: format!("{} (and {} more of {})", first.message, failed - 1, self.plays.len()),
                ..first
            },
        })
    }

    fn cut(&self, play: &Play, item: Item) -> Result<Cut, Failure> {
        let facts: Facts = serde_json::from_value(item.facts).map_err(|e| {
            Failure::failed("bad_item", format!("what is filed of play `{}` cannot be read: {e}", play.id))
        })?;
        let place = self.work.path(&item.file);
        let record = ClipRecord {
            path: item.file.path,
            frames: facts.frames,
            mode: facts.mode,
            why: facts.why,
            frames_copied: facts.frames_copied,
            frames_encoded: facts.frames_encoded,
            shown: Some(facts.shown),
            ticks: Some(facts.ticks),
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
            .field("mode", self.options.mode)
            .field("audio", self.options.audio)
            .field("encoder", &self.options.encoder)
            .field("size", format!("{:?}", self.options.size))
            .field("fps", format!("{:?}", self.options.frame_rate))
            .field("pixels", format!("{:?}", self.options.pixels))
            .field("crf", self.options.encode.crf)
            .field("preset", self.options.encode.preset)
            .finish()
    }
}

fn name(play: &Play) -> String {
    format!("{}.mp4", utf8_percent_encode(&play.id, &PLAIN))
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
        VideoErrorKind::Changed => (Class::Failed, "video_changed"),
        VideoErrorKind::BadOption => (Class::Failed, "bad_option"),
        VideoErrorKind::NoSpace => (Class::OutOfDisk, "disk_full"),
        VideoErrorKind::Io => (Class::Failed, "io"),
        VideoErrorKind::Encoder => (Class::Failed, "encoder"),
    };
    Failure::of(class, code, error.message.clone()).on(error.path.display().to_string()).help(error.help.clone())
}
