//! Makes videos that `Writer` does not: other forms of H.264, other containers, times of one's own. Reads frames back.

use std::path::{Path, PathBuf};

use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::format::{self, Pixel};
use ffmpeg_next::{Dictionary, Packet, Rational, color, decoder, frame, media};

use crate::made::Made;

const WIDTH: u32 = 96;
const HEIGHT: u32 = 80;

/// A video of pictures that move and are not smooth.
#[derive(Clone)]
pub(crate) struct Film {
    pub(crate) base: Rational,
    /// When each frame is shown, in ticks.
    pub(crate) times: Vec<i64>,
    /// What x264 is told, besides the form of its groups.
    pub(crate) x264: &'static str,
    pub(crate) gop: u32,
    pub(crate) pixels: Pixel,
    pub(crate) range: color::Range,
    pub(crate) pixel_aspect: Rational,
    pub(crate) movflags: &'static str,
    pub(crate) profile: Option<&'static str>,
    /// How many times wider and higher the pictures are than the smallest.
    pub(crate) scale: u32,
    pub(crate) space: color::Space,
    pub(crate) look: Look,
    /// By how many pixels they are less wide and high than that, which is no multiple of a block's side then.
    pub(crate) less: u32,
}

/// What a film shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Slopes that drift, with a grain that differs from picture to picture.
    Moving,
    /// Patches of `PATCH` by `PATCH` pixels, each of one colour.
    Patches,
    /// Four quarters, each of one colour: above, left and right, then below. What the three planes have, of 8 bits.
    Quarters([[usize; 3]; 4]),
}

/// White, red, green and blue in limited range: the full colour bars of ITU-R BT.709, as every generator of test patterns has
/// them. Y, Cb, Cr.
pub(crate) const BARS_709: [[usize; 3]; 4] = [[235, 128, 128], [63, 102, 240], [173, 42, 26], [32, 240, 118]];
/// What they are on a screen.
pub(crate) const BARS: [[u8; 3]; 4] = [[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]];

/// The side of a patch.
pub(crate) const PATCH: usize = 16;

impl Default for Film {
    fn default() -> Self {
        Film {
            base: Rational(1, 30),
            times: (0..240).collect(),
            x264: "open-gop=0:scenecut=0:bframes=3:b-adapt=0",
            gop: 60,
            pixels: Pixel::YUV420P,
            range: color::Range::MPEG,
            pixel_aspect: Rational(1, 1),
            movflags: "+faststart",
            profile: None,
            scale: 1,
            space: color::Space::BT709,
            look: Look::Moving,
            less: 0,
        }
    }
}

impl Film {
    fn encoder(&self, flags: codec::Flags) -> encoder::Video {
        ffmpeg_next::util::log::set_level(ffmpeg_next::util::log::Level::Quiet);
        let codec = encoder::find_by_name("libx264").unwrap();
        let mut context = codec::Context::new_with_codec(codec).encoder().video().unwrap();
        let (width, height) = self.size();
        context.set_width(width);
        context.set_height(height);
        context.set_format(self.pixels);
        context.set_time_base(self.base);
        context.set_frame_rate(Some(Rational(30, 1)));
        context.set_aspect_ratio(self.pixel_aspect);
        context.set_color_range(self.range);
        context.set_colorspace(self.space);
        context.set_color_primaries(color::Primaries::BT709);
        context.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
        context.set_flags(flags);
        let mut options = Dictionary::new();
        options.set("preset", "veryfast");
        options.set("crf", "14");
        options.set("threads", "1");
        options.set("x264-params", &format!("{}:keyint={}:min-keyint={}", self.x264, self.gop, self.gop));
        self.profile.iter().for_each(|profile| options.set("profile", profile));
        context.open_as_with(codec, options).unwrap()
    }

    /// The film as a bare stream, which begins with its parameters.
    pub(crate) fn bare(&self) -> Vec<u8> {
        let mut open = self.encoder(codec::Flags::empty());
        let mut bytes = Vec::new();
        let mut packet = Packet::empty();
        for number in 0..=self.times.len() {
            match self.times.get(number) {
                Some(time) => {
                    let mut picture = self.picture(number);
                    picture.set_pts(Some(*time));
                    open.send_frame(&picture).unwrap();
                }
                None => open.send_eof().unwrap(),
            }
            while open.receive_packet(&mut packet).is_ok() {
                bytes.extend_from_slice(packet.data().unwrap());
            }
        }
        bytes
    }

