//! `kind = "extract-clips"`: the plays of one game, cut out of one video of it. Each clip is an item of its own: it is
//! in the store as soon as it is whole, and a play that did not move is never cut again.

mod facts;
mod outcomes;
mod plays;
mod progress;
mod seconds;
mod settings;
mod sheet;
mod source;
mod thumbs;
mod times;
mod watch;

use crate::jsonl;
use crate::records::{CLIPS, ClipRecord, ClipStatus, PLAYS};
use crate::side_by_side;
use facts::Facts;
pub(crate) use outcomes::Trouble;
use outcomes::{Outcome, judged, name_of};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::Cell;
use pipe_engine::key::{Key, KeyWriter};
use pipe_engine::manifest::FileEntry;
use pipe_engine::stage::{ConfigProblem, Format, Probe, Probed, StageKind, read_config};
use pipe_engine::units::Millis;
use pipe_engine::work::{Item, Work};
use pipe_video::{Counting, CutOptions, CutPlan, CutReport, VideoError, VideoErrorKind, counting, versions};
use plays::{Asking, Part, Play, Shift, ends, play, plays};
use progress::Progress;
use schemars::{JsonSchema as _, Schema, SchemaGenerator};
use serde_json::{Value as Json, json};
use settings::Config;
use source::Source;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use times::TimesName;
use watch::Names;

/// Raised whenever the same play of the same video would give other bytes. 5: encoded sound is nearer to
/// its source.
const CODE: u32 = 5;
/// What of a play's id may stand in a file's name as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// What of an angle's name may stand in a folder's name as it is: a dot may not, since two of them lead upwards.
const FOLDER: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_');

pub(crate) struct ExtractClips;

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

    /// Who asks for fewer clips gets the same ones.
    fn aside(&self) -> &'static [&'static str] {
        &["min_success"]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<Config>(config)?.check()
    }

    /// A sample play must have the columns that clips are cut by.
    fn probe(&self, probe: &Probe<'_>) -> Probed {
        let Ok(config) = read_config::<Config>(probe.config) else { return Probed::default() };
        if let Err(problem) = config.check_sync(probe.cell) {
            return Probed { sample: None, problems: vec![problem] };
        }
        let Some(Json::Object(row)) = probe.inputs.get("plays") else { return Probed::default() };
        let angle = config.angles(probe.cell).into_iter().next().flatten();
        match play(row.clone(), config.times) {
            Ok(play) => {
                let record = record(&play, probe.cell, angle, !config.videos.is_empty());
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
        let plays = plays(jsonl::read(&work.path_in(work.input("plays")?, PLAYS)?)?, config.times)?;
        let angles = config.angles(work.cell());
        let job = Job {
            work,
            config: &config,
            options: config.options(),
            plays: &plays,
            code: self.code(),
            progress: Progress::new(work, plays.len() * angles.len()),
        };
        let mut outcomes = Vec::with_capacity(plays.len() * angles.len());
        let mut bytes_read = 0;
        for angle in angles {
            let (of_angle, read) = job.cut_video(angle)?;
            outcomes.extend(of_angle);
            bytes_read += read;
        }
        let lost = judged(&outcomes, config.min_success)?;
        for (outcome, failure) in outcomes.iter().filter(|outcome| !outcome.record.is_cut()).zip(&lost) {
            work.item_failed(&outcome.record.id, failure);
        }
        if config.thumbnails {
            sheet::write(work, &outcomes)?;
        }
        let clips: Vec<ClipRecord> = outcomes.into_iter().map(|outcome| outcome.record).collect();
        work.write(CLIPS, &jsonl::write(&clips))?;
        let frames = clips.iter().map(|c| c.frames).sum::<u64>();
        let mut told = json!({ "clips": clips.len() - lost.len(), "frames": frames, "bytes_read": bytes_read });
        if !lost.is_empty() {
            told["failed"] = json!(lost.len());
            told["failures"] = json!(outcomes::told(&lost));
        }
        Ok(told)
    }
}

/// What is known of a play's clip before it is cut. `several`: the task cuts more than one angle.
fn record(play: &Play, cell: &Cell, angle: Option<String>, several: bool) -> ClipRecord {
    let of_angle = angle.as_deref().filter(|_| several).map_or_else(String::new, |angle| format!("{angle}/"));
    let of_cell = if cell.is_empty() { String::new() } else { format!("{cell}/") };
    ClipRecord {
        id: format!("{of_cell}{of_angle}{}", play.id),
        status: ClipStatus::Cut,
        error: None,
        play: play.id.clone(),
        cell: cell.clone(),
        angle,
        path: String::new(),
        thumbnail: None,
        codec: String::new(),
        encoder: String::new(),
        size: 0,
        blake3: String::new(),
        start_ms: 0,
        end_ms: 0,
        frames: 0,
        mode: String::new(),
        why: String::new(),
        frames_copied: 0,
        frames_encoded: 0,
        start_timecode: None,
        asked: None,
        unpadded: None,
        clamped: None,
        shown: None,
        ticks: None,
        row: play.row.clone(),
    }
}

/// Where the clip is to be cut, in its record.
fn placed(record: ClipRecord, part: &Part) -> ClipRecord {
    ClipRecord {
        start_ms: part.cut[0].ms(),
        end_ms: part.cut[1].ms(),
        asked: Some(ends(part.asked)),
        start_timecode: part.start_timecode.map(|timecode| timecode.to_string()),
        unpadded: (part.play != part.asked).then(|| ends(part.play)),
        clamped: part.clamped(),
        ..record
    }
}

/// What is asked of a task.
struct Job<'a> {
    work: &'a Work<'a>,
    config: &'a Config,
    options: CutOptions,
    plays: &'a [Play],
    code: String,
    progress: Progress<'a>,
}

