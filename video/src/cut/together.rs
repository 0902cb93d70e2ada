//! Reads a source once for several clips that are encoded whole, and decodes it once: tells of each picture and each packet of sound
//! which clips get it. Opens their encoders and gives them nothing: that may be done on other threads.

use std::ops::Range;
use std::path::PathBuf;

use ffmpeg_next::{Packet, frame};

use crate::cut::CutOptions;
use crate::cut::clip::ClipWriter;
use crate::cut::heard::{Heard, Listed};
use crate::cut::ticks::Clock;
use crate::error::VideoError;
use crate::libav::raw;
use crate::pulse;
use crate::source::Source;
use crate::time::Stretch;

/// Bytes of pictures that are kept while the sound of a clip is read, which may stand far behind them.
const MOST_KEPT: usize = 16 << 20;
/// Bytes of decoded pictures that wait for an encoder, at most, and how many of them.
const WAITING_BYTES: u64 = 8 << 20;
const MOST_WAITING: u64 = 8;
/// Bytes of a pixel, as most videos have them: a byte of brightness and half of one of colour, twice for ten bits.
const BYTES_OF_TWO_PIXELS: u64 = 3;

/// A clip that is wanted.
pub(super) struct Wish {
    span: Stretch,
    out: PathBuf,
    ticks: Range<i64>,
    sound: Vec<Heard>,
    /// Sound that was read before the clip could take it.
    inbox: Vec<Packet>,
}

/// The wishes of these clips.
pub(super) fn wishes<'a>(
    source: &Source,
    clock: &Clock,
    clips: impl Iterator<Item = &'a (Stretch, PathBuf)>,
) -> Vec<Wish> {
    let listed = Listed::of(source, clock);
    let of_clip = |(span, out): &(Stretch, PathBuf)| {
        let (ticks, sound) = (clock.ticks(*span, clock.video.base), listed.heard(clock, *span));
        Wish { span: *span, out: out.clone(), ticks, sound, inbox: Vec::new() }
    };
    clips.map(of_clip).collect()
}

/// What comes to a clip, in this order.
pub(super) enum Event {
    Begun(Box<ClipWriter>),
    Picture(frame::Video),
    Sound(Packet),
    /// No more pictures come.
    Shown,
    /// No more sound comes either.
    Heard,
    /// It could not be begun.
    Lost(VideoError),
    /// It has to be read for itself.
    Alone,
}

/// How a step has ended.
pub(super) enum Step {
    /// There is more to read.
    More,
    /// A clip begins, for which an encoder has to be opened.
    NeedsEncoder,
    /// All clips have everything.
    Over,
}

pub(super) struct Reading {
    source: Source,
    /// By their starts.
    wishes: Vec<Wish>,
    /// The first that has not begun.
    next: usize,
    open: Vec<usize>,
    /// A frame that came and that was not given out.
    held: Option<frame::Video>,
    /// The time of the last frame that came.
    latest: i64,
    /// How far each track of sound was read.
    heard: Vec<(usize, i64)>,
    events: Vec<(usize, Event)>,
    has_begun: bool,
}

impl Reading {
    /// `wishes`: by their starts, at least one. `reads`: the bytes that are needed for all of them.
    pub(super) fn new(source: Source, wishes: Vec<Wish>, reads: Vec<Range<u64>>) -> Self {
        source.want(reads);
        let heard = wishes
            .first()
            .map_or_else(Vec::new, |wish| wish.sound.iter().map(|heard| (heard.index, i64::MIN)).collect());
        let (open, events) = (Vec::new(), Vec::new());
        Reading { source, wishes, next: 0, open, held: None, latest: i64::MIN, heard, events, has_begun: false }
    }

    /// The source, for others.
    pub(super) fn end(mut self) -> Source {
        self.source.end_shared();
        self.source
    }