    pub(crate) fn write(&self, path: &Path) {
        let mut open = self.encoder(codec::Flags::GLOBAL_HEADER);
        let mut output = format::output_as(path, "mp4").unwrap();
        let mut stream = output.add_stream_with(&open).unwrap();
        stream.set_time_base(self.base);
        stream.set_avg_frame_rate(Rational(30, 1));
        let mut options = Dictionary::new();
        Some(self.movflags).filter(|flags| !flags.is_empty()).iter().for_each(|flags| options.set("movflags", flags));
        output.write_header_with(options).unwrap();
        for (number, time) in self.times.iter().enumerate() {
            let mut picture = self.picture(number);
            picture.set_pts(Some(*time));
            open.send_frame(&picture).unwrap();
            self.drain(&mut open, &mut output);
        }
        open.send_eof().unwrap();
        self.drain(&mut open, &mut output);
        output.write_trailer().unwrap();
    }

    fn drain(&self, encoder: &mut encoder::Video, output: &mut format::context::Output) {
        let mut packet = Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            packet.set_stream(0);
            let to = output.stream(0).unwrap().time_base();
            packet.rescale_ts(self.base, to);
            packet.write_interleaved(output).unwrap();
        }
    }

    /// Numbers that limited range has, of 8 bits, far apart from patch to patch.
    fn patch(&self, x: usize, y: usize, plane: usize) -> usize {
        let pixels = self.pixels.descriptor().unwrap();
        let (sub_x, sub_y) = (pixels.log2_chroma_w(), pixels.log2_chroma_h());
        let (x, y) = if plane == 0 { (x, y) } else { (x << sub_x, y << sub_y) };
        let number = y / PATCH * 7 + x / PATCH;
        [16 + number * 53 % 220, 40 + number * 71 % 176, 40 + number * 97 % 176][plane]
    }

    fn quarter(&self, x: usize, y: usize, plane: usize) -> usize {
        let (width, height) = self.size();
        let pixels = self.pixels.descriptor().unwrap();
        let (sub_x, sub_y) = if plane == 0 { (0, 0) } else { (pixels.log2_chroma_w(), pixels.log2_chroma_h()) };
        let (right, below) = ((x << sub_x) >= width as usize / 2, (y << sub_y) >= height as usize / 2);
        2 * usize::from(below) + usize::from(right)
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (WIDTH * self.scale - self.less, HEIGHT * self.scale - self.less)
    }

    fn picture(&self, number: usize) -> frame::Video {
        let (width, height) = self.size();
        let mut picture = frame::Video::new(self.pixels, width, height);
        // Above 8 bits a sample is a word of two bytes.
        let depth = match self.pixels {
            Pixel::YUV420P10LE | Pixel::YUV422P10LE | Pixel::YUV444P10LE => 10,
            _ => 8,
        };
        for plane in 0..3 {
            let stride = picture.stride(plane);
            for (y, row) in picture.data_mut(plane).chunks_mut(stride).enumerate() {
                for (x, sample) in row.chunks_mut(if depth > 8 { 2 } else { 1 }).enumerate() {
                    let value = match self.look {
                        Look::Moving => moving(x, y, number, plane),
                        Look::Patches => self.patch(x, y, plane),
                        Look::Quarters(colours) => colours[self.quarter(x, y, plane)][plane],
                    } << (depth - 8);
                    sample.copy_from_slice(&value.to_le_bytes()[..sample.len()]);
                }
            }
        }
        picture
    }
}

fn moving(x: usize, y: usize, number: usize, plane: usize) -> usize {
    let grain = (x * 7919 + y * 104_729 + number * 1_299_709).wrapping_mul(2_654_435_761) >> 13;
    40 + (x * 2 + y + number * 3 + plane * 31) % 150 + grain % 24
}

/// One frame as it is seen: when, and its planes without what lies beside the pictures.
#[derive(PartialEq)]
pub(crate) struct Seen {
    pub(crate) seconds: f64,
    pub(crate) planes: Vec<u8>,
}