impl Job<'_> {
    /// What becomes of the plays in the video of one angle, and how many bytes of it were read.
    fn cut_video(&self, angle: Option<String>) -> Result<(Vec<Outcome>, u64), Failure> {
        let field = match &angle {
            Some(angle) if !self.config.videos.is_empty() => format!("videos.{angle}"),
            _ => "video".to_owned(),
        };
        let shift = self.config.sync.as_ref().map(|sync| sync.shift(angle.as_deref())).transpose();
        let shift = shift.map_err(|problem| Failure::failed("no_offset", problem).on("sync"))?;
        let video = Source::open(self.work, &field)?;
        let asking = self.config.asking();
        let counting = self.counting(&video, &asking);
        let mut clips: Vec<Clip<'_>> =
            self.plays.iter().map(|play| self.clip(play, angle.clone(), shift, counting.as_ref(), &asking)).collect();
        // The video is read from front to back; what has no place in it stands at the end.
        clips.sort_by(|a, b| (a.part.is_err(), a.start(), &a.play.id).cmp(&(b.part.is_err(), b.start(), &b.play.id)));
        let outcomes = Cutting { job: self, video: &video, clips: &clips }.cut_all()?;
        Ok((outcomes, video.media.bytes_read()))
    }

    /// How the frames of a video are counted, where plays need that.
    fn counting(&self, video: &Source, asking: &Asking) -> Result<Option<Counting>, VideoError> {
        let is_needed = asking.times != TimesName::Ms || asking.after > Millis(0);
        let _at = is_needed.then(|| self.work.doing().begin(&video.name()));
        is_needed.then(|| counting(&video.media)).transpose()
    }

    fn clip<'p>(
        &self,
        play: &'p Play,
        angle: Option<String>,
        shift: Option<&Shift>,
        counting: Result<&Option<Counting>, &VideoError>,
        asking: &Asking,
    ) -> Clip<'p> {
        let several = !self.config.videos.is_empty();
        let folder =
            angle.as_deref().filter(|_| several).map_or_else(String::new, |angle| thumbs::folder_of(angle) + "/");
        let part = match counting {
            Ok(counting) => {
                play.part(shift, counting.as_ref(), asking).map_err(|failure| match failure.code.as_str() {
                    // The query is wrong, and not this play.
                    "no_column" => Trouble::Task(failure),
                    _ => Trouble::Clip(failure),
                })
            }
            Err(error) => Err(trouble(error)),
        };
        let record = record(play, self.work.cell(), angle, several);
        let record = part.as_ref().map_or(record.clone(), |part| placed(record, part));
        Clip { play, path: format!("{folder}{}.mp4", utf8_percent_encode(&play.id, &PLAIN)), part, record }
    }

    /// Puts the facts of a finished clip into its record, and a thumbnail beside it.
    fn outcome(&self, clip: &Clip<'_>, item: Item) -> Result<Outcome, Failure> {
        let facts: Facts = serde_json::from_value(item.facts).map_err(|e| {
            Failure::failed("bad_item", format!("what is filed of play `{}` cannot be read: {e}", clip.play.id))
        })?;
        let thumbnail = match self.config.thumbnails {
            true => thumbs::thumbnail(self.work, &item.file, &self.code)?,
            false => None,
        };
        let FileEntry { path, size, blake3, .. } = item.file;
        let record = ClipRecord {
            path,
            thumbnail: thumbnail.as_ref().map(|thumbnail| thumbnail.path.clone()),
            codec: facts.codec,
            encoder: facts.encoder,
            size,
            blake3,
            frames: facts.frames,
            mode: facts.mode,
            why: facts.why,
            frames_copied: facts.frames_copied,
            frames_encoded: facts.frames_encoded,
            shown: Some(facts.shown),
            ticks: Some(facts.ticks),
            ..clip.record.clone()
        };
        Ok(Outcome { record, picture: thumbnail.map(|thumbnail| self.work.path(&thumbnail)), trouble: None })
    }
}

