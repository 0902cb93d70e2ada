//! A span in milliseconds as ticks of one source's streams, checked against what the source says of its length.

use std::ops::Range;

use ffmpeg_next::{Rational, media};

use crate::cut::report::CutReport;
use crate::cut::sound::becomes;
use crate::cut::{CutMode, CutOptions, Sound};
use crate::error::{VideoError, VideoErrorKind};
use crate::opening::Track;
use crate::source::Source;
use crate::survey::Survey;
use crate::time::{Exact, Moment, Ratio, Stretch};

/// What of a source decides where spans lie in it.
#[derive(Clone)]
pub(super) struct Clock {
    pub(super) video: Track,
    /// The tracks of sound that clips take along.
    pub(super) audio: Vec<AudioTrack>,
    /// What of the sound is not copied, and why. Empty when all is.
    pub(super) sound: String,
    /// The moment on the file's own clock that viewers see as 0:00.
    pub(super) origin: Moment,
    /// Ticks of one frame, from the average frame rate: how far a span may reach past the end.
    pub(super) frame_ticks: i64,
}

/// A track of sound that clips take along.
#[derive(Clone, Copy)]
pub(super) struct AudioTrack {
    pub(super) index: usize,
    pub(super) base: Rational,
    /// Whether MP4 can hold its packets as they are. Others are decoded and encoded.
    pub(super) is_copied: bool,
    /// Whether its packets are the same wherever reading began: each is copied, or decoded without those before it.
    pub(super) begins_anywhere: bool,
}

/// Milliseconds of sound before a clip that are decoded for its first samples: codecs build a block on those before it.
const BEFORE_MS: u64 = 200;

impl Clock {
    pub(super) fn of(source: &Source, options: &CutOptions) -> Result<Self, VideoError> {
        let stream = source.stream();
        let rate = stream.avg_frame_rate();
        // A file that states no frame rate is taken to have at least 10 frames a second.
        let frame = if rate.numerator() > 0 { rate.invert() } else { Rational(1, 10) };
        let frame_ticks = Moment::from_ticks(1, frame).first_tick(source.video().base).max(1);
        let (audio, sound) = audio_of(source, options.audio)?;
        Ok(Clock { video: source.video(), audio, sound, origin: source.origin(), frame_ticks })
    }

    /// The ticks of a track of sound that are read for a span.
    pub(super) fn heard(&self, span: Stretch, track: &AudioTrack) -> Range<i64> {
        let before = Moment::from_ms(if track.is_copied { 0 } else { BEFORE_MS });
        self.ticks(Stretch { start: span.start.minus(before), end: span.end }, track.base)
    }

    /// The ticks of a stream that lie in a span.
    pub(super) fn ticks(&self, span: Stretch, base: Rational) -> Range<i64> {
        let at = |moment: Moment| moment.plus(self.origin).first_tick(base);
        at(span.start)..at(span.end)
    }

    /// A tick of the pictures on the viewers' clock.
    pub(super) fn moment(&self, tick: i64) -> Moment {
        Moment::from_ticks(tick, self.video.base).minus(self.origin)
    }

    /// The tick of another stream at which a picture is shown.
    pub(super) fn tick_in(&self, tick: i64, base: Rational) -> i64 {
        Moment::from_ticks(tick, self.video.base).first_tick(base)
    }

    /// What is told of a clip whose frames are shown in `shown`, the last one from `last` on.
    pub(super) fn report(&self, mode: CutMode, shown: Range<i64>, last: i64) -> CutReport {
        let base = Ratio::from_libav(self.video.base).unwrap_or(Ratio { num: 1, den: 1 });
        let (start, end) = (self.moment(shown.start), self.moment(shown.end));
        CutReport {
            mode,
            why: self.sound.clone(),
            codec: "h264".to_owned(),
            encoder: String::new(),
            frames: 0,
            frames_copied: 0,
            frames_encoded: 0,
            start: Exact::of(start),
            end: Exact::of(end),
            time_base: base,
            start_ticks: shown.start,
            end_ticks: shown.end,
            width: 0,
            height: 0,
            first_frame_ms: start.to_ms(),
            last_frame_ms: self.moment(last).to_ms(),
            duration_ms: end.minus(start).to_ms(),
            audio_packets: 0,
            ranges: Vec::new(),
        }
    }
}

/// Says when a span cannot lie in a source. `survey`: what reading all of it has told; otherwise the index is believed.
pub(super) fn check_inside(
    source: &Source,
    clock: &Clock,
    span: Stretch,
    survey: Option<&Survey>,
) -> Result<(), VideoError> {
    let end = survey.map(|survey| clock.moment(survey.end())).or_else(|| source.stated_end());
    let out_of_range = |what: &str| out_of_range(source, span, end, what);
    if span.end <= span.start {
        return Err(out_of_range("the play ends before it begins"));
    }
    let Some(end) = end else { return Ok(()) };
    let slack = Moment::from_ticks(clock.frame_ticks, clock.video.base);
    if span.start >= end {
        return Err(out_of_range("the play begins after the end of the video"));
    }
    if span.end > end.plus(slack) {
        return Err(out_of_range("the play ends after the end of the video"));
    }
    Ok(())
}

pub(super) fn out_of_range(source: &Source, span: Stretch, end: Option<Moment>, what: &str) -> VideoError {
    let length = end.map_or("of unknown length".into(), |e| format!("{} ms long", e.to_ms()));
    let message = format!("{what}: the play is {}..{} ms, the video is {length}", span.start.to_ms(), span.end.to_ms());
    let help = "check the play's times, and that they belong to this video";
    VideoError::new(VideoErrorKind::OutOfRange, source.path(), message, help)
}

/// The tracks of sound that are asked for, as far as they can be had, and what is to be said of the others.
fn audio_of(source: &Source, wanted: Sound) -> Result<(Vec<AudioTrack>, String), VideoError> {
    let all: Vec<_> =
        source.input().streams().filter(|stream| stream.parameters().medium() == media::Type::Audio).collect();
    let best = source.audio().map(|track| track.index);
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    if let Sound::Track(number) = wanted
        && place(number) >= all.len()
    {
        let message = format!("there is no track of sound {number}: the video has {}", all.len());
        let help = "tracks are counted from 0; `best` takes the one that players choose";
        return Err(VideoError::bad_option(source.path(), message, help));
    }
    let (mut audio, mut told) = (Vec::new(), Vec::new());
    for (number, stream) in all.iter().enumerate() {
        let is_wanted = match wanted {
            Sound::None => false,
            Sound::Best => best == Some(stream.index()),
            Sound::All => true,
            Sound::Track(wanted) => place(wanted) == number,
        };
        if is_wanted {
            let (is_copied, what) = becomes(&stream.parameters());
            let is_pcm = stream.parameters().id().name().starts_with("pcm_");
            let (index, base) = (stream.index(), stream.time_base());
            let track = |is_copied| AudioTrack { index, base, is_copied, begins_anywhere: is_copied || is_pcm };
            audio.extend(is_copied.map(track));
            told.extend(Some(what).filter(|what| !what.is_empty() && !told.contains(what)));
        }
    }
    Ok((audio, told.join("; ")))
}
