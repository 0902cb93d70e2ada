//! Reads a source once for many clips: group of pictures after group of pictures, each with the clips it is for.
//! Knows which frames and which sound a clip needs; decodes and writes nothing.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use ffmpeg_next::Packet;

use crate::cut::CutMode;
use crate::cut::batch::Place;
use crate::cut::gate::Joinable;
use crate::cut::heard::{Heard, Listed};
use crate::cut::part::{Part, hides, is_all_copied, part_of};
use crate::cut::route::route;
use crate::cut::ticks::Clock;
use crate::cut::uses::{Use, uses};
use crate::h264::Units;
use crate::libav::raw;
use crate::source::Source;
use crate::time::{Moment, Stretch};

/// Key frames that are tried when the one a seek finds is shown too late, last one first.
const CANDIDATES: usize = 4;
/// Microseconds, earlier than any file begins, and far enough from the smallest integer to be rescaled.
const BEFORE_EVERYTHING_US: i64 = -1_000_000_000_000;
/// Seconds by which sound may lie behind the pictures before it is no longer waited for.
const PATIENCE_MS: u64 = 2000;
/// Milliseconds before a clip that only copies in which its key frame is looked for, for the sake of its sound.
const LONGEST_GROUP_MS: u64 = 20_000;
/// A group is held as a whole. More than this is given to the decoder picture by picture instead.
const MOST_BYTES: usize = 96 << 20;

pub(super) const NOTHING_TO_COPY: &str = "no group of pictures begins inside the clip";
const NOT_CLOSED: &str = "no closed group of pictures begins before the clip";

/// A clip that is wanted.
pub(super) struct Want {
    /// Its number in the plan.
    pub(super) clip: usize,
    /// The times of its frames, in ticks of the pictures.
    pub(super) ticks: Range<i64>,
    /// The same for each track of sound, in that track's ticks.
    pub(super) audio: Vec<Range<i64>>,
    span: Stretch,
}

impl Want {
    pub(super) fn of(clip: usize, span: Stretch, clock: &Clock) -> Self {
        let audio = clock.audio.iter().map(|track| clock.heard(span, track)).collect();
        Want { clip, ticks: clock.ticks(span, clock.video.base), audio, span }
    }
}

/// Packets that can be decoded without any others, in the order they are decoded.
pub(super) struct Group {
    pub(super) packets: Vec<Packet>,
}

impl Group {
    pub(super) fn times(&self) -> impl Iterator<Item = i64> + '_ {
        self.packets.iter().filter_map(Packet::pts)
    }
}

/// What one clip gets of a unit of work.
pub(super) struct Share {
    pub(super) clip: usize,
    /// Counts the shares of a clip; they are written in this order.
    pub(super) turn: u64,
    pub(super) part: Option<Part>,
    /// Sound with the number of its track.
    pub(super) audio: Vec<(usize, Packet)>,
    /// Whether this is the clip's last share.
    pub(super) ends: bool,
}

/// A group and the clips it is for.
pub(super) struct Unit {
    pub(super) group: Group,
    pub(super) shares: Vec<Share>,
}

/// What the reader has to say.
pub(super) enum Fed {
    Unit(Unit),
    /// A clip cannot be put together out of packets.
    Refused {
        clip: usize,
        why: String,
    },
}

/// How far a clip is.
struct State {
    usage: Use,
    turn: u64,
    has_frames: bool,
    all_frames: bool,
    /// Of a clip that is encoded whole: what it wants of the sound.
    sound: Option<Vec<Heard>>,
    inbox: Vec<(usize, Packet)>,
}

pub(super) struct Feeder {
    source: Source,
    clock: Clock,
    joinable: Arc<Joinable>,
    mode: CutMode,
    /// In the order of their starts.
    wants: Vec<Want>,
    states: Vec<State>,
    /// The first want that no group was read for.
    next: usize,
    /// Wants that a group was read for and that are not complete.
    open: Vec<usize>,
    /// The key frame that the next group begins with.
    pending: Option<Packet>,
    /// What the index lists of the sound, where clips can be encoded whole out of groups that are read for others.
    listed: Option<Listed>,
    /// How far each track of sound has been read.
    heard: Vec<i64>,
    at_end: bool,
    /// Whether groups are read to get to the next clip's first one.
    approaching: bool,
    ready: VecDeque<Fed>,
}

