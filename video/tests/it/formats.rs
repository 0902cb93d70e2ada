//! Real files of every kind of pixels, tags and shapes: their tensors beside what swscale makes of the same pictures.

use std::path::Path;

use ffmpeg_next::format::{self, Pixel};
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Packet, Rational, codec, color, ffi, frame, media};
use pipe_video::{Fit, FrameSpec, Sampling, sample};

use crate::film::{Film, Look, PATCH};
use crate::made::folder;

/// A film of one picture, kept to the bit.
fn patches(pixels: Pixel, space: color::Space, range: color::Range) -> Film {
    let x264 = "qp=0:open-gop=0:bframes=0";
    Film { times: vec![0, 1], look: Look::Patches, x264, pixels, space, range, ..Film::default() }
}

/// The first picture of a file, as FFmpeg's decoder gives it.
fn first(path: &Path) -> frame::Video {
    let mut input = format::input(path).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let index = stream.index();
    let mut decoder = codec::Context::from_parameters(stream.parameters()).unwrap().decoder().video().unwrap();
    let packets: Vec<Packet> = input.packets().filter(|(s, _)| s.index() == index).map(|(_, p)| p).collect();
    packets.iter().for_each(|packet| decoder.send_packet(packet).unwrap());
    decoder.send_eof().unwrap();
    let mut frame = frame::Video::empty();
    decoder.receive_frame(&mut frame).unwrap();
    frame
}

/// What swscale makes of a picture, told its matrix (by its own number) and range.
fn swscaled(frame: &frame::Video, matrix: i32, is_full: bool) -> Vec<u8> {
    let (width, height) = (frame.width(), frame.height());
    let flags = scaling::Flags::BILINEAR | scaling::Flags::ACCURATE_RND | scaling::Flags::FULL_CHR_H_INT;
    let mut scaler = scaling::Context::get(frame.format(), width, height, Pixel::RGB24, width, height, flags).unwrap();
    #[expect(unsafe_code, reason = "the safe binding does not say which matrix")]
    // SAFETY: the context is open, and the tables are FFmpeg's own.
    unsafe {
        let table = ffi::sws_getCoefficients(matrix);
        let set = ffi::sws_setColorspaceDetails(
            scaler.as_mut_ptr(),
            table,
            i32::from(is_full),
            table,
            1,
            0,
            1 << 16,
            1 << 16,
        );
        assert!(set >= 0);
    }
    let mut rgb = frame::Video::empty();
    scaler.run(frame, &mut rgb).unwrap();
    rgb.data(0)
        .chunks(rgb.stride(0))
        .take(height as usize)
        .flat_map(|row| &row[..width as usize * 3])
        .copied()
        .collect()
}