/// All frames of a file by a full decode in which every error counts.
pub(crate) fn frames(path: &Path) -> Vec<Seen> {
    let mut input = format::input(path).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let (index, base) = (stream.index(), stream.time_base());
    let mut decoder = codec::Context::from_parameters(stream.parameters()).unwrap().decoder();
    decoder.check(decoder::Check::EXPLODE);
    decoder.set_packet_time_base(base);
    let mut decoder = decoder.video().unwrap();
    let mut seen = Vec::new();
    let packets: Vec<Packet> = input.packets().filter(|(s, _)| s.index() == index).map(|(_, p)| p).collect();
    for packet in &packets {
        decoder.send_packet(packet).unwrap();
        receive(&mut decoder, f64::from(base), &mut seen);
    }
    decoder.send_eof().unwrap();
    receive(&mut decoder, f64::from(base), &mut seen);
    seen
}

fn receive(decoder: &mut decoder::Video, base: f64, seen: &mut Vec<Seen>) {
    let mut frame = frame::Video::empty();
    while decoder.receive_frame(&mut frame).is_ok() {
        assert!(!frame.is_corrupt() && !frame.has_decode_errors());
        let mut planes = Vec::new();
        for plane in 0..3 {
            let (width, height) = (frame.plane_width(plane) as usize, frame.plane_height(plane) as usize);
            let rows = frame.data(plane).chunks(frame.stride(plane)).take(height);
            rows.for_each(|row| planes.extend(&row[..width]));
        }
        seen.push(Seen { seconds: frame.timestamp().unwrap() as f64 * base, planes });
    }
}

/// Peak signal to noise in decibels, over all planes.
pub(crate) fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    if squares == 0.0 { f64::INFINITY } else { 10.0 * (255.0 * 255.0 * a.len() as f64 / squares).log10() }
}

/// The file again with these flags of the MP4 muxer, its sound `tracks` times.
pub(crate) fn remuxed(from: &Path, to: &Path, movflags: &str, tracks: usize) -> PathBuf {
    let mut input = format::input(from).unwrap();
    let mut output = format::output_as(to, "mp4").unwrap();
    let mut numbers = Vec::new();
    for stream in input.streams() {
        let count = if stream.parameters().medium() == media::Type::Audio { tracks } else { 1 };
        let of_stream: Vec<usize> = (0..count)
            .map(|_| {
                let mut made = output.add_stream(codec::Id::None).unwrap();
                made.set_parameters(stream.parameters());
                made.set_time_base(stream.time_base());
                made.index()
            })
            .collect();
        numbers.push((stream.time_base(), of_stream));
    }
    let mut options = Dictionary::new();
    options.set("movflags", movflags);
    output.write_header_with(options).unwrap();
    let packets: Vec<(usize, Packet)> = input.packets().map(|(stream, packet)| (stream.index(), packet)).collect();
    for (index, packet) in packets {
        let (base, of_stream) = &numbers[index];
        for number in of_stream {
            let mut copy = packet.clone();
            copy.set_stream(*number);
            copy.set_position(-1);
            copy.rescale_ts(*base, output.stream(*number).unwrap().time_base());
            copy.write_interleaved(&mut output).unwrap();
        }
    }
    output.write_trailer().unwrap();
    to.to_owned()
}

/// A video with sound, whose index stands at the front.
pub(crate) fn with_sound(folder: &Path) -> PathBuf {
    let path = folder.join("with-sound.mp4");
    Made { frames: 240, ..Made::default() }.write(&path).unwrap();
    path
}

/// The pictures of one file and the sound of another in one, a second of these after a second of those.
pub(crate) fn in_seconds(pictures: &Path, sound: &Path, to: &Path) {
    let mut output = format::output_as(to, "mp4").unwrap();
    let mut packets = Vec::new();
    for (number, (from, kind)) in [(pictures, media::Type::Video), (sound, media::Type::Audio)].into_iter().enumerate()
    {
        let mut input = format::input(from).unwrap();
        let stream = input.streams().best(kind).unwrap();
        let (index, base) = (stream.index(), stream.time_base());
        let mut made = output.add_stream(codec::Id::None).unwrap();
        made.set_parameters(stream.parameters());
        made.set_time_base(base);
        for (_, packet) in input.packets().filter(|(stream, _)| stream.index() == index) {
            let second = (packet.dts().unwrap() as f64 * f64::from(base)).floor() as i64;
            packets.push((second, number, base, packet));
        }
    }
    output.write_header().unwrap();
    packets.sort_by_key(|(second, number, ..)| (*second, *number));
    for (_, number, base, mut packet) in packets {
        packet.set_stream(number);
        packet.set_position(-1);
        packet.rescale_ts(base, output.stream(number).unwrap().time_base());
        // Not in the order of their times.
        packet.write(&mut output).unwrap();
    }
    output.write_trailer().unwrap();
}