    /// The clip that is worked for, by its number among these.
    pub(super) fn at(&self) -> usize {
        self.open.first().copied().unwrap_or(self.next.min(self.wishes.len().saturating_sub(1)))
    }

    /// How many decoded pictures may wait for each encoder. The largest take so much memory that none does but the one that came last.
    pub(super) fn most_waiting(&self) -> usize {
        let decoder = self.source.decoder();
        let bytes = u64::from(decoder.width()) * u64::from(decoder.height()) * BYTES_OF_TWO_PIXELS / 2;
        let count = (WAITING_BYTES / bytes.max(1)).clamp(1, MOST_WAITING);
        usize::try_from(count).unwrap_or(1)
    }

    /// Decodes one picture and says who gets it. `is_granted`: one encoder may be opened. `None`: something is not as it is
    /// where reading can be shared, and the clips that have not got everything have to be read for themselves.
    pub(super) fn step(
        &mut self,
        clock: &Clock,
        options: &CutOptions,
        mut is_granted: bool,
    ) -> Option<(Vec<(usize, Event)>, Step)> {
        self.begin(clock).ok()?;
        let step = loop {
            let Some(pts) = self.next_time()? else {
                self.end_all(clock);
                break Step::Over;
            };
            self.end_before(pts)?;
            if self.wishes.get(self.next).is_some_and(|wish| wish.ticks.start <= pts) {
                if !is_granted {
                    break Step::NeedsEncoder;
                }
                is_granted = false;
                self.begin_next(clock, options, pts);
                continue;
            }
            if self.open.is_empty() && self.next == self.wishes.len() {
                break Step::Over;
            }
            self.give_out(pts);
            break Step::More;
        };
        Some((std::mem::take(&mut self.events), step))
    }

