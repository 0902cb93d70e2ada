//! One opened video: seeks, decodes frames in display order, and lays audio packets of the wanted span aside.
//! Knows ticks and packets; knows nothing of encoders, clips or tensors.

mod opened;
mod peeking;
mod seeking;
mod shared;
mod sound;

use std::cell::OnceCell;
use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ffmpeg_next::codec::{self, decoder};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Discard, Error as AvError, Packet, Rational, ffi, format, frame, media};

use crate::error::{VideoError, VideoErrorKind, is_out_of_memory};
use crate::h264;
use crate::libav::hardware::Hardware;
use crate::libav::{self, raw};
use crate::media::Media;
use crate::opening::{
    Track, best_track, no_video_stream, not_a_video, open_decoder, open_input, open_listed, open_ranges, origin_of,
};
use crate::pulse;
use crate::ranges::Guide;
use crate::steady::Steady;
use crate::sure::{Place, Sure};
use crate::time::Moment;
use opened::Opened;
use shared::Shared;
use sound::Heard;

/// Containers whose clocks begin anew where recordings were put one behind another, and by how many ticks a time must lie
/// before the last one to be a beginning: half a second.
const CLOCKS_BEGIN_ANEW: &[&str] = &["mpegts", "mpeg"];
const BEGINS_ANEW: i64 = 45_000;

/// Containers, and bare streams, in which only reading everything tells where a picture is.
const WITHOUT_INDEX: &[&str] = &["mpegts", "mpeg", "mpegvideo", "h264", "hevc", "m4v", "obu"];

/// Errors of the container that are read over, one behind another.
const MOST_ERRORS: usize = 1000;

/// A part of the file in ticks of the video stream.
#[derive(Debug, Clone)]
pub(crate) struct TickSpan {
    pub(crate) video: Range<i64>,
}

impl TickSpan {
    pub(crate) const WHOLE: TickSpan = TickSpan { video: i64::MIN..i64::MAX };
}

/// An opened video and the decoder of its pictures.
pub(crate) struct Source {
    path: PathBuf,
    /// How the bytes are read, when it is by ranges.
    ranges: Option<(Media, Guide)>,
    /// What decodes, where it can.
    hardware: Option<Arc<Hardware>>,
    input: Input,
    decoder: decoder::Video,
    video: Track,
    audio: Option<Track>,
    origin: Moment,
    span: TickSpan,
    /// Display time of the key frame that decoding began with; errors before it belong to pictures nobody asked for.
    key_pts: Option<i64>,
    draining: bool,
    /// Whether the file ended while pictures were read, and the latest picture that went into the decoder.
    is_at_end: bool,
    latest: i64,
    /// How many pictures of the span went into the decoder: as many have to come out.
    promised: u64,
    /// A frame that was decoded to see where a seek had landed, and is still to be handed out.
    first: Option<frame::Video>,
    laid_aside: VecDeque<Packet>,
    /// The sound that is wanted.
    heard: Vec<Heard>,
    /// The only pictures that are wanted, by their times.
    only: Option<HashSet<i64>>,
    /// Whether pictures tell that no other is made of them, and whether a closed group is decoded.
    tells_unreferenced: bool,
    is_closed: bool,
    /// Whether key frames behind the first begin open groups, where somebody has looked.
    has_open_groups: OnceCell<bool>,
    /// Whether decoding began some key frames earlier, since it failed from the last one on.
    is_early: bool,
    /// Where decoding began at a key frame that leaves pictures before it in use: how many more may have those let go.
    opened: Opened,
    /// When the last picture is decoded that is decoded before the span's end, where an index tells that others follow; and whether
    /// the decoder has all of the span.
    last_listed: Option<i64>,
    has_all: bool,
    /// A failure that counts if what is wanted comes out of the decoder behind it, and not if a key frame goes in before.
    trouble: Option<VideoError>,
    /// Whether what the demuxer grumbles about is a failure.
    is_wary: bool,
    /// One clock for all of the file, and behind which of its beginnings the last packet lay.
    steady: Option<Steady>,
    beginning: usize,
    sure: Option<Sure>,
    /// What several clips want of one reading, and pictures that were read on the way to their sound.
    shared: Option<Shared>,
    ahead: VecDeque<Packet>,
}