/// A clip that is wanted.
struct Clip<'a> {
    play: &'a Play,
    /// Its file in the artifact.
    path: String,
    part: Result<Part, Trouble>,
    /// What is known before it is cut.
    record: ClipRecord,
}

impl Clip<'_> {
    fn start(&self) -> Option<seconds::Seconds> {
        self.part.as_ref().ok().map(|part| part.cut[0])
    }
}

/// All clips of one video, cut in one pass. Each encoder runs on one thread, so the number of threads changes how long
/// it takes and no byte.
struct Cutting<'a> {
    job: &'a Job<'a>,
    video: &'a Source,
    clips: &'a [Clip<'a>],
}

impl Cutting<'_> {
    /// Finds the clips that are there and cuts the others. Every clip that can be cut is, whatever became of others.
    fn cut_all(&self) -> Result<Vec<Outcome>, Failure> {
        let work = self.job.work;
        let mut plan = CutPlan::new(self.video.media.clone(), self.job.options.clone());
        let (mut found, mut missing, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for (number, clip) in self.clips.iter().enumerate() {
            let part = match &clip.part {
                Ok(part) => part,
                Err(Trouble::Clip(failure)) => {
                    self.job.progress.one_more(0);
                    outcomes.push((number, Outcome::failed(clip.record.clone(), Trouble::Clip(failure.clone()))));
                    continue;
                }
                Err(Trouble::Task(failure)) => return Err(failure.clone()),
            };
            if let Some(item) = work.find_item(&self.key(part), &clip.path)? {
                found.push((number, Mutex::new(Some(item))));
            } else {
                plan.add(part.stretch(), &work.output(&clip.path)?);
                missing.push((number, part));
            }
        }
        outcomes.extend(self.taken(&found)?);
        let outcomes = Mutex::new(outcomes);
        let told = |place: usize, report| {
            let (number, part): (usize, _) = missing[place];
            let outcome = self.cut(&self.clips[number], part, report);
            self.job.progress.one_more(outcome.record.size);
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        };
        let names = self.names(missing.iter().map(|(number, _)| *number));
        let (noted, doing) = (names.clone(), work.doing().clone());
        plan.pulse().take_notes(move |at| Box::new(doing.begin(noted.of(at))));
        let give_up = |at| work.give_up(watch::hanging(names.of(at), self.video.uri()));
        watch::watched(&plan.pulse(), watch::PATIENCE, &give_up, || plan.run(work.cpu(), &told));
        let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcomes.sort_by_key(|(number, _)| *number);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// What is said of threads that are at these clips.
    fn names(&self, clips: impl Iterator<Item = usize>) -> Arc<Names> {
        let clips = clips.map(|number| name_of(&self.clips[number].record)).collect();
        Arc::new(Names { video: self.video.name(), clips })
    }

    /// What becomes of clips that were there.
    fn taken(&self, found: &[(usize, Mutex<Option<Item>>)]) -> Result<Vec<(usize, Outcome)>, Failure> {
        let take = |(): &mut (), (number, item): &(usize, Mutex<Option<Item>>)| {
            let item = item.lock().unwrap_or_else(PoisonError::into_inner).take();
            let item = item.ok_or_else(|| Failure::failed("no_clip", "a clip was taken twice"))?;
            Ok((*number, self.job.outcome(&self.clips[*number], item)?))
        };
        side_by_side::map(found, self.job.work.cpu(), |_| self.job.progress.one_more(0), take)
    }

    /// What becomes of a clip that was cut, or could not be.
    fn cut(&self, clip: &Clip<'_>, part: &Part, report: Result<CutReport, VideoError>) -> Outcome {
        let filed = match report {
            Ok(report) => self.file(clip, part, &report).map_err(Trouble::Task),
            Err(error) => Err(trouble(&error)),
        };
        let outcome = filed.and_then(|item| self.job.outcome(clip, item).map_err(Trouble::Task));
        outcome.unwrap_or_else(|trouble| Outcome::failed(clip.record.clone(), trouble))
    }

    /// Files a clip that was cut as an item.
    fn file(&self, clip: &Clip<'_>, part: &Part, report: &CutReport) -> Result<Item, Failure> {
        let work = self.job.work;
        let item = work.item(&self.key(part), &clip.path, |_| {
            serde_json::to_value(Facts::of(report, self.video)).map_err(|e| Failure::failed("bad_item", e.to_string()))
        })?;
        let ours = work.output(&clip.path)?;
        if work.path(&item.file) != ours {
            // Another attempt filed the same clip meanwhile. Ours is worth nothing, and so is why it cannot be removed.
            let _ = fs::remove_file(ours);
        }
        Ok(item)
    }

    /// What decides a clip's bytes. Neither the play's id nor its label is part of it, nor how its times were written.
    fn key(&self, part: &Part) -> Key {
        let options = &self.job.options;
        KeyWriter::default()
            .field("kind", "extract-clips/clip")
            .field("code", &self.job.code)
            .field("video", &self.video.key)
            .field("start", part.cut[0])
            .field("end", part.cut[1])
            .field("mode", options.mode)
            .field("audio", options.audio)
            .field("encoder", &options.encoder)
            .field("size", format!("{:?}", options.size))
            .field("fps", format!("{:?}", options.frame_rate))
            .field("pixels", format!("{:?}", options.pixels))
            .field("crf", options.encode.crf)
            .field("preset", options.encode.preset)
            .finish()
    }
}

/// Whether a video's trouble is that of the clip alone. What comes of the machine may befall any clip, and may be over when
/// the task is tried again.
pub(crate) fn trouble(error: &VideoError) -> Trouble {
    let failure = video_failure(error);
    match error.kind {
        VideoErrorKind::NotAVideo
        | VideoErrorKind::NoVideoStream
        | VideoErrorKind::Corrupt
        | VideoErrorKind::OutOfRange
        | VideoErrorKind::Unsupported => Trouble::Clip(failure),
        VideoErrorKind::BadOption
        | VideoErrorKind::Changed
        | VideoErrorKind::Io
        | VideoErrorKind::Unreachable
        | VideoErrorKind::NoSpace
        | VideoErrorKind::OutOfMemory
        | VideoErrorKind::Encoder => Trouble::Task(failure),
    }
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
        VideoErrorKind::OutOfMemory => (Class::OutOfMemory, "out_of_memory"),
        VideoErrorKind::Io => (Class::Failed, "io"),
        VideoErrorKind::Unreachable => (Class::Transient, "source_unreachable"),
        VideoErrorKind::Encoder => (Class::Failed, "encoder"),
    };
    Failure::of(class, code, error.message.clone()).on(error.path.display().to_string()).help(error.help.clone())
}
