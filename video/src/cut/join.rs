//! Puts a clip together out of copied and encoded packets, in their order, with times that go on without a break.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ffmpeg_next::{Packet, codec};

use crate::cut::clip::ClipWriter;
use crate::cut::feed::NOTHING_TO_COPY;
use crate::cut::gate::Joinable;
use crate::cut::report::CutReport;
use crate::cut::sound::Voice;
use crate::cut::ticks::Clock;
use crate::cut::{CutMode, report, sound};
use crate::encode::X264;
use crate::error::VideoError;
use crate::mux::Mp4;
use crate::time::{Moment, Stretch};

/// Pictures that are looked at before the first of them gets its time of decoding. H.264 shows a picture at most 16
/// pictures late.
const AHEAD: usize = 33;
/// Seconds by which pictures are decoded before they are shown. The file's own times do not show it.
const EARLY_SECONDS: u64 = 1;
const EARLY_FRAMES: i64 = 20;

/// What one share of a clip has become.
pub(super) struct Made {
    pub(super) copied: Vec<Packet>,
    pub(super) encoded: Vec<Packet>,
    /// The clip, where it is encoded whole and all of its pictures are in it.
    pub(super) clip: Option<Box<ClipWriter>>,
    /// Sound with the number of its track.
    pub(super) audio: Vec<(usize, Packet)>,
    pub(super) ends: bool,
}

/// Why a clip did not come about.
pub(super) enum Trouble {
    /// Its packets do not join. It can still be encoded whole.
    Unsafe(String),
    Failed(VideoError),
}

impl From<VideoError> for Trouble {
    fn from(error: VideoError) -> Self {
        Trouble::Failed(error)
    }
}

/// The codecs of the pictures and of each track of sound, which only one thread may look at.
pub(super) struct Codecs {
    pub(super) pictures: codec::Parameters,
    pub(super) audio: Vec<codec::Parameters>,
}

/// What every clip of a source is written with.
pub(super) struct Setting {
    pub(super) joinable: Arc<Joinable>,
    pub(super) clock: Clock,
    pub(super) codecs: Mutex<Codecs>,
    pub(super) mode: CutMode,
}

/// A clip whose shares come from several threads, in any order.
pub(super) struct Assembly {
    span: Stretch,
    out: PathBuf,
    turn: u64,
    waiting: BTreeMap<u64, Made>,
    writer: Option<Writer>,
}

enum Writer {
    Join(Box<JoinWriter>),
    Whole(Box<ClipWriter>),
}

/// A clip that is there.
pub(super) enum Finished {
    Joined(Joined),
    Whole(CutReport),
}

impl Assembly {
    pub(super) fn new(span: Stretch, out: &Path) -> Self {
        Assembly { span, out: out.to_owned(), turn: 0, waiting: BTreeMap::new(), writer: None }
    }

    /// Takes a share, and writes what is in order. Returns the report when the clip is whole.
    pub(super) fn take(&mut self, setting: &Setting, turn: u64, made: Made) -> Result<Option<Finished>, Trouble> {
        self.waiting.insert(turn, made);
        while let Some(made) = self.waiting.remove(&self.turn) {
            self.turn += 1;
            let ends = made.ends;
            self.write(setting, made)?;
            if ends {
                let writer = self.writer.take().ok_or_else(|| Trouble::Unsafe("no picture came".into()))?;
                return writer.finish(setting).map(Some);
            }
        }
        Ok(None)
    }

    fn write(&mut self, setting: &Setting, made: Made) -> Result<(), Trouble> {
        let pictures = made.copied.iter().chain(&made.encoded);
        if let Some(clip) = made.clip {
            self.writer = Some(Writer::Whole(clip));
        } else if self.writer.is_none()
            && let Some(zero) = pictures.filter_map(Packet::pts).min()
        {
            let writer = JoinWriter::create(setting, self.span, &self.out, zero)?;
            self.writer = Some(Writer::Join(Box::new(writer)));
        }
        match &mut self.writer {
            None => Ok(()),
            Some(Writer::Join(writer)) => {
                writer.report.frames_copied += made.copied.len() as u64;
                writer.report.frames_encoded += made.encoded.len() as u64;
                made.copied.into_iter().chain(made.encoded).try_for_each(|packet| writer.picture(packet))?;
                made.audio.into_iter().try_for_each(|(track, packet)| writer.sound(track, packet))
            }
            Some(Writer::Whole(clip)) => {
                made.audio.into_iter().try_for_each(|(_, packet)| clip.hear(packet)).map_err(not_inside)
            }
        }
    }

    /// Lets go of everything; a file that was begun is removed.
    pub(super) fn drop_all(&mut self) {
        self.waiting.clear();
        self.writer = None;
    }
}

impl Writer {
    fn finish(self, setting: &Setting) -> Result<Finished, Trouble> {
        match self {
            Writer::Join(writer) => writer.finish(setting).map(Finished::Joined),
            Writer::Whole(clip) => clip.finish(&setting.clock).map(Finished::Whole).map_err(not_inside),
        }
    }
}

/// Who reads it for itself has the words for what went wrong.
fn not_inside(_: VideoError) -> Trouble {
    Trouble::Unsafe(NOTHING_TO_COPY.into())
}

