//! What is no whole video is refused with a reason, and leaves no file behind.

use std::fs;
use std::path::Path;

use pipe_video::{Cutter, EncodeOptions, FrameSpec, Sampling, Span, VideoErrorKind, probe, sample};

use crate::made::{Made, folder, made_in};

fn kind_of(path: &Path) -> VideoErrorKind {
    let error = probe(path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(!error.help.is_empty());
    error.kind
}

#[test]
fn an_empty_file_is_no_video() {
    let folder = folder();
    let path = folder.path().join("empty.mp4");
    fs::write(&path, b"").unwrap();
    assert_eq!(kind_of(&path), VideoErrorKind::NotAVideo);
}

#[test]
fn a_text_file_is_no_video_whatever_its_name() {
    let folder = folder();
    for name in ["notes.mp4", "notes.txt", "list.m3u8"] {
        let path = folder.path().join(name);
        fs::write(&path, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n/etc/hostname\n".repeat(40)).unwrap();
        assert_eq!(kind_of(&path), VideoErrorKind::NotAVideo, "{name}");
    }
}

#[test]
fn a_video_that_lost_its_index_is_no_video() {
    let folder = folder();
    let source = made_in(&folder, "whole.mp4", &Made::default());
    let bytes = fs::read(&source).unwrap();
    // The index is at the front; 200 bytes hold its beginning only.
    let path = folder.path().join("cut.mp4");
    fs::write(&path, &bytes[..200]).unwrap();
    assert_eq!(kind_of(&path), VideoErrorKind::NotAVideo);
}

#[test]
fn a_missing_file_is_an_io_error() {
    assert_eq!(kind_of(Path::new("/nowhere/at/all.mp4")), VideoErrorKind::Io);
}

#[test]
fn sound_alone_has_no_video_stream() {
    // Ogg is the one container here whose smallest file is easily made by hand.
    let folder = folder();
    let path = folder.path().join("sound.ogg");
    fs::write(&path, opus_in_ogg()).unwrap();
    assert_eq!(kind_of(&path), VideoErrorKind::NoVideoStream);
}

/// Two Ogg pages: an Opus header and its comment, both with right checksums.
pub(crate) fn opus_in_ogg() -> Vec<u8> {
    let head = [b"OpusHead".as_slice(), &[1, 1, 0, 0], &48_000u32.to_le_bytes(), &[0, 0, 0]].concat();
    let tags = [b"OpusTags".as_slice(), &0u32.to_le_bytes(), &0u32.to_le_bytes()].concat();
    let silence = [0xf8, 0xff, 0xfe].as_slice();
    [page(2, 0, 0, &head), page(0, 0, 1, &tags), page(4, 960, 2, silence)].concat()
}

fn page(flags: u8, granule: u64, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut page = [b"OggS".as_slice(), &[0, flags], &granule.to_le_bytes(), &7u32.to_le_bytes()].concat();
    page.extend(sequence.to_le_bytes());
    page.extend([0, 0, 0, 0, 1, body.len() as u8]);
    page.extend(body);
    let sum = page.iter().fold(0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |s, _| if s >> 31 == 1 { s << 1 ^ 0x04c1_1db7 } else { s << 1 })
    });
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

/// A video of five seconds with its index whole and its pictures, from a tenth to a tenth, damaged.
fn damaged(folder: &tempfile::TempDir, damage: impl Fn(&mut Vec<u8>, [usize; 2])) -> std::path::PathBuf {
    let source = made_in(folder, "whole.mp4", &Made { audio_rate: None, ..Made::default() });
    let mut bytes = fs::read(source).unwrap();
    let pictures = bytes.windows(4).position(|w| w == b"mdat").unwrap() + 4;
    let at = |tenths: usize| pictures + (bytes.len() - pictures) * tenths / 10;
    let part = [at(5), at(6)];
    damage(&mut bytes, part);
    let path = folder.path().join("damaged.mp4");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_video_whose_bytes_stop_gives_the_plays_before_that_and_refuses_the_ones_after() {
    let folder = folder();
    let path = damaged(&folder, |bytes, [_, to]| bytes.truncate(to));
    let clip = folder.path().join("clip.mp4");
    let mut cutter = Cutter::open(&path, EncodeOptions::default()).unwrap();
    assert_eq!(cutter.cut(Span { start_ms: 0, end_ms: 1000 }, &clip).unwrap().frames, 30);
    fs::remove_file(&clip).unwrap();
    for (start_ms, end_ms) in [(4000, 4900), (1000, 4900)] {
        let error = cutter.cut(Span { start_ms, end_ms }, &clip).unwrap_err();
        assert_eq!(error.kind, VideoErrorKind::Corrupt, "{start_ms}..{end_ms}: {error}");
        assert!(!clip.exists(), "half a clip was left behind");
    }
}

#[test]
fn a_video_with_noise_in_the_middle_refuses_the_plays_there_and_gives_the_others() {
    let folder = folder();
    let path = damaged(&folder, |bytes, [from, to]| {
        bytes[from..to].iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 167 + 13) as u8);
    });
    let clip = folder.path().join("clip.mp4");
    let mut cutter = Cutter::open(&path, EncodeOptions::default()).unwrap();
    let error = cutter.cut(Span { start_ms: 100, end_ms: 4900 }, &clip).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::Corrupt, "{error}");
    assert!(!clip.exists(), "half a clip was left behind");
    assert_eq!(cutter.cut(Span { start_ms: 0, end_ms: 500 }, &clip).unwrap().frames, 15);
    assert_eq!(cutter.cut(Span { start_ms: 4000, end_ms: 4900 }, &clip).unwrap().frames, 27);
    let error = sample(&path, Sampling::Uniform { n: 4 }, &FrameSpec::plain(8, 8)).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::Corrupt, "{error}");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made { frames: 10, audio_rate: None, ..Made::default() });
    let options = EncodeOptions { crf: 52, ..EncodeOptions::default() };
    let clip = folder.path().join("clip.mp4");
    let error = Cutter::open(&source, options).unwrap().cut(Span { start_ms: 0, end_ms: 100 }, &clip).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::BadOption, "{error}");
    let spec = FrameSpec { std: [1.0, 0.0, 1.0], ..FrameSpec::plain(8, 8) };
    for (sampling, spec) in [
        (Sampling::Uniform { n: 0 }, FrameSpec::plain(8, 8)),
        (Sampling::Every { n: 1 }, FrameSpec::plain(0, 8)),
        (Sampling::Every { n: 1 }, spec),
    ] {
        assert_eq!(sample(&source, sampling, &spec).unwrap_err().kind, VideoErrorKind::BadOption);
    }
}
