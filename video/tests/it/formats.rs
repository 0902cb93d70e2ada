//! Real files of every kind of pixels, tags and shapes: their tensors beside what swscale makes of the same pictures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ffmpeg_next::format::{self, Pixel};
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Packet, Rational, codec, color, ffi, frame, media};
use pipe_video::{Fit, FrameSpec, Sampling, sample};

use crate::corpus::input;
use crate::film::{BARS, BARS_709, Film, Look, PATCH};
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
    let mut frame = frame::Video::empty();
    // A decoder that has a picture takes no more packets before it is fetched.
    let has_one = packets.iter().any(|packet| {
        decoder.send_packet(packet).unwrap();
        decoder.receive_frame(&mut frame).is_ok()
    });
    if !has_one {
        decoder.send_eof().unwrap();
        decoder.receive_frame(&mut frame).unwrap();
    }
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

/// How far the tensors of a clip are from what swscale makes of its first picture, by BT.709 of limited range.
fn apart_from_swscale(path: &Path) -> (Pixel, (u32, u32), u8) {
    let frame = first(path);
    let (width, height) = (frame.width(), frame.height());
    let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(width, height) };
    let seen = sample(path, Sampling::Uniform { n: 1 }, &spec).unwrap().rgb.unwrap();
    let wanted = swscaled(&frame, ffi::SWS_CS_ITU709, false);
    (frame.format(), (width, height), apart(&seen, &wanted, width as usize))
}

#[test]
fn pictures_of_odd_sides_are_what_swscale_makes_of_them() {
    for pixels in [Pixel::YUV444P, Pixel::YUV444P10LE] {
        let folder = folder();
        let path = folder.path().join("film.mp4");
        let film = Film { less: 1, ..patches(pixels, color::Space::BT709, color::Range::MPEG) };
        film.write(&path);
        let (format, size, apart) = apart_from_swscale(&path);
        assert_eq!((format, size), (pixels, (95, 79)));
        assert!(apart <= 2, "{pixels:?}: {apart} apart");
    }
}

#[test]
fn the_hard_video_of_odd_sides_has_them() {
    let hard = input::all().into_iter().find(|hard| hard.name == "h264-444-odd.mp4").unwrap();
    let frame = first(&hard.path);
    assert_eq!((frame.format(), frame.width(), frame.height()), (Pixel::YUV444P, 321, 181));
    let sampled = sample(&hard.path, Sampling::Uniform { n: 2 }, &FrameSpec::plain(107, 61)).unwrap();
    assert_eq!((sampled.frames, sampled.clip_frames, sampled.indexes), (2, 120, vec![30, 90]));
}

/// A film of bare pictures, kept to the bit by the program that makes the hard videos: in a form of which FFmpeg's libraries
/// here have the decoder alone.
fn kept(folder: &Path, pixels: &str, (width, height): (u32, u32), picture: &[u8]) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/corpus.py");
    let told = Command::new("python3").arg(script).arg("ffmpeg").stderr(Stdio::inherit()).output().unwrap();
    let (raw, film) = (folder.join("raw"), folder.join("film.mkv"));
    std::fs::write(&raw, picture.repeat(3)).unwrap();
    let size = format!("{width}x{height}");
    // Tags are those of YUV. RGB needs none.
    let tags: &[&str] = if pixels.starts_with("yuv") { &["-colorspace", "bt709", "-color_range", "tv"] } else { &[] };
    let made = Command::new(String::from_utf8(told.stdout).unwrap().trim())
        .args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-nostdin",
            "-f",
            "rawvideo",
            "-pix_fmt",
            pixels,
            "-s",
            &size,
            "-i",
        ])
        .arg(&raw)
        .args(["-c:v", "ffv1"])
        .args(tags)
        .arg(&film)
        .status()
        .unwrap();
    assert!(made.success());
    film
}

#[test]
fn pictures_of_odd_sides_with_chroma_of_half_of_them_are_what_swscale_makes_of_them() {
    let (width, height) = (95_usize, 79_usize);
    let plane = |plane: usize, step: usize| -> Vec<u8> {
        let patch = |x: usize, y: usize| y * step / PATCH * 7 + x * step / PATCH;
        let places = (0..height.div_ceil(step)).flat_map(|y| (0..width.div_ceil(step)).map(move |x| (x, y)));
        places.map(|(x, y)| 40 + (patch(x, y) * [53, 71, 97][plane] % 176) as u8).collect()
    };
    let folder = folder();
    let picture = [plane(0, 1), plane(1, 2), plane(2, 2)].concat();
    let path = kept(folder.path(), "yuv420p", (95, 79), &picture);
    let (format, size, apart) = apart_from_swscale(&path);
    assert_eq!((format, size), (Pixel::YUV420P, (95, 79)));
    assert!(apart <= 2, "{apart} apart");
}

/// `BARS` by ITU-R BT.601, and as green, blue and red, which is the order of RGB in planes.
const BARS_601: [[usize; 3]; 4] = [[235, 128, 128], [81, 90, 240], [145, 54, 34], [41, 240, 110]];
const BARS_GBR: [[usize; 3]; 4] = [[255, 255, 255], [0, 0, 255], [255, 0, 0], [0, 255, 0]];

/// The colours in the middle of a clip's quarters.
fn quarters(path: &Path) -> [[u8; 3]; 4] {
    let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(8, 8) };
    let rgb = sample(path, Sampling::Uniform { n: 1 }, &spec).unwrap().rgb.unwrap();
    [(1, 1), (6, 1), (1, 6), (6, 6)].map(|(x, y)| *rgb[(y * 8 + x) * 3..].first_chunk().unwrap())
}

fn assert_bars(seen: [[u8; 3]; 4], what: &str) {
    let apart = seen.as_flattened().iter().zip(BARS.as_flattened()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(apart <= 3, "{what}: {seen:?}");
}

#[test]
fn pictures_that_are_rgb_keep_their_colours() {
    let folder = folder();
    let path = folder.path().join("film.mp4");
    // H.264 has RGB as 4:4:4 whose matrix is the identity.
    let film = patches(Pixel::YUV444P, color::Space::RGB, color::Range::JPEG);
    Film { look: Look::Quarters(BARS_GBR), ..film }.write(&path);
    assert_eq!(first(&path).format(), Pixel::GBRP);
    assert_bars(quarters(&path), "GBRP");
    // Packed, as screens are recorded.
    let place = |x: usize, y: usize| 2 * usize::from(y >= 40) + usize::from(x >= 48);
    let pixels = || (0..80).flat_map(|y| (0..96).map(move |x| (x, y)));
    let packed: Vec<u8> = pixels().flat_map(|(x, y)| [BARS[place(x, y)].as_slice(), &[255]].concat()).collect();
    assert_bars(quarters(&kept(folder.path(), "rgb0", (96, 80), &packed)), "RGB0");
}

#[test]
fn pictures_without_tags_are_bt709_from_720_rows_on_and_bt601_below() {
    use color::{Range, Space};
    for (less, colours) in [(0, BARS_709), (2, BARS_601)] {
        let folder = folder();
        let path = folder.path().join("film.mp4");
        let film = patches(Pixel::YUV420P, Space::Unspecified, Range::Unspecified);
        let film = Film { scale: 9, less, look: Look::Quarters(colours), ..film };
        film.write(&path);
        assert_eq!(film.size().1, 720 - less);
        assert_eq!(first(&path).color_space(), Space::Unspecified);
        assert_bars(quarters(&path), &format!("{} rows", 720 - less));
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
