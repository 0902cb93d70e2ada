//! Any video -> its frames, decoded from the first packet to the last without a seek. FFmpeg's own word on what is in it.

use std::path::Path;

use ffmpeg_next::codec::{self, decoder, threading};
use ffmpeg_next::color::Range;
use ffmpeg_next::{Error, Rational, ffi, format, frame, media};

/// A moment in seconds as an exact fraction.
pub(crate) type Seconds = [i128; 2];

/// A decoded frame.
pub(crate) struct Picture {
    /// On the file's own clock.
    pub(crate) time: Option<Seconds>,
    pub(crate) size: [usize; 2],
    pub(crate) format: format::Pixel,
    /// The number it carries; what comes out of a frame without one means nothing.
    pub(crate) number: i128,
    /// Samples of Y, U and V, in as many bits as they have. Empty when they were not asked for.
    pub(crate) planes: [Vec<u16>; 3],
    pub(crate) bits: u32,
}

/// What a file says of itself, and its frames in the order in which the decoder shows them.
pub(crate) struct Film {
    pub(crate) pictures: Vec<Picture>,
    /// When viewers see 0:00: the first moment of pictures or sound, and not before 0.
    pub(crate) origin: Seconds,
    /// Shape of pixels, turn of the picture, colour tags, as text to compare.
    pub(crate) looks: String,
    /// Errors of the decoder and the demuxer.
    pub(crate) errors: Vec<String>,
}

pub(crate) fn seconds(ticks: i64, base: Rational) -> Seconds {
    [i128::from(ticks) * i128::from(base.numerator()), i128::from(base.denominator())]
}

pub(crate) fn minus(a: Seconds, b: Seconds) -> Seconds {
    [a[0] * b[1] - b[0] * a[1], a[1] * b[1]]
}

pub(crate) fn to_f64(a: Seconds) -> f64 {
    a[0] as f64 / a[1] as f64
}

/// Decodes everything and keeps the samples of the frames that are wanted, by number and time.
pub(crate) fn film(path: &Path, wanted: &dyn Fn(&Picture) -> bool) -> Result<Film, Error> {
    let mut input = format::input(path)?;
    let stream = pictures_of(&input).ok_or(Error::StreamNotFound)?;
    let (index, base) = (stream.index(), stream.time_base());
    let mut decoder = open(&stream)?;
    let matrix = stream.side_data().find(|d| d.kind() == codec::packet::side_data::Type::DisplayMatrix);
    let matrix = matrix.map(|data| data.data().to_vec());
    let origin = origin(&input);
    let mut film = Film { pictures: Vec::new(), origin, looks: String::new(), errors: Vec::new() };
    let mut packet = ffmpeg_next::Packet::empty();
    loop {
        match packet.read(&mut input) {
            Ok(()) if packet.stream() != index => continue,
            Ok(()) => film.note("decoder", decoder.send_packet(&packet)),
            Err(Error::Eof) => break,
            // A demuxer that found damage goes on behind it.
            Err(Error::InvalidData) => film.errors.push("demuxer: invalid data".into()),
            Err(error) => return Err(error),
        }
        film.take(&mut decoder, base, wanted);
        if film.errors.len() > 10_000 {
            break;
        }
    }
    film.note("decoder", decoder.send_eof());
    film.take(&mut decoder, base, wanted);
    film.looks = looks(&decoder, matrix.as_deref());
    Ok(film)
}

/// The stream of pictures that a player plays: a cover is none.
fn pictures_of(input: &format::context::Input) -> Option<format::stream::Stream<'_>> {
    let is_cover =
        |stream: &format::stream::Stream<'_>| stream.disposition().contains(format::stream::Disposition::ATTACHED_PIC);
    let best = input.streams().best(media::Type::Video)?;
    if !is_cover(&best) {
        return Some(best);
    }
    input.streams().find(|stream| stream.parameters().medium() == media::Type::Video && !is_cover(stream))
}

