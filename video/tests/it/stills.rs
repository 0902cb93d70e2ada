//! A clip has a small picture, and many make a sheet.

use std::path::PathBuf;

use pipe_video::{Matrix, Still, Tile, VideoErrorKind, Writer, WriterOptions, gallery, jpeg, still};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

use crate::corpus::input;
use crate::made::{Made, folder, made_in, options, read_number};

/// What a JPEG file holds, as a reader that is not the writer tells: width, height, pixels.
fn decoded(bytes: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut decoder = JpegDecoder::new(ZCursor::new(bytes));
    let pixels = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    (width, height, pixels)
}

fn hard(name: &str) -> PathBuf {
    input::all().into_iter().find(|hard| hard.name == name).unwrap().path
}

#[test]
fn a_still_is_the_key_frame_before_the_middle() {
    let folder = folder();
    // Key frames are 0, 60 and 120; the middle is 75.
    let clip = made_in(&folder, "clip.mp4", &Made { frames: 150, gop: 60, ..Made::default() });
    assert_eq!(read_number(&still(&clip, 64).unwrap().rgb), 60);
    let short = made_in(&folder, "short.mp4", &Made { frames: 100, gop: 60, ..Made::default() });
    assert_eq!(read_number(&still(&short, 64).unwrap().rgb), 0);
}

#[test]
fn a_still_has_the_shape_that_players_show() {
    // 320x180, turned by a quarter: 180x320, which is 50.6 wide when it is 90 high. With pixels of 4:3: 427x180.
    for (name, width) in [("plain.mp4", 160), ("rotated.mp4", 51), ("wide-pixels.mp4", 213)] {
        let still = still(&hard(name), 90).unwrap();
        assert_eq!((still.width, still.height, still.rgb.len()), (width, 90, width as usize * 90 * 3), "{name}");
    }
}

#[test]
fn a_quarter_turn_moves_the_picture_and_not_only_its_shape() {
    let (upright, turned) = (still(&hard("plain.mp4"), 180).unwrap(), still(&hard("rotated.mp4"), 320).unwrap());
    assert_eq!((upright.width, turned.width), (320, 180));
    let at = |still: &Still, x: usize, y: usize| still.rgb[(y * still.width as usize + x) * 3];
    // FFmpeg's `-display_rotation 90` turns counter-clockwise: what is at the right ends at the top.
    let differs = (0..320).flat_map(|x| (0..180).map(move |y| (x, y)));
    let differs = differs.filter(|&(x, y)| at(&upright, x, y).abs_diff(at(&turned, y, 319 - x)) > 2).count();
    assert_eq!(differs, 0);
}

#[test]
fn a_thumbnail_has_the_colours_of_the_video() {
    let folder = folder();
    // Pure red and pure blue by the two standards' own matrices, in limited range.
    let cases = [
        (Matrix::Bt709, [63, 102, 240], [255, 0, 0]),
        (Matrix::Bt601, [81, 90, 240], [255, 0, 0]),
        (Matrix::Bt709, [32, 240, 118], [0, 0, 255]),
    ];
    for (matrix, [y, u, v], rgb) in cases {
        let path = folder.path().join("colour.mp4");
        let options = WriterOptions { matrix: Some(matrix), audio_rate: None, ..options(&Made::default()) };
        let mut writer = Writer::create(&path, options).unwrap();
        for _ in 0..3 {
            writer.push_yuv420(&[y; 64 * 64], &[u; 32 * 32], &[v; 32 * 32]).unwrap();
        }
        writer.finish().unwrap();
        let (width, height, pixels) = decoded(&jpeg(&still(&path, 32).unwrap()).unwrap());
        assert_eq!((width, height), (32, 32));
        let off =
            pixels.chunks_exact(3).flatten().zip(rgb.iter().cycle()).map(|(a, b): (&u8, &u8)| a.abs_diff(*b)).max();
        assert!(off.unwrap() <= 4, "{matrix:?}: {:?} instead of {rgb:?}", &pixels[..3]);
    }
}

#[test]
fn a_gallery_shows_every_picture_in_its_place_with_words_below() {
    let plain = |colour: [u8; 3]| Still { width: 320, height: 180, rgb: colour.repeat(320 * 180) };
    let tile = |jpeg, caption: &str| Tile { jpeg, caption: caption.to_owned(), detail: "FAR_LEFT 0:12.5".to_owned() };
    let tiles = [
        tile(Some(jpeg(&plain([200, 40, 40])).unwrap()), "g1-1"),
        tile(None, "g1-2"),
        tile(Some(jpeg(&plain([40, 200, 40])).unwrap()), "g1-3"),
    ];
    let (width, height, pixels) = decoded(&gallery("three clips", &tiles, 2, 180).unwrap());
    // Two places of 320 with 12 between and around; a title of 16, and two rows of 180, 4 and two lines of 16.
    assert_eq!((width, height), (2 * 332 + 12, 2 * 12 + 16 + 2 * (180 + 4 + 32 + 12)));
    let at = |x: usize, y: usize| [0, 1, 2].map(|i| pixels[(y * width + x) * 3 + i]);
    let is = |found: [u8; 3], wanted: [u8; 3]| found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 8);
    assert!(is(at(12 + 160, 40 + 90), [200, 40, 40]), "{:?}", at(172, 130));
    assert!(is(at(12 + 160, 40 + 228 + 90), [40, 200, 40]), "{:?}", at(172, 358));
    assert!(is(at(344 + 160, 40 + 90), [52, 30, 32]), "the place of a picture that there is not");
    let bright = |top: usize| (top..top + 10).any(|y| (12..332).any(|x| at(x, y)[1] > 150));
    assert!(bright(40 + 187) && bright(40 + 203) && bright(15), "the words");
    assert!(!bright(40 + 217), "nothing is written between the rows");
}

#[test]
fn a_gallery_that_no_jpeg_can_hold_is_refused() {
    let tile = Tile { jpeg: None, caption: String::new(), detail: String::new() };
    let refused = gallery("", &vec![tile; 400], 1, 180).unwrap_err();
    assert_eq!(refused.kind, VideoErrorKind::BadOption);
}