/// A group as it was read.
struct ReadGroup {
    packets: Vec<Packet>,
    /// Times of pictures that an edit list hides.
    hidden: Vec<i64>,
    /// All frames before this time have been read.
    until: i64,
}

impl State {
    fn of(usage: Use) -> Self {
        State { usage, turn: 0, has_frames: false, all_frames: false, sound: None, inbox: Vec::new() }
    }
}

impl Feeder {
    /// `places`: where each clip of the plan lies in the source. Empty: what is encoded whole is read for itself.
    pub(super) fn new(
        source: Source,
        clock: Clock,
        joinable: Arc<Joinable>,
        mode: CutMode,
        (mut wants, places): (Vec<Want>, &[Place]),
    ) -> Self {
        wants.sort_by_key(|want| (want.ticks.start, want.ticks.end, want.clip));
        let uses = uses(&source, (&clock, &joinable), mode, (&wants, places));
        let listed = (mode == CutMode::Smart && !places.is_empty()).then(|| Listed::of(&source, &clock));
        let heard = vec![i64::MIN; clock.audio.len()];
        let mut feeder = Feeder {
            source,
            clock,
            joinable,
            mode,
            wants,
            states: uses.into_iter().map(State::of).collect(),
            next: 0,
            open: Vec::new(),
            pending: None,
            listed,
            heard,
            at_end: false,
            approaching: false,
            ready: VecDeque::new(),
        };
        feeder.want_only_what_is_read();
        // What is read for itself is read by whoever does that.
        let fed = feeder.wants.iter().zip(&feeder.states).filter(|(_, state)| state.usage.is_read());
        feeder.source.want(route(&feeder.source, &feeder.clock, mode, fed.map(|(want, _)| want)));
        feeder
    }

    /// The next unit of work. `None`: there is no more.
    pub(super) fn next(&mut self) -> Option<Fed> {
        while self.ready.is_empty() && self.step() {}
        self.ready.pop_front()
    }

    /// Streams nobody asked for are stepped over.
    fn want_only_what_is_read(&mut self) {
        let sound = self.clock.audio.iter().map(|track| track.index);
        let kept: Vec<usize> = sound.chain([self.clock.video.index]).collect();
        let count = self.source.input().streams().count();
        (0..count).for_each(|index| raw::set_wanted(self.source.input_mut(), index, kept.contains(&index)));
    }

    /// Does one thing towards the next unit. `false`: nothing is left to do.
    fn step(&mut self) -> bool {
        let more_frames = self.open.iter().any(|&want| !self.states[want].all_frames);
        // A clip that is left to others has no part in what is read, and does not end it.
        if self.states.get(self.next).is_some_and(|state| !state.usage.is_read()) {
            self.refuse(self.next, NOT_CLOSED);
            self.next += 1;
            return true;
        }
        if let Some(key) = &self.pending
            && (more_frames || self.approaching || self.begins_in_group_of(key))
        {
            self.take_group();
            return true;
        }
        if !self.open.is_empty() {
            self.finish_open();
            return true;
        }
        self.pending = None;
        let Some(want) = self.wants.get(self.next) else { return false };
        match self.go_to(want.ticks.start) {
            Ok(key) => self.pending = Some(key),
            Err(why) => self.pass_over(1, &why),
        }
        true
    }

    /// Whether the next clip begins before the next key frame but one.
    fn begins_in_group_of(&self, key: &Packet) -> bool {
        let Some(want) = self.wants.get(self.next) else { return false };
        self.key_after(key).is_none_or(|after| want.ticks.start < after)
    }

    fn key_after(&self, key: &Packet) -> Option<i64> {
        let dts = key.dts()?;
        let keys = &self.joinable.keys;
        keys.get(keys.partition_point(|&key| key <= dts)).copied()
    }

    /// Goes to the key frame that begins the group in which `start` lies.
    fn go_to(&mut self, start: i64) -> Result<Packet, String> {
        self.approaching = true;
        let base = self.clock.video.base;
        let (moment, keys) = (Moment::from_ticks(start, base), &self.joinable.keys);
        let earlier = keys[..keys.partition_point(|&key| key <= start)].iter().rev().take(CANDIDATES);
        let targets: Vec<i64> = [moment]
            .into_iter()
            .chain(earlier.map(|&key| Moment::from_ticks(key, base)))
            .map(Moment::to_us_ceil)
            .collect();
        for target in targets {
            let Ok(()) = self.source.input_mut().seek(target, ..target) else { continue };
            let Some(key) = self.first_picture()? else { continue };
            if key.pts().is_some_and(|pts| pts <= start) {
                return self.checked_key(key);
            }
        }
        // The last resort is the beginning of the file, also for videos that begin inside the clip.
        self.source.input_mut().seek(BEFORE_EVERYTHING_US, ..).map_err(|e| format!("seeking failed: {e}"))?;
        let key = self.first_picture()?.ok_or("there is no picture at the beginning")?;
        self.checked_key(key)
    }