/// A clip that was joined, and when its frames are shown, in ticks from its first one.
pub(super) struct Joined {
    pub(super) report: CutReport,
    pub(super) times: Vec<i64>,
}

struct JoinWriter {
    mp4: Mp4,
    order: Order,
    zero: i64,
    /// One for each track of sound.
    audio: Vec<Voice>,
    last: Range<i64>,
    times: Vec<i64>,
    report: CutReport,
    frame_ticks: i64,
}

impl JoinWriter {
    fn create(setting: &Setting, span: Stretch, out: &Path, zero: i64) -> Result<Self, VideoError> {
        let clock = &setting.clock;
        let mut mp4 = Mp4::create(out)?;
        let mut audio = Vec::new();
        {
            let codecs = setting.codecs.lock().unwrap_or_else(PoisonError::into_inner);
            mp4.add_joined(codecs.pictures.clone(), &setting.joinable.form)?;
            for (track, parameters) in clock.audio.iter().zip(&codecs.audio) {
                audio.push(Voice::open(
                    &mut mp4,
                    (track, parameters.clone()),
                    sound::ends(clock, zero, span.end),
                    out,
                )?);
            }
        }
        mp4.start()?;
        let second = Moment::from_ms(EARLY_SECONDS * 1000).first_tick(clock.video.base);
        let early = second.max(clock.frame_ticks.saturating_mul(EARLY_FRAMES));
        Ok(JoinWriter {
            mp4,
            order: Order { queue: VecDeque::new(), times: BinaryHeap::new(), given: i64::MIN, early },
            zero,
            audio,
            last: zero..zero,
            times: Vec::new(),
            report: clock.report(setting.mode, zero..zero, zero),
            frame_ticks: clock.frame_ticks,
        })
    }

    fn picture(&mut self, mut packet: Packet) -> Result<(), Trouble> {
        let pts = packet.pts().ok_or_else(|| Trouble::Unsafe("a picture has no time".into()))?;
        if packet.duration() <= 0 {
            packet.set_duration(self.frame_ticks);
        }
        if pts >= self.last.start {
            self.last = pts..pts + packet.duration();
        }
        packet.set_pts(Some(pts - self.zero));
        self.times.push(pts - self.zero);
        self.order.push(packet).map_err(Trouble::Unsafe)?;
        while let Some(packet) = self.order.pop(AHEAD).map_err(Trouble::Unsafe)? {
            self.mp4.write(0, packet)?;
        }
        Ok(())
    }

    fn sound(&mut self, track: usize, packet: Packet) -> Result<(), Trouble> {
        self.report.audio_packets += self.audio[track].take(&mut self.mp4, packet)?;
        Ok(())
    }

    fn finish(mut self, setting: &Setting) -> Result<Joined, Trouble> {
        let last = self.last.clone();
        while let Some(mut packet) = self.order.pop(1).map_err(Trouble::Unsafe)? {
            if self.order.queue.is_empty() {
                // What is decoded last gives the track its length, and need not be what is shown last.
                packet.set_duration(last.end - last.start);
            }
            self.mp4.write(0, packet)?;
        }
        for voice in &mut self.audio {
            self.report.audio_packets += voice.finish(&mut self.mp4)?;
        }
        self.mp4.finish()?;
        let clock = &setting.clock;
        let told = clock.report(setting.mode, self.zero..last.end, last.start);
        let report = report::CutReport {
            frames: self.report.frames_copied + self.report.frames_encoded,
            frames_copied: self.report.frames_copied,
            frames_encoded: self.report.frames_encoded,
            encoder: if self.report.frames_encoded > 0 { X264.to_owned() } else { String::new() },
            audio_packets: self.report.audio_packets,
            width: setting.joinable.pictures.width,
            height: setting.joinable.pictures.height,
            ..told
        };
        self.times.sort_unstable();
        Ok(Joined { report, times: self.times })
    }
}

/// Gives packets times of decoding that rise with every packet: the times at which pictures are shown, in order, and
/// all of them early enough.
struct Order {
    queue: VecDeque<Packet>,
    times: BinaryHeap<Reverse<i64>>,
    /// The last time that was given.
    given: i64,
    early: i64,
}

impl Order {
    fn push(&mut self, packet: Packet) -> Result<(), String> {
        let pts = packet.pts().unwrap_or(i64::MIN);
        if pts <= self.given {
            return Err("two pictures are shown at one time, or one far too late".into());
        }
        self.times.push(Reverse(pts));
        self.queue.push_back(packet);
        Ok(())
    }

    /// The next packet, when at least `held` are there.
    fn pop(&mut self, held: usize) -> Result<Option<Packet>, String> {
        if self.queue.len() < held {
            return Ok(None);
        }
        let (Some(mut packet), Some(Reverse(time))) = (self.queue.pop_front(), self.times.pop()) else {
            return Ok(None);
        };
        if time <= self.given {
            return Err("two pictures are shown at one time".into());
        }
        self.given = time;
        let dts = time.saturating_sub(self.early);
        if packet.pts().is_some_and(|pts| pts < dts) {
            return Err("a picture is shown before it is decoded".into());
        }
        packet.set_dts(Some(dts));
        Ok(Some(packet))
    }
}