fn open(stream: &format::stream::Stream<'_>) -> Result<decoder::Video, Error> {
    let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
    decoder.set_packet_time_base(stream.time_base());
    decoder.set_threading(threading::Config { count: 1, ..threading::Config::default() });
    decoder.video()
}

impl Film {
    fn note(&mut self, who: &str, result: Result<(), Error>) {
        if let Err(error) = result {
            self.errors.push(format!("{who}: {error}"));
        }
    }

    fn take(&mut self, decoder: &mut decoder::Video, base: Rational, wanted: &dyn Fn(&Picture) -> bool) {
        let mut frame = frame::Video::empty();
        while decoder.receive_frame(&mut frame).is_ok() {
            if frame.is_corrupt() || frame.has_decode_errors() {
                self.errors.push("a damaged frame".into());
            }
            let mut picture = picture(&frame, base);
            if !wanted(&picture) {
                picture.planes = [Vec::new(), Vec::new(), Vec::new()];
            }
            self.pictures.push(picture);
        }
    }
}

pub(crate) fn origin(input: &format::context::Input) -> Seconds {
    let starts = [pictures_of(input), input.streams().best(media::Type::Audio)].into_iter().filter_map(|stream| {
        let stream = stream?;
        (stream.start_time() != ffi::AV_NOPTS_VALUE).then(|| seconds(stream.start_time(), stream.time_base()))
    });
    starts.reduce(|a, b| if minus(b, a)[0] < 0 { b } else { a }).filter(|start| start[0] > 0).unwrap_or([0, 1])
}

fn looks(decoder: &decoder::Video, matrix: Option<&[u8]>) -> String {
    // 0:1 says that nothing is known of the pixels' shape, which readers take for square.
    let aspect = decoder.aspect_ratio();
    let square = aspect.numerator() == 0 || aspect.numerator() == aspect.denominator();
    // What is not full range is limited, said or not.
    let range = if decoder.color_range() == Range::JPEG { "full" } else { "limited" };
    format!(
        "pixels {}, matrix {matrix:?}, {range} range, {:?}, {:?}, {:?}",
        if square { "1/1".into() } else { aspect.to_string() },
        decoder.color_space(),
        decoder.color_primaries(),
        decoder.color_transfer_characteristic()
    )
}

fn picture(frame: &frame::Video, base: Rational) -> Picture {
    let format = frame.format();
    let name = format!("{format:?}");
    let bits = if name.contains("10LE") { 10 } else { 8 };
    let planes = [0, 1, 2].map(|plane| if plane < frame.planes() { samples(frame, plane, bits) } else { Vec::new() });
    let size = [frame.width() as usize, frame.height() as usize];
    let number = number(&planes[0], size, bits);
    Picture { time: frame.timestamp().map(|ticks| seconds(ticks, base)), size, format, number, planes, bits }
}

fn samples(frame: &frame::Video, plane: usize, bits: u32) -> Vec<u16> {
    let (width, height) = (frame.plane_width(plane) as usize, frame.plane_height(plane) as usize);
    let rows = frame.data(plane).chunks(frame.stride(plane)).take(height);
    if bits == 8 {
        return rows.flat_map(|row| row[..width].iter().map(|&v| u16::from(v))).collect();
    }
    rows.flat_map(|row| row[..width * 2].chunks_exact(2).map(|v| u16::from_le_bytes([v[0], v[1]]))).collect()
}

/// Reads the sixteen squares at the foot of the picture, each at its middle.
fn number(luma: &[u16], [width, height]: [usize; 2], bits: u32) -> i128 {
    let row = height * 168 / 180;
    let bright = |bit: usize| {
        let at = row * width + width / 10 + width * 8 * (2 * bit + 1) / 320;
        luma.get(at).is_some_and(|&value| value >> (bits - 8) > 126)
    };
    (0..16).map(|bit| i128::from(bright(bit)) << bit).sum()
}