    fn first_picture(&mut self) -> Result<Option<Packet>, String> {
        self.heard.fill(i64::MIN);
        self.at_end = false;
        let next = self.next;
        self.states[next..].iter_mut().for_each(|state| state.inbox.clear());
        self.read_picture()
    }

    fn checked_key(&self, key: Packet) -> Result<Packet, String> {
        if self.check(&key)? { Ok(key) } else { Err(NOT_CLOSED.into()) }
    }

    /// The next packet of pictures; sound on the way is given to the clips it belongs to.
    fn read_picture(&mut self) -> Result<Option<Packet>, String> {
        loop {
            let Some(packet) = self.source.read_packet().map_err(|error| error.message)? else {
                self.at_end = true;
                return Ok(None);
            };
            if packet.stream() == self.clock.video.index {
                return Ok(Some(packet));
            }
            self.hear(packet);
        }
    }

    fn hear(&mut self, packet: Packet) {
        let Some(track) = self.clock.audio.iter().position(|track| track.index == packet.stream()) else { return };
        let Some(pts) = packet.pts() else { return };
        self.heard[track] = self.heard[track].max(pts);
        // Only clips that were begun, and those that begin before this sound, can want it.
        let waiting = (self.next..self.wants.len()).take_while(|&want| self.hears_from(want, track) <= pts);
        let begun = self.open.iter().copied().chain(waiting);
        let wants = |&want: &usize| (self.hears_from(want, track)..self.wants[want].audio[track].end).contains(&pts);
        let hearing: Vec<usize> = begun.filter(wants).collect();
        for want in hearing {
            self.states[want].inbox.push((track, packet.clone()));
        }
    }

    /// The first sound that a clip may want. One that only copies may begin earlier than it was asked to.
    fn hears_from(&self, want: usize, track: usize) -> i64 {
        let start = self.wants[want].audio[track].start;
        let before = if self.mode == CutMode::Copy { LONGEST_GROUP_MS } else { 0 };
        start.saturating_sub(Moment::from_ms(before).first_tick(self.clock.audio[track].base))
    }

    /// Whether a packet begins a closed group. `Err`: it is not as a safe source's packets are.
    fn check(&self, packet: &Packet) -> Result<bool, String> {
        let (Some(pts), Some(dts)) = (packet.pts(), packet.dts()) else {
            return Err("a picture has no time".into());
        };
        if pts < dts {
            return Err("a picture is shown before it is decoded".into());
        }
        if packet.is_corrupt() {
            return Err("the container says that a picture is damaged".into());
        }
        let units = packet.data().and_then(Units::of).ok_or("a picture is not made of whole units")?;
        let sets = &self.joinable.sets;
        let known = |set: &[u8]| sets.sps.iter().chain(&sets.pps).any(|known| known == set);
        if !units.parameter_sets().all(known) {
            return Err("the parameter sets change".into());
        }
        if !units.has_picture() {
            return Err("a packet holds no picture".into());
        }
        Ok(packet.is_key() && units.is_idr())
    }

    /// Reads the group that `pending` begins and gives every clip its share.
    fn take_group(&mut self) {
        let Some(key) = self.pending.take() else { return };
        let begins = key.pts().unwrap_or(i64::MIN);
        let reach = self.key_after(&key).unwrap_or(i64::MAX);
        // Clips that begin in this group, as far as the index tells.
        let near = self.wants[self.next..].iter().take_while(|want| want.ticks.start < reach).count();
        let near = near.max(usize::from(self.approaching)).min(self.wants.len() - self.next);
        match self.read_group(key, self.next..self.next + near) {
            Ok(group) => self.share(group),
            Err(why) => {
                let why = format!("at {} ms: {why}", self.clock.moment(begins).to_ms());
                let open = std::mem::take(&mut self.open);
                open.into_iter().for_each(|want| self.refuse(want, &why));
                self.pass_over(near, &why);
            }
        }
    }

