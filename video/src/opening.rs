//! A file, or a video that is read by ranges -> its container, its best streams, and a decoder of its pictures.

use std::fs;
use std::path::Path;

use ffmpeg_next::codec::decoder::Opened;
use ffmpeg_next::codec::{self, decoder, threading};
use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::{Dictionary, Error as AvError, Rational, ffi, format, media};

use crate::error::{VideoError, VideoErrorKind, is_out_of_memory};
use crate::libav::hardware::Hardware;
use crate::libav::{self, raw};
use crate::media::Media;
use crate::ranges::{Guide, RangeReader};
use crate::time::Moment;

/// Containers that hold videos. Play lists, text art and image series are media files to FFmpeg too; a text file that
/// was named `.mp4` by mistake would come out as a video of letters, and a play list could name any other file.
const CONTAINERS: &str = "mov,matroska,webm,mpegts,mpeg,mpegvideo,avi,flv,asf,ivf,h264,hevc,m4v,mxf,nut,ogg,obu";

/// Tracks of one file. Each costs a parser and perhaps a decoder when the file is opened; a transport stream of a whole
/// television channel has some dozens.
const MOST_STREAMS: &str = "256";
/// Bytes that are looked at to find out what is in a file that has no index. FFmpeg's own number, said here so that another
/// version does not read more of a file that never says what it is.
const PROBED_BYTES: &str = "5000000";
/// The largest picture that is decoded: 16384x8704, the most that any level of H.265 (7.2) and AV1 (7.3) allows. A few bytes can
/// claim any size, and a decoder makes room for a picture before it looks at the next byte.
const MOST_PIXELS: u64 = 16_384 * 8_704;

/// One stream of the file that is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Track {
    pub(crate) index: usize,
    pub(crate) base: Rational,
}

/// Opens a container and reads as much as tells what is in it.
pub(crate) fn open_input(path: &Path) -> Result<Input, VideoError> {
    libav::prepare();
    let size = fs::metadata(path).map_err(|e| VideoError::io(path, "opening", e))?.len();
    if size == 0 {
        return Err(not_a_video(path, "the file is empty".into()));
    }
    told(format::input_with_dictionary(&libav::file_url(path)?, containers()), path)
}

/// As `open_input`; where an index tells all there is to know, no pictures are decoded to guess it. Which of several tracks
/// is the best is guessed.
pub(crate) fn open_listed(path: &Path) -> Result<Input, VideoError> {
    libav::prepare();
    let mut options = containers();
    options.set("analyzeduration", "1");
    let quick = format::input_with_dictionary(&libav::file_url(path)?, options).ok();
    quick.filter(is_listed).map_or_else(|| open_input(path), Ok)
}

fn is_listed(input: &Input) -> bool {
    let mut pictures = input.streams().filter(|stream| stream.parameters().medium() == media::Type::Video);
    let is_known = pictures.next().is_some_and(|stream| raw::has_form(&stream)) && pictures.next().is_none();
    is_mp4(input) && is_known && input.streams().all(|stream| stream.frames() > 0)
}

fn is_mp4(input: &Input) -> bool {
    input.format().name().split(',').any(|name| name == "mp4")
}

/// As `open_input`, of bytes that are read by ranges.
pub(crate) fn open_ranges(media: &Media) -> Result<(Input, Guide), VideoError> {
    let (input, guide) = open_and_look(media)?;
    check_index(&input, media.pin()?.len, media.path())?;
    Ok((input, guide))
}

/// Refuses an index that lists more samples than the file has bytes. A line of it takes no room in the file when all samples
/// have one size, and some hundred bytes here.
fn check_index(input: &Input, size: u64, path: &Path) -> Result<(), VideoError> {
    let listed = input.streams().map(|stream| {
        let is_video = stream.parameters().medium() == media::Type::Video;
        let stated = u64::try_from(stream.frames()).ok().filter(|_| is_video).unwrap_or(0);
        stated.max(raw::count_of_samples(&stream))
    });
    let most = listed.max().unwrap_or(0);
    if most <= size {
        return Ok(());
    }
    Err(not_a_video(path, format!("the index lists {most} samples, and the file has {size} bytes")))
}

fn open_and_look(media: &Media) -> Result<(Input, Guide), VideoError> {
    let (input, guide) = open_stream(media, false)?;
    // An index without a picture is that of a file in fragments: it does not say when pictures and sound begin.
    let is_index = input.streams().any(|stream| stream.frames() > 0);
    // Where sound comes before the first picture, a quick look ends before one was decoded that tells their form.
    let is_known = input.streams().best(media::Type::Video).is_none_or(|stream| raw::has_form(&stream));
    let (input, guide) =
        if is_mp4(&input) && !(is_index && is_known) { open_stream(media, true)? } else { (input, guide) };
    guide.want(Vec::new());
    Ok((input, guide))
}