impl Source {
    /// Opens a file and the decoder of its best video stream.
    pub(crate) fn open(path: &Path) -> Result<Self, VideoError> {
        Self::with(open_input(path)?, path, None)
    }

    /// As `open`, of a file that is read once, so that an index is believed what it tells; with the pictures decoded on a GPU
    /// if there is one that takes them. They are left there.
    pub(crate) fn open_beside(path: &Path, hardware: Option<Arc<Hardware>>) -> Result<Self, VideoError> {
        Self::with(open_listed(path)?, path, hardware)
    }

    /// Opens a video that is read by ranges.
    pub(crate) fn of(media: &Media) -> Result<Self, VideoError> {
        let (input, guide) = open_ranges(media)?;
        let source = Self::with(input, media.path(), None)?;
        Ok(Source { ranges: Some((media.clone(), guide)), ..source })
    }

    /// What of the video will be read, where it is read by ranges.
    pub(crate) fn want(&self, ranges: Vec<Range<u64>>) {
        if let Some((_, guide)) = &self.ranges {
            guide.want(ranges);
        }
    }

    fn with(input: Input, path: &Path, hardware: Option<Arc<Hardware>>) -> Result<Self, VideoError> {
        if input.streams().all(|stream| stream.parameters().id() == codec::Id::None) {
            return Err(not_a_video(path, "there is nothing in the file: its index is missing or cut off".into()));
        }
        let video = best_track(&input, media::Type::Video).ok_or_else(|| no_video_stream(path))?;
        let audio = best_track(&input, media::Type::Audio);
        let decoder = open_decoder(&input, video, path, hardware.as_deref())?;
        let origin = origin_of(&input, video, audio);
        let tells_unreferenced = tells_unreferenced(&input, video);
        Ok(Source {
            path: path.to_owned(),
            ranges: None,
            hardware,
            input,
            decoder,
            video,
            audio,
            origin,
            span: TickSpan::WHOLE,
            key_pts: None,
            draining: false,
            is_at_end: false,
            latest: i64::MIN,
            promised: 0,
            first: None,
            laid_aside: VecDeque::new(),
            heard: Vec::new(),
            only: None,
            tells_unreferenced,
            is_closed: false,
            has_open_groups: OnceCell::new(),
            is_early: false,
            opened: Opened::default(),
            last_listed: None,
            has_all: false,
            trouble: None,
            is_wary: false,
            steady: None,
            beginning: 0,
            sure: None,
            shared: None,
            ahead: VecDeque::new(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// The stream whose pictures are read.
    pub(crate) fn stream(&self) -> format::stream::Stream<'_> {
        self.input.stream(self.video.index).expect("the source was opened with this stream")
    }

    pub(crate) fn input_mut(&mut self) -> &mut Input {
        &mut self.input
    }

    pub(crate) fn decoder(&self) -> &decoder::Video {
        &self.decoder
    }

    /// A decoder of its own for another thread.
    pub(crate) fn another_decoder(&self) -> Result<decoder::Video, VideoError> {
        open_decoder(&self.input, self.video, &self.path, None)
    }

    pub(crate) fn video(&self) -> Track {
        self.video
    }

    pub(crate) fn audio(&self) -> Option<Track> {
        self.audio
    }

    /// The moment on the file's own clock that viewers see as 0:00.
    pub(crate) fn origin(&self) -> Moment {
        self.origin
    }

    /// The moment after the last frame, on the viewer's clock, as the index states it. `None`: it states nothing.
    pub(crate) fn stated_end(&self) -> Option<Moment> {
        let stream = self.input.stream(self.video.index)?;
        let (start, duration) = (stream.start_time(), stream.duration());
        if duration > 0 {
            let start = if start == ffi::AV_NOPTS_VALUE { 0 } else { start };
            return Some(Moment::from_ticks(start.saturating_add(duration), self.video.base).minus(self.origin));
        }
        // The container's duration counts from its own start, which is the viewer's zero.
        (self.input.duration() > 0).then(|| Moment::from_ticks(self.input.duration(), Rational(1, 1_000_000)))
    }

    /// Whether a file that was read to its end says itself that it goes on to there, give or take two frames. `latest`: the
    /// time of its last picture. One that was cut off may lack pictures that are shown before its last one.
    pub(crate) fn ends_with(&self, latest: i64, frame_ticks: i64) -> bool {
        let found = Moment::from_ticks(latest.saturating_add(frame_ticks), self.video.base).minus(self.origin);
        let slack = Moment::from_ticks(frame_ticks.saturating_mul(2), self.video.base);
        let is_near = |stated: Moment| stated.minus(slack) <= found && found <= stated.plus(slack);
        !self.is_of(CLOCKS_BEGIN_ANEW) && self.stated_end().is_some_and(is_near)
    }

    /// Whether every picture of the span went into the decoder, and others follow in the file, as its index tells.
    pub(crate) fn has_all(&self) -> bool {
        self.has_all
    }

    /// Whether the end of the file was read on the way and is not where it should be.
    pub(crate) fn is_cut_off(&self, frame_ticks: i64) -> bool {
        self.is_at_end && self.latest != i64::MIN && !self.is_indexed() && !self.ends_with(self.latest, frame_ticks)
    }

    /// Milliseconds on the viewer's clock of a video tick.
    pub(crate) fn ms(&self, tick: i64) -> u64 {
        Moment::from_ticks(tick, self.video.base).minus(self.origin).to_ms()
    }

    /// Says that only pictures of these times are wanted. Others come out only if what is wanted was made from them, so
    /// `check_promise` has nothing to say afterwards.
    pub(crate) fn want_only(&mut self, times: HashSet<i64>) {
        self.only = Some(times);
    }

    /// Whether the file has no index that could be trusted to be that of all of it.
    pub(crate) fn needs_survey(&self) -> bool {
        self.is_of(WITHOUT_INDEX)
    }

    /// Whether an index lists every picture, one decoded after another.
    pub(crate) fn is_indexed(&self) -> bool {
        self.listed().is_some()
    }

    /// The pictures of an index that lists every one, one decoded after another.
    fn listed(&self) -> Option<Vec<raw::Sample>> {
        let stream = self.stream();
        let samples = raw::samples(&stream);
        let stated = usize::try_from(stream.frames()).unwrap_or(0);
        let lists_all = samples.len() == stated && samples.is_sorted_by(|a, b| a.dts < b.dts);
        Some(samples).filter(|_| lists_all && self.is_of(&["mp4"]))
    }

    /// Whether the file is in one of these containers, by FFmpeg's names.
    pub(crate) fn is_of(&self, names: &[&str]) -> bool {
        self.input.format().name().split(',').any(|name| names.contains(&name))
    }

    /// The clocks of a reading that began with `restart`, and behind which beginning its last packet lay.
    pub(crate) fn steady(&self) -> Steady {
        self.steady.clone().unwrap_or_else(|| Steady::new(0, None))
    }

    pub(crate) fn beginning(&self) -> usize {
        self.beginning
    }

    /// Has damage that the demuxer steps over be a failure.
    pub(crate) fn be_wary(&mut self) {
        self.is_wary = true;
    }

    /// The next frame in display order, with its time in `frame.timestamp()`. `false`: there are no more.
    pub(crate) fn next_frame(&mut self, frame: &mut frame::Video) -> Result<bool, VideoError> {
        if let Some(first) = self.first.take() {
            *frame = first;
            return Ok(true);
        }
        if self.sure.is_none() {
            return self.decode_next(frame);
        }
        loop {
            if let Some(ready) = self.sure.as_mut().and_then(Sure::shown) {
                *frame = ready;
                return Ok(true);
            }
            let mut decoded = frame::Video::empty();
            let came = self.decode_next(&mut decoded)?;
            let Some(sure) = &mut self.sure else { return Ok(false) };
            if came {
                sure.take(decoded);
            } else if !sure.ends() {
                return Ok(false);
            }
        }
    }

    fn decode_next(&mut self, frame: &mut frame::Video) -> Result<bool, VideoError> {
        loop {
            match self.decoder.receive_frame(frame) {
                Ok(()) => {
                    pulse::beat();
                    self.ranges.iter().for_each(|(media, _)| media.was_decoded());
                    return self.without_trouble(frame.timestamp()).map(|()| true);
                }
                Err(AvError::Eof) => return self.without_trouble(None).map(|()| false),
                Err(error) if libav::is_again(&error) => self.feed()?,
                Err(error) => return Err(VideoError::decoding(&self.path, "decoding failed", error)),
            }
        }
    }

    /// Raises what went wrong before a frame came out, unless the frame is shown before what is wanted.
    fn without_trouble(&mut self, time: Option<i64>) -> Result<(), VideoError> {
        let counts = time.is_none_or(|time| time >= self.span.video.start);
        self.trouble.take_if(|_| counts).map_or(Ok(()), Err)
    }

    /// Says when a survey told of other frames than have come; to be asked when the span's last frame has. `true`: all that
    /// had to come was known.
    pub(crate) fn knows_all(&mut self, interlaced: bool) -> Result<bool, VideoError> {
        let mut frame = frame::Video::empty();
        while self.sure.is_some() && self.next_frame(&mut frame)? {}
        let Some(sure) = &self.sure else { return Ok(false) };
        // Two packets may make one interlaced picture, and VP8 has packets that are never shown.
        let countable = !interlaced && self.decoder.id() != codec::Id::VP8;
        if countable && !sure.is_right() {
            let message = "the pictures that can be decoded are not those that the file lists";
            return Err(VideoError::corrupt(&self.path, message));
        }
        Ok(sure.knows_all())
    }

    /// Says when fewer pictures came out of the decoder than went in. It can swallow damaged ones without a word, and
    /// a clip that lacks them looks whole. `last`: any frame of the span; `frames`: how many came out.
    pub(crate) fn check_promise(&self, frames: u64, last: &frame::Video) -> Result<(), VideoError> {
        // Two packets may make one interlaced picture, and VP8 has packets that are never shown.
        let countable = !last.is_interlaced() && self.decoder.id() != codec::Id::VP8;
        if !countable || frames >= self.promised {
            return Ok(());
        }
        let (lost, all) = (self.promised - frames, self.promised);
        Err(VideoError::corrupt(&self.path, format!("{lost} of {all} pictures cannot be decoded")))
    }

    /// Gives the decoder one more packet of pictures, or tells it that there are no more.
    fn feed(&mut self) -> Result<(), VideoError> {
        while !self.draining && !self.has_all {
            let Some(mut packet) = self.next_packet()? else {
                self.is_at_end = true;
                break;
            };
            if packet.stream() == self.video.index {
                match self.place(&mut packet)? {
                    Place::Before => continue,
                    Place::Inside => return self.decode(&packet),
                    Place::Behind => break,
                }
            }
            self.lay_aside(packet);
        }
        self.draining = true;
        match self.decoder.send_eof() {
            Ok(()) | Err(AvError::Eof) => Ok(()),
            Err(error) => Err(VideoError::decoding(&self.path, "decoding failed", error)),
        }
    }

    fn place(&mut self, packet: &mut Packet) -> Result<Place, VideoError> {
        let Some(sure) = &mut self.sure else {
            // A frame is decoded before it is shown, so what is decoded at the end or later is shown after it.
            let end = self.span.video.end;
            self.has_all |= self.last_listed.is_some()
                && packet.is_key()
                && packet.pts().is_some_and(|pts| pts >= end)
                && self.begins_closed(packet);
            let is_behind = self.has_all || packet.dts().is_some_and(|dts| dts >= end);
            return Ok(if is_behind { Place::Behind } else { Place::Inside });
        };
        let place = sure.place(packet, raw::held(&self.decoder));
        place.ok_or_else(|| VideoError::io(&self.path, "reading", "the pictures are not found again where they were"))
    }

    fn decode(&mut self, packet: &Packet) -> Result<(), VideoError> {
        let is_due = packet.pts().is_some_and(|pts| pts <= self.span.video.start);
        self.has_all |= self.last_listed.is_some() && packet.dts() == self.last_listed;
        if packet.is_key() {
            self.is_closed = self.begins_closed(packet);
        }
        if packet.is_key() && self.key_pts.is_none() {
            self.opened = if self.leaves_others(packet) { Opened::at(packet) } else { Opened::default() };
        }
        if packet.is_key() && (self.key_pts.is_none() || is_due) {
            self.key_pts = packet.pts();
            if self.is_fresh(packet) && packet.pts().is_some() {
                self.trouble = None;
            }
        }
        self.spare(packet);
        self.latest = self.latest.max(packet.pts().unwrap_or(i64::MIN));
        let complaints = libav::complaints();
        let mut sent = match self.opened.takes(packet) {
            true => opened::send(&mut self.decoder, packet),
            false => self.decoder.send_packet(packet),
        };
        if sent.is_ok() && libav::complaints() > complaints && self.sure.as_ref().is_some_and(Sure::counts) {
            sent = Err(AvError::InvalidData);
        }
        if sent.is_err() && !libav::has_room(self.decoder.width(), self.decoder.height()) {
            return Err(VideoError::out_of_memory(&self.path, "decoding failed"));
        }
        let leads_the_key_frame = match (packet.pts().or(packet.dts()), self.key_pts) {
            (Some(pts), Some(key)) => pts < key,
            // A stream without times begins with the packet that a survey said, and nothing leads that.
            (_, None) => self.sure.is_none(),
            (None, Some(_)) => false,
        };
        let wanted = packet.pts().is_some_and(|pts| self.span.video.contains(&pts));
        let counts = wanted && !leads_the_key_frame && self.sure.is_none();
        self.promised += u64::from(counts && !raw::is_hidden(packet));
        self.expect(packet);
        // Pictures before the key frame need frames before the seek. They are not wanted and may fail.
        if let Err(error) = sent
            && !leads_the_key_frame
            && self.sure.as_ref().is_none_or(Sure::is_wanted)
        {
            let at = packet.pts().map_or(String::new(), |pts| format!(" at {} ms", self.ms(pts)));
            let error = VideoError::decoding(&self.path, &format!("the picture{at} cannot be decoded"), error);
            self.trouble.get_or_insert(error);
        }
        Ok(())
    }

    /// Has the decoder leave out the picture that it gets next, if it is neither wanted nor needed for any other.
    fn spare(&mut self, packet: &Packet) {
        let is_needless = match &self.only {
            Some(only) => packet.pts().is_some_and(|pts| !only.contains(&pts)),
            None => self.is_needless(packet),
        };
        self.decoder.skip_frame(if is_needless { Discard::NonReference } else { Discard::Default });
    }

    /// Whether a picture is needless where nobody has said which are wanted: it lies before the span, or between those of several
    /// clips, in a group that is whole in itself, and no other is made of it.
    fn is_needless(&self, packet: &Packet) -> bool {
        let is_outside = packet.pts().is_some_and(|pts| match &self.shared {
            Some(shared) => !shared.wants(pts),
            None => pts < self.span.video.start,
        });
        let may_spare = self.is_closed && !self.is_early && self.sure.is_none();
        may_spare && is_outside && packet.data().is_some_and(h264::is_unreferenced)
    }

    /// Whether a packet begins a closed group, as far as H.264 tells it: what is decoded behind it is shown behind it.
    fn begins_closed(&self, packet: &Packet) -> bool {
        self.tells_unreferenced && packet.data().is_some_and(h264::is_idr)
    }

    /// Whether a key frame of H.264 has no picture before it let go: those that lead it may be made of them.
    fn leaves_others(&self, packet: &Packet) -> bool {
        let is_open = |data: &[u8]| !h264::is_idr(data) && h264::is_intra(data);
        self.decoder.id() == codec::Id::H264 && self.sure.is_none() && packet.data().is_some_and(is_open)
    }

    /// Whether what is decoded from a key frame on is right whatever was wrong before. Some have it only say that blocks
    /// begin to be made anew.
    fn is_fresh(&self, packet: &Packet) -> bool {
        self.decoder.id() != codec::Id::H264 || packet.data().is_some_and(h264::is_intra)
    }

    /// The next packet to be decoded or laid aside.
    fn next_packet(&mut self) -> Result<Option<Packet>, VideoError> {
        match self.ahead.pop_front() {
            Some(packet) => Ok(Some(packet)),
            None => self.read_on(),
        }
    }

    /// The next packet. A survey has said where the container is damaged, so reading goes on behind that.
    fn read_on(&mut self) -> Result<Option<Packet>, VideoError> {
        let mut errors = 0;
        loop {
            match self.read_packet() {
                Err(error) if error.kind == VideoErrorKind::Corrupt && self.sure.is_some() && errors < MOST_ERRORS => {
                    errors += 1;
                }
                read => return read,
            }
        }
    }

    /// The next packet of any stream. `None`: there are no more.
    pub(crate) fn read_packet(&mut self) -> Result<Option<Packet>, VideoError> {
        let mut packet = Packet::empty();
        let complaints = libav::complaints();
        let read = packet.read(&mut self.input);
        pulse::beat();
        if self.is_wary && self.sure.is_none() && libav::complaints() > complaints {
            let error = VideoError::corrupt(&self.path, "the container is damaged in the part that was read");
            self.trouble.get_or_insert(error);
        }
        if read.is_err()
            && let Some((media, guide)) = &self.ranges
            && let Some(failure) = guide.failure(media)
        {
            return Err(failure);
        }
        match read {
            Ok(()) => {
                self.beginning = self.steady.as_mut().map_or(0, |steady| steady.mend(&mut packet));
                Ok(Some(packet))
            }
            Err(AvError::Eof) => Ok(None),
            Err(AvError::InvalidData) => {
                Err(VideoError::corrupt(&self.path, "the container is damaged in the part that was read"))
            }
            Err(error) if is_out_of_memory(error) => Err(VideoError::out_of_memory(&self.path, "reading failed")),
            Err(error) => Err(VideoError::io(&self.path, "reading", error)),
        }
    }
}

/// Whether the pictures of a file are frames of H.264 that say by themselves whether others are made of them, as in an MP4 whose index
/// lists them. Fields come in pairs, of which one may be needed and the other not.
fn tells_unreferenced(input: &Input, video: Track) -> bool {
    let Some(stream) = input.stream(video.index) else { return false };
    let is_mp4 = input.format().name().split(',').any(|name| name == "mp4");
    if !is_mp4 || stream.frames() == 0 || stream.parameters().id() != codec::Id::H264 {
        return false;
    }
    h264::AvcC::read(&raw::extradata(&stream)).is_some_and(|sets| {
        let is_of_frames = |set: &Vec<u8>| h264::Sps::read(set).is_some_and(|sps| sps.progressive);
        sets.length_bytes == 4 && !sets.sps.is_empty() && sets.sps.iter().all(is_of_frames)
    })
}