/// How far apart the middles of patches are, at most. At their edges tools differ in how they bring chroma to full size.
fn apart(seen: &[u8], wanted: &[u8], width: usize) -> u8 {
    let middle = |at: usize| (PATCH / 2 - 2..PATCH / 2 + 2).contains(&(at % PATCH));
    let of = |pixel: usize| middle(pixel % width) && middle(pixel / width);
    let both = seen.iter().zip(wanted).enumerate().filter(|(i, _)| of(i / 3));
    both.map(|(_, (a, b))| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn every_kind_of_pixels_with_every_kind_of_tags_is_what_swscale_makes_of_it() {
    use color::{Range, Space};
    let (bt601, bt709, bt2020) = (ffi::SWS_CS_ITU601, ffi::SWS_CS_ITU709, ffi::SWS_CS_BT2020);
    // Pixels, what the file says, and what is meant by that: docs/frames.md, section 2.
    let cases = [
        (Pixel::YUV420P, Space::BT709, Range::MPEG, bt709, false),
        (Pixel::YUV420P, Space::BT2020NCL, Range::MPEG, bt2020, false),
        (Pixel::YUV420P, Space::SMPTE170M, Range::MPEG, bt601, false),
        (Pixel::YUV420P, Space::Unspecified, Range::Unspecified, bt601, false),
        (Pixel::YUVJ420P, Space::BT709, Range::JPEG, bt709, true),
        (Pixel::YUVJ420P, Space::Unspecified, Range::JPEG, bt601, true),
        (Pixel::YUV422P, Space::BT709, Range::MPEG, bt709, false),
        (Pixel::YUV444P, Space::BT2020NCL, Range::MPEG, bt2020, false),
        (Pixel::YUV444P, Space::BT709, Range::JPEG, bt709, true),
        (Pixel::YUV420P10LE, Space::BT2020NCL, Range::MPEG, bt2020, false),
        (Pixel::YUV420P10LE, Space::BT2020NCL, Range::JPEG, bt2020, true),
        (Pixel::YUV422P10LE, Space::BT709, Range::MPEG, bt709, false),
        (Pixel::YUV422P10LE, Space::Unspecified, Range::Unspecified, bt601, false),
        (Pixel::YUV444P10LE, Space::BT709, Range::JPEG, bt709, true),
    ];
    for (pixels, space, range, matrix, is_full) in cases {
        let folder = folder();
        let path = folder.path().join("film.mp4");
        patches(pixels, space, range).write(&path);
        let frame = first(&path);
        // A decoder may call full range by the old names of its formats.
        let old = format!("{pixels:?}").replace("YUV4", "YUVJ4");
        assert!(frame.format() == pixels || format!("{:?}", frame.format()) == old, "{:?}", frame.format());
        let wanted = swscaled(&frame, matrix, is_full);
        let (width, height) = (frame.width(), frame.height());
        let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(width, height) };
        let seen = sample(&path, Sampling::Uniform { n: 1 }, &spec).unwrap().rgb.unwrap();
        let apart = apart(&seen, &wanted, width as usize);
        assert!(apart <= 2, "{pixels:?}, {space:?}, {range:?}: {apart} apart");
    }
}

#[test]
fn pictures_of_another_size_on_the_way_are_made_as_they_are() {
    let folder = folder();
    let wide = Film { times: (0..5).collect(), ..Film::default() };
    let others = Film { times: (0..4).collect(), scale: 2, less: 22, ..Film::default() };
    let [first, second, both] = ["first.h264", "second.h264", "both.h264"].map(|name| folder.path().join(name));
    std::fs::write(&first, wide.bare()).unwrap();
    std::fs::write(&second, others.bare()).unwrap();
    std::fs::write(&both, [wide.bare(), others.bare()].concat()).unwrap();
    let spec = FrameSpec { fit: Fit::Letterbox, ..FrameSpec::plain(30, 30) };
    let [first, second, both] =
        [first, second, both].map(|path| sample(&path, Sampling::Every { n: 1 }, &spec).unwrap());
    assert_eq!((first.frames, second.frames, both.frames), (5, 4, 9));
    assert!(both.data == [first.data, second.data].concat());
}

#[test]
fn pixels_that_are_not_square_are_shown_as_wide_as_they_are() {
    // 96 by 80 pixels, each twice as wide as high, are a picture of 12 to 5: 48 by 20 in a square of 48, between bars of 14.
    let folder = folder();
    let path = folder.path().join("film.mp4");
    Film { times: vec![0], pixel_aspect: Rational(2, 1), ..Film::default() }.write(&path);
    let pad = [255, 0, 255];
    let spec = FrameSpec { fit: Fit::Letterbox, pad, keep_rgb: true, ..FrameSpec::plain(48, 48) };
    let rgb = sample(&path, Sampling::Uniform { n: 1 }, &spec).unwrap().rgb.unwrap();
    let is_bar = |row: &[u8]| row.chunks(3).all(|pixel| pixel == pad);
    let rows: Vec<bool> = rgb.chunks(48 * 3).map(is_bar).collect();
    assert_eq!(rows, [vec![true; 14], vec![false; 20], vec![true; 14]].concat());
}
