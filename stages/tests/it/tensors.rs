//! What `preprocess` writes, read by what others say of the formats.

use crate::bench::Bench;
use crate::clips::{cut, frames, play, video};
use pipe_video::{EncodeOptions, Matrix, Preset, Ratio, Writer, WriterOptions};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};

/// An array as its file tells it: the type in NumPy's words, the sides, the numbers.
#[derive(Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) kind: String,
    pub(crate) sides: Vec<u64>,
    pub(crate) bytes: Vec<u8>,
}

/// By the page of the format (huggingface/safetensors, "Format"): eight bytes of length, little-endian, a JSON object that begins
/// with `{` and may end in blanks, then the tensors, one behind another without a hole.
pub(crate) fn safetensors(file: &[u8]) -> Array {
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let (header, data) = file[8..].split_at(length);
    assert_eq!((header[0], (8 + length) % 8), (b'{', 0));
    let header: Json = serde_json::from_slice(header).unwrap();
    assert_eq!(header.as_object().unwrap().keys().filter(|key| *key != "__metadata__").collect::<Vec<_>>(), ["frames"]);
    let tensor = &header["frames"];
    assert_eq!(tensor["data_offsets"], json!([0, data.len()]));
    let kind = match tensor["dtype"].as_str().unwrap() {
        "U8" => "|u1",
        "F16" => "<f2",
        "F32" => "<f4",
        other => panic!("{other}"),
    };
    let sides = tensor["shape"].as_array().unwrap().iter().map(|side| side.as_u64().unwrap()).collect();
    Array { kind: kind.to_owned(), sides, bytes: data.to_vec() }
}

/// By NumPy's `numpy.lib.format`: `\x93NUMPY`, version 1.0, two bytes of length, little-endian, and a Python dictionary that ends
/// with a line's end so that the numbers begin at a multiple of 64.
fn npy(file: &[u8]) -> Array {
    assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    let (header, bytes) = file[10..].split_at(length);
    assert_eq!(((10 + length) % 64, header.last()), (0, Some(&b'\n')));
    let header = std::str::from_utf8(header).unwrap();
    let after = |key: &str| header.split_once(&format!("'{key}': ")).unwrap_or_else(|| panic!("{header}")).1;
    let kind = after("descr").split('\'').nth(1).unwrap();
    assert!(after("fortran_order").starts_with("False,"), "{header}");
    let sides = after("shape").trim_start_matches('(').split(')').next().unwrap();
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty()).map(|side| side.parse().unwrap());
    Array { kind: kind.to_owned(), sides: sides.collect(), bytes: bytes.to_vec() }
}

/// By POSIX.1-1988, "ustar": blocks of 512 bytes; numbers in octal; a sum over the header in which its own field counts as blanks;
/// two empty blocks at the end.
fn tar(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let octal = |field: &[u8]| {
        let digits = field.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_u64, |number, digit| number * 8 + u64::from(digit - b'0'))
    };
    let (mut files, mut rest) = (Vec::new(), file);
    while rest[0] != 0 {
        let (header, data) = rest.split_at(512);
        assert_eq!(&header[257..265], b"ustar\x0000");
        let sum =
            header.iter().enumerate().map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }));
        assert_eq!(octal(&header[148..156]), sum.sum::<u64>());
        // A plain file that anybody may read.
        assert_eq!((header[156], octal(&header[100..108])), (b'0', 0o644));
        let name = header[..100].iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
        let length = octal(&header[124..136]) as usize;
        files.push((name, data[..length].to_vec()));
        assert!(data[length..length.next_multiple_of(512)].iter().all(|byte| *byte == 0));
        rest = &data[length.next_multiple_of(512)..];
    }
    assert_eq!((rest.len(), rest.iter().all(|byte| *byte == 0)), (1024, true));
    files
}

/// The numbers of an array. IEEE 754: binary16 has 5 bits of exponent and 10 of fraction.
fn numbers(array: &Array) -> Vec<f64> {
    let half = |bits: u16| {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let size = if exponent == 0 {
            fraction / 1024.0 * 2_f64.powi(-14)
        } else {
            (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15)
        };
        if bits >> 15 == 0 { size } else { -size }
    };
    match array.kind.as_str() {
        "|u1" => array.bytes.iter().map(|byte| f64::from(*byte)).collect(),
        "<f2" => array.bytes.as_chunks().0.iter().map(|bytes| half(u16::from_le_bytes(*bytes))).collect(),
        "<f4" => array.bytes.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
        other => panic!("{other}"),
    }
}

/// The place in `[2, 3, 3, 18, 32]` of what lies at another in `[2, 3, 18, 32, 3]`.
fn in_planes(at: usize) -> usize {
    let (frame, pixel, channel) = (at / (3 * 18 * 32), at / 3 % (18 * 32), at % 3);
    (frame * 3 + channel) * 18 * 32 + pixel
}