    /// Refuses the next clips; what follows is looked for anew.
    fn pass_over(&mut self, count: usize, why: &str) {
        (self.next..self.next + count).for_each(|want| self.refuse(want, why));
        self.next += count;
        self.pending = None;
        self.approaching = false;
    }

    fn read_group(&mut self, key: Packet, near: Range<usize>) -> Result<ReadGroup, String> {
        let ends = self.open.iter().copied().chain(near).map(|want| self.wants[want].ticks.end);
        let needed = ends.max().unwrap_or(i64::MIN);
        let mut group = ReadGroup { packets: Vec::new(), hidden: Vec::new(), until: i64::MAX };
        let (mut decoded, mut bytes) = (i64::MIN, 0);
        let mut packet = key;
        loop {
            let (pts, dts) = (packet.pts().unwrap_or(i64::MIN), packet.dts().unwrap_or(i64::MIN));
            if dts <= decoded {
                return Err("pictures are not decoded one after another".into());
            }
            (decoded, bytes) = (dts, bytes + packet.size());
            if bytes > MOST_BYTES {
                return Err("a group of pictures is too large to be held".into());
            }
            if raw::is_hidden(&packet) {
                group.hidden.push(pts);
            }
            group.packets.push(packet);
            if self.is_enough(&group, decoded, needed) {
                group.until = needed;
                return Ok(group);
            }
            let Some(read) = self.read_picture()? else { break };
            if self.check(&read)? {
                group.until = read.pts().unwrap_or(i64::MAX);
                self.pending = Some(read);
                return Ok(group);
            }
            packet = read;
        }
        if self.joinable.dts.last() == Some(&decoded) {
            Ok(group)
        } else {
            Err("the pictures stop before the index ends".into())
        }
    }

    /// Whether clips that end by `needed` have all that they need of a group. The index tells when the next picture is decoded,
    /// so that it need not be read: it may be a key frame, and large.
    fn is_enough(&self, group: &ReadGroup, decoded: i64, needed: i64) -> bool {
        let listed = &self.joinable.dts;
        let next = listed.get(listed.partition_point(|dts| *dts <= decoded));
        // What is decoded at the end or later is shown after it. A clip that only copies ends where copying can.
        next.is_some_and(|&next| match self.mode {
            CutMode::Copy if next >= needed => {
                let times: Vec<i64> = group.packets.iter().filter_map(Packet::pts).collect();
                is_all_copied(&times, needed, next)
            }
            _ => next >= needed,
        })
    }

    /// Gives every clip that has frames in a group, or that waits for sound, its share.
    fn share(&mut self, group: ReadGroup) {
        while self.wants.get(self.next).is_some_and(|want| want.ticks.start < group.until) {
            self.open.push(self.next);
            self.next += 1;
            self.approaching = false;
        }
        let times: Vec<i64> = group.packets.iter().filter_map(Packet::pts).collect();
        let mut parts = Vec::new();
        for want in std::mem::take(&mut self.open) {
            self.states[want].all_frames |= self.wants[want].ticks.end <= group.until;
            match self.part(want, &group, &times) {
                Err(why) => self.refuse(want, why),
                Ok(part) => {
                    self.states[want].has_frames |= part.is_some();
                    self.open.push(want);
                    parts.push(part);
                }
            }
        }
        self.hand_out(Group { packets: group.packets }, parts);
    }