/// `thorough`: whether packets are looked at even if there is an index.
fn open_stream(media: &Media, thorough: bool) -> Result<(Input, Guide), VideoError> {
    libav::prepare();
    let path = media.path();
    if media.pin()?.len == 0 {
        return Err(not_a_video(path, "the file is empty".into()));
    }
    let (reader, guide) = RangeReader::open(media)?;
    let mut options = containers();
    if reader.has_index() && !thorough {
        // The index says what there is. Otherwise twenty pictures are decoded to guess how late pictures are shown.
        options.set("analyzeduration", "1");
    }
    let io = StreamIo::from_read_seek(reader).map_err(|e| VideoError::io(path, "opening", e))?;
    let opened = told(format::input_from_stream(io, path.to_str(), Some(options)), path);
    // Whatever FFmpeg made of it, bytes that could not be read come first.
    if let Some(failure) = guide.failure(media) { Err(failure) } else { Ok((opened?, guide)) }
}

fn containers() -> Dictionary<'static> {
    let mut options = Dictionary::new();
    options.set("format_whitelist", CONTAINERS);
    options.set("protocol_whitelist", "file");
    options.set("max_streams", MOST_STREAMS);
    options.set("probesize", PROBED_BYTES);
    options
}

fn told(opened: Result<Input, AvError>, path: &Path) -> Result<Input, VideoError> {
    match opened {
        Ok(input) => Ok(input),
        Err(error) if is_out_of_memory(error) => Err(VideoError::out_of_memory(path, "opening failed")),
        Err(AvError::Other { errno }) if errno != ffmpeg_next::error::EINVAL => {
            Err(VideoError::io(path, "opening", AvError::Other { errno }))
        }
        Err(error) => Err(not_a_video(path, format!("the file cannot be read as a video: {error}"))),
    }
}

pub(crate) fn not_a_video(path: &Path, message: String) -> VideoError {
    let help = "check that the file was copied whole and is a video such as MP4, MOV, MKV or TS";
    VideoError::new(VideoErrorKind::NotAVideo, path, message, help)
}

pub(crate) fn no_video_stream(path: &Path) -> VideoError {
    let help = "name a file with pictures; this one may be the sound alone";
    VideoError::new(VideoErrorKind::NoVideoStream, path, "there is no video stream in the file", help)
}

pub(crate) fn best_track(input: &Input, kind: media::Type) -> Option<Track> {
    let stream = input.streams().best(kind)?;
    Some(Track { index: stream.index(), base: stream.time_base() })
}

/// Opens a decoder for the pictures of a file. Every thread that decodes has its own.
pub(crate) fn open_decoder(
    input: &Input,
    video: Track,
    path: &Path,
    hardware: Option<&Hardware>,
) -> Result<decoder::Video, VideoError> {
    let stream = input.stream(video.index).expect("best_track took the index from this input");
    check_size(raw::coded_size(&stream), path)?;
    let refuse = |e: AvError| match is_out_of_memory(e) {
        true => VideoError::out_of_memory(path, "opening the decoder failed"),
        false => VideoError::unsupported(path, format!("the video stream has no working decoder: {e}")),
    };
    let mut decoder = codec::Context::from_parameters(stream.parameters()).map_err(refuse)?.decoder();
    decoder.set_packet_time_base(video.base);
    // One thread a decoder: clips are cut side by side, and an error belongs to the packet that was just sent.
    decoder.set_threading(threading::Config { count: 1, ..threading::Config::default() });
    // Without this, damaged pictures are painted over and handed out as if they were whole.
    decoder.check(decoder::Check::EXPLODE);
    hardware.into_iter().for_each(|hardware| hardware.lend(&mut decoder));
    let codec = decoder::find(decoder.id()).ok_or_else(|| refuse(AvError::DecoderNotFound))?;
    let mut options = Dictionary::new();
    options.set("max_pixels", &MOST_PIXELS.to_string());
    decoder.open_as_with(codec, options).and_then(Opened::video).map_err(refuse)
}

/// Refuses a file whose index claims pictures that no decoder is given. What the pictures themselves claim, the decoder is
/// told to refuse.
fn check_size((width, height): (u32, u32), path: &Path) -> Result<(), VideoError> {
    if u64::from(width) * u64::from(height) <= MOST_PIXELS {
        return Ok(());
    }
    let message =
        format!("the file says that its pictures are {width}x{height}, and {MOST_PIXELS} pixels are the most");
    Err(VideoError::new(
        VideoErrorKind::Unsupported,
        path,
        message,
        "check where the file is from: no camera makes such pictures",
    ))
}

/// Viewers count from the first stream that begins. It may begin before zero, where players hide it; but a transport
/// stream has no zero, and one whose clock is about to wrap begins before it.
pub(crate) fn origin_of(input: &Input, video: Track, audio: Option<Track>) -> Moment {
    let starts = [Some(video), audio].into_iter().flatten().filter_map(|track| {
        let start = input.stream(track.index)?.start_time();
        (start != ffi::AV_NOPTS_VALUE).then(|| Moment::from_ticks(start, track.base))
    });
    let first = starts.reduce(|a, b| if b < a { b } else { a }).unwrap_or(Moment::ZERO);
    let has_zero = input.format().name() != "mpegts";
    if has_zero && first < Moment::ZERO { Moment::ZERO } else { first }
}