    fn begin(&mut self, clock: &Clock) -> Result<(), VideoError> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        self.source.be_wary();
        let union = |index: usize| {
            let of_track = self.wishes.iter().flat_map(|wish| &wish.sound).filter(|heard| heard.index == index);
            let start = of_track.clone().map(|heard| heard.ticks.start).min().unwrap_or(0);
            start..of_track.map(|heard| heard.ticks.end).max().unwrap_or(0)
        };
        let tracks = clock.audio.iter().map(|track| (track.index, union(track.index))).collect();
        self.source.hear(tracks);
        self.source.begin_shared(self.wishes.iter().map(|wish| wish.ticks.clone()).collect())
    }

    /// The time of the frame that is given out next. `Some(None)`: there are no more.
    fn next_time(&mut self) -> Option<Option<i64>> {
        if self.held.is_none() {
            let mut frame = frame::Video::empty();
            if !self.source.next_frame(&mut frame).ok()? {
                return Some(None);
            }
            if !self.source.is_due(&frame) {
                return None;
            }
            self.held = Some(frame);
        }
        self.held.as_ref().and_then(|frame| frame.timestamp()).map(Some)
    }

    /// Opens the encoder of the next clip, whose first frame came.
    fn begin_next(&mut self, clock: &Clock, options: &CutOptions, pts: i64) {
        let number = self.next;
        self.next += 1;
        let (wish, Some(frame)) = (&self.wishes[number], &self.held) else { return };
        if pts >= wish.ticks.end {
            // Who reads it for itself has the words for a clip without a frame.
            return self.events.push((number, Event::Alone));
        }
        pulse::beat();
        let from = (&self.source, self.source.decoder());
        let event = match ClipWriter::create(from, clock, (frame, pts, wish.span.end), options, &wish.out) {
            Ok(writer) => {
                self.open.push(number);
                Event::Begun(Box::new(writer))
            }
            Err(error) => Event::Lost(error),
        };
        self.events.push((number, event));
    }

    fn give_out(&mut self, pts: i64) {
        let Some(frame) = self.held.take() else { return };
        self.latest = pts;
        for &number in self.open.iter().filter(|number| self.wishes[**number].ticks.contains(&pts)) {
            self.events.push((number, Event::Picture(raw::share(&frame))));
        }
        self.give_out_sound();
    }

    fn give_out_sound(&mut self) {
        while let Some(packet) = self.source.take_audio() {
            let (index, Some(pts)) = (packet.stream(), packet.pts()) else { continue };
            self.heard.iter_mut().filter(|heard| heard.0 == index).for_each(|heard| heard.1 = heard.1.max(pts));
            for wish in &mut self.wishes {
                if wish.sound.iter().any(|heard| heard.index == index && heard.ticks.contains(&pts)) {
                    wish.inbox.push(packet.clone());
                }
            }
        }
        for &number in &self.open {
            let inbox = std::mem::take(&mut self.wishes[number].inbox);
            self.events.extend(inbox.into_iter().map(|packet| (number, Event::Sound(packet))));
        }
    }

    /// Ends the clips that have all frames when one comes that is shown at `pts`.
    fn end_before(&mut self, pts: i64) -> Option<()> {
        let (ended, open) = self.open.iter().partition(|number| self.wishes[**number].ticks.end <= pts);
        let ended: Vec<usize> = ended;
        if ended.is_empty() {
            return Some(());
        }
        if !ended.iter().all(|number| self.source.has_come(self.wishes[*number].ticks.end)) {
            return None;
        }
        ended.iter().for_each(|number| self.events.push((*number, Event::Shown)));
        self.give_out_sound();
        self.open = open;
        let is_last = self.open.is_empty() && self.next == self.wishes.len();
        let has_all = if is_last { self.source.finish_audio().is_ok() } else { self.hear_out(&ended) };
        self.close(&ended, has_all);
        Some(())
    }

    /// Reads on until these clips have their sound. `false`: it is too far away.
    fn hear_out(&mut self, ended: &[usize]) -> bool {
        loop {
            self.keep_sound(ended);
            if ended.iter().all(|number| self.has_heard(*number)) {
                return true;
            }
            match self.source.read_ahead() {
                Ok(Some(kept)) if kept <= MOST_KEPT => {}
                Ok(None) => return true,
                _ => return false,
            }
        }
    }

    /// Gives sound that was read to those that have ended as well.
    fn keep_sound(&mut self, ended: &[usize]) {
        let open = std::mem::replace(&mut self.open, ended.to_vec());
        self.give_out_sound();
        self.open = open;
    }

    fn has_heard(&self, number: usize) -> bool {
        self.wishes[number].sound.iter().all(|wanted| {
            let heard = self.heard.iter().find(|heard| heard.0 == wanted.index).map_or(i64::MIN, |heard| heard.1);
            wanted.has_all(heard)
        })
    }

    fn close(&mut self, ended: &[usize], has_all: bool) {
        self.keep_sound(ended);
        for number in ended {
            self.events.push((*number, if has_all { Event::Heard } else { Event::Alone }));
        }
    }

    /// No more frames come: those that have all of theirs are whole, the others have to be looked at for themselves.
    fn end_all(&mut self, clock: &Clock) {
        let ended = std::mem::take(&mut self.open);
        // The pictures may end before the index says so, as where a download stopped.
        let until = self.latest.saturating_add(clock.frame_ticks.saturating_mul(2));
        let is_whole = |number: &usize| {
            let end = self.wishes[*number].ticks.end;
            self.source.has_come(end) && (self.source.has_all() || until >= end)
        };
        let (whole, short): (Vec<usize>, Vec<usize>) = ended.into_iter().partition(is_whole);
        let missing = self.next..self.wishes.len();
        self.next = self.wishes.len();
        self.events.extend(short.into_iter().chain(missing).map(|number| (number, Event::Alone)));
        whole.iter().for_each(|number| self.events.push((*number, Event::Shown)));
        self.keep_sound(&whole);
        let has_all = self.source.finish_audio().is_ok();
        self.close(&whole, has_all);
    }
}