    /// What a clip takes of a group. `Err`: why it is not put together out of what is read here.
    fn part(&mut self, want: usize, group: &ReadGroup, times: &[i64]) -> Result<Option<Part>, &'static str> {
        let (ticks, state) = (&self.wants[want].ticks, &mut self.states[want]);
        let part = part_of(times, ticks, self.mode);
        if hides(&group.hidden, part.as_ref(), ticks) {
            return Err("an edit list hides pictures inside the clip");
        }
        let is_inside = state.all_frames && !state.has_frames;
        let copies = state.usage == Use::Copied && part.as_ref().is_none_or(|part| part.copied > 0);
        if copies || state.usage == Use::Copied && !is_inside || state.sound.is_some() {
            return Ok(part);
        }
        // Pictures may end before the clip does, and who reads it for itself finds out whether it may.
        let latest = times.iter().copied().max().unwrap_or(i64::MIN);
        let ends = group.until < i64::MAX || ticks.end <= latest.saturating_add(self.clock.frame_ticks);
        let listed = self.listed.as_ref().filter(|_| is_inside && ends && part.is_some());
        state.sound = Some(listed.ok_or(NOTHING_TO_COPY)?.heard(&self.clock, self.wants[want].span));
        Ok(Some(Part { copied: 0, encoded: ticks.clone(), is_whole: true }))
    }

    /// Hands a group to all open clips; those that are complete with it are open no longer.
    fn hand_out(&mut self, group: Group, parts: Vec<Option<Part>>) {
        let mut shares = Vec::new();
        let mut parts = parts.into_iter();
        for want in std::mem::take(&mut self.open) {
            let part = parts.next().flatten();
            let ends = self.states[want].all_frames && self.has_heard(want);
            if ends && !self.states[want].has_frames {
                // Whoever encodes clips whole has the words for it.
                self.refuse(want, "no frame lies inside the clip");
                continue;
            }
            if ends && self.lacks_sound(want) {
                self.refuse(want, NOTHING_TO_COPY);
                continue;
            }
            let state = &mut self.states[want];
            let audio = std::mem::take(&mut state.inbox);
            if part.is_some() || !audio.is_empty() || ends {
                shares.push(Share { clip: self.wants[want].clip, turn: state.turn, part, audio, ends });
                state.turn += 1;
            }
            if !ends {
                self.open.push(want);
            }
        }
        if !shares.is_empty() {
            self.ready.push_back(Fed::Unit(Unit { group, shares }));
        }
    }

    fn has_heard(&self, want: usize) -> bool {
        let wanted = self.wants[want].audio.iter();
        self.at_end || wanted.zip(&self.heard).all(|(range, heard)| *heard >= range.end || range.is_empty())
    }

    /// Reads sound alone until no clip waits for any, and completes the clips.
    fn finish_open(&mut self) {
        let video = self.clock.video.index;
        if !self.open.iter().all(|&want| self.has_heard(want)) {
            self.pending = None;
            raw::set_wanted(self.source.input_mut(), video, false);
            self.hear_out();
            raw::set_wanted(self.source.input_mut(), video, true);
        }
        self.at_end = true; // nothing more is waited for
        let (whole, parts): (Vec<usize>, Vec<usize>) =
            std::mem::take(&mut self.open).into_iter().partition(|&want| self.states[want].all_frames);
        parts.into_iter().for_each(|want| self.refuse(want, "the groups of pictures are not as the index lists them"));
        self.open = whole;
        let parts = self.open.iter().map(|_| None).collect();
        self.hand_out(Group { packets: Vec::new() }, parts);
        self.at_end = false;
    }

    /// Whether a clip that is encoded whole has not got all sound that the index lists. Who reads it for itself looks further.
    fn lacks_sound(&self, want: usize) -> bool {
        let mut wanted = self.states[want].sound.iter().flatten().zip(&self.heard);
        wanted.any(|(wanted, heard)| !wanted.has_all(*heard))
    }

    fn hear_out(&mut self) {
        let patience: Vec<i64> = (0..self.heard.len()).map(|track| self.patience(track)).collect();
        while !self.open.iter().all(|&want| self.has_heard(want)) {
            // Sound that cannot be read is sound that ends early; the pictures are whole.
            let Ok(Some(packet)) = self.source.read_packet() else { break };
            self.hear(packet);
            if self.heard.iter().zip(&patience).any(|(heard, patience)| heard >= patience) {
                break;
            }
        }
    }

    /// The moment of a track's sound from which on nothing of the open clips' is to be hoped for.
    fn patience(&self, track: usize) -> i64 {
        let base = self.clock.audio[track].base;
        let ends = self.open.iter().map(|&want| self.wants[want].audio[track].end);
        ends.max().unwrap_or(0).saturating_add(Moment::from_ms(PATIENCE_MS).first_tick(base))
    }

    fn refuse(&mut self, want: usize, why: &str) {
        let state = &mut self.states[want];
        state.inbox = Vec::new();
        // It is known before of the others that they are encoded whole, whatever became of the group they were to share.
        let why = if matches!(state.usage, Use::Copied | Use::Open) { why } else { NOTHING_TO_COPY };
        self.ready.push_back(Fed::Refused { clip: self.wants[want].clip, why: why.to_owned() });
    }
}