#[test]
fn every_type_and_order_is_what_the_headers_of_every_format_say() {
    let bench = Bench::new();
    let clips = cut(&bench, &video(&bench), &[play("a", 1000, 2000), play("b.c", 3000, 4001)], 1);
    let file = |settings: &Json, name: &str| fs::read(bench.file(&frames(&bench, &clips, settings), name)).unwrap();
    let whole = |dtype: &str, layout: &str| {
        let settings = |format: &str| json!({ "dtype": dtype, "layout": layout, "format": format });
        let array = safetensors(&file(&settings("safetensors"), "frames-00000.safetensors"));
        assert_eq!(npy(&file(&settings("npy"), "frames-00000.npy")), array);
        let files = tar(&file(&settings("webdataset"), "frames-00000.tar"));
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["00000000.npy", "00000000.json", "00000001.npy", "00000001.json"]);
        for (row, of_clip) in array.bytes.chunks(array.bytes.len() / 2).enumerate() {
            let expected =
                Array { kind: array.kind.clone(), sides: array.sides[1..].to_vec(), bytes: of_clip.to_vec() };
            assert_eq!(npy(&files[2 * row].1), expected);
            let facts: Json = serde_json::from_slice(&files[2 * row + 1].1).unwrap();
            assert_eq!(
                (&facts["id"], facts["frames"].as_array().unwrap().len()),
                (&json!(["angle=FAR_LEFT,game=g1/a", "angle=FAR_LEFT,game=g1/b.c"][row]), 3)
            );
        }
        array
    };
    let bytes = whole("u8", "nhwc");
    assert_eq!((bytes.kind.as_str(), bytes.sides.as_slice()), ("|u1", [2, 3, 18, 32, 3].as_slice()));
    let bytes = numbers(&bytes);
    for (dtype, kind, least) in [("u8", "|u1", 0.0), ("f16", "<f2", 2_f64.powi(-11)), ("f32", "<f4", 2_f64.powi(-23))] {
        for (layout, sides) in [("nchw", [2, 3, 3, 18, 32]), ("nhwc", [2, 3, 18, 32, 3])] {
            let array = whole(dtype, layout);
            assert_eq!((array.kind.as_str(), array.sides.as_slice()), (kind, sides.as_slice()));
            let numbers = numbers(&array);
            for (at, byte) in bytes.iter().enumerate() {
                let number = numbers[if layout == "nchw" { in_planes(at) } else { at }];
                // Mean and std are 0.5 where nothing else is said.
                let expected = if dtype == "u8" { *byte } else { (byte / 255.0 - 0.5) / 0.5 };
                assert!((number - expected).abs() <= least, "{dtype}, {layout}, {at}: {number} for {expected}");
            }
        }
    }
}

/// White, red, green and blue in quarters: the full colour bars of ITU-R BT.709 in Y, Cb and Cr, and what they are on a screen.
pub(crate) const BARS: [([u8; 3], [u8; 3]); 4] = [
    ([235, 128, 128], [255, 255, 255]),
    ([63, 102, 240], [255, 0, 0]),
    ([173, 42, 26], [0, 255, 0]),
    ([32, 240, 118], [0, 0, 255]),
];

/// A second of them.
fn bars(path: &Path) {
    let options = WriterOptions {
        width: 128,
        height: 64,
        frame_rate: Ratio { num: 30, den: 1 },
        gop: 30,
        b_frames: 0,
        encode: EncodeOptions { crf: 4, preset: Preset::Ultrafast },
        audio_rate: None,
        matrix: Some(Matrix::Bt709),
        timecode: None,
    };
    let mut writer = Writer::create(path, options).unwrap();
    let plane = |plane: usize, width: usize, height: usize| -> Vec<u8> {
        let quarter = |at: usize| 2 * usize::from(at / width >= height / 2) + usize::from(at % width >= width / 2);
        (0..width * height).map(|at| BARS[quarter(at)].0[plane]).collect()
    };
    for _ in 0..30 {
        writer.push_yuv420(&plane(0, 128, 64), &plane(1, 64, 32), &plane(2, 64, 32)).unwrap();
    }
    writer.finish().unwrap();
}

/// A picture's width, height and pixels.
fn picture(path: PathBuf) -> (usize, usize, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(fs::read(path).unwrap())).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (info.width as usize, info.height as usize, bytes.as_chunks::<3>().0.to_vec())
}

#[test]
fn the_preview_of_a_film_of_known_colours_shows_them_whatever_the_numbers_are() {
    let bench = Bench::new();
    let film = bench.path("bars.mp4");
    bars(&film);
    let clips = cut(&bench, &film, &[play("a", 0, 500), play("b", 500, 1000)], 1);
    for dtype in ["u8", "f16", "f32"] {
        for (layout, format) in [("nchw", "safetensors"), ("nhwc", "npy"), ("nchw", "webdataset")] {
            let settings = json!({ "dtype": dtype, "layout": layout, "format": format });
            let made = frames(&bench, &clips, &settings);
            let (width, height, pixels) = picture(bench.file(&made, "preview.png"));
            // Three frames of 32 by 18 of either clip, with 4 pixels between and around.
            assert_eq!((width, height), (3 * 36 + 4, 2 * 22 + 4), "{settings}");
            for (row, column) in [(0, 0), (0, 2), (1, 1)] {
                for (quarter, (x, y)) in [(8, 4), (24, 4), (8, 13), (24, 13)].into_iter().enumerate() {
                    let seen = pixels[(4 + row * 22 + y) * width + 4 + column * 36 + x];
                    let apart = seen.iter().zip(BARS[quarter].1).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                    assert!(apart <= 6, "{settings}, quarter {quarter}: {seen:?}");
                }
            }
            assert_eq!((pixels[0], pixels[width * height - 1], pixels[6 * width + 38]), ([24; 3], [24; 3], [24; 3]));
        }
    }
}
