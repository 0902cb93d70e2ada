//! Files that claim what nobody has are refused in little time and little memory.

use std::fs;
use std::path::{Path, PathBuf};

use pipe_video::{CutOptions, Cutter, FrameSpec, Sampling, Span, VideoError, VideoErrorKind, sample};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bomb::{Bits, bomb};
use crate::made::{Made, folder, made_in};

/// The most memory this process has had so far, in MiB, as the kernel counts it.
pub(crate) fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn cut(path: &Path) -> Result<(), VideoError> {
    cut_until(path, 1000)
}

fn cut_until(path: &Path, end_ms: u64) -> Result<(), VideoError> {
    let clip = path.with_file_name("clip.mp4");
    let outcome = Cutter::open(path, CutOptions::default())
        .and_then(|mut cutter| cutter.cut(Span { start_ms: 0, end_ms }, &clip));
    assert_eq!(clip.exists(), outcome.is_ok(), "{outcome:?}");
    outcome.map(drop)
}

/// A video whose index was changed: `change` gets the bytes from the content of the first box of a name on.
fn changed(folder: &tempfile::TempDir, changes: &[(&[u8; 4], usize, u32)]) -> PathBuf {
    let source = made_in(folder, "whole.mp4", &Made { frames: 60, audio_rate: None, ..Made::default() });
    let mut bytes = fs::read(source).unwrap();
    for (name, offset, value) in changes {
        let index = bytes.windows(4).position(|w| w == b"moov").unwrap();
        let at = index + bytes[index..].windows(4).position(|w| w == *name).unwrap() + 4 + offset;
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    let path = folder.path().join("changed.mp4");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn an_index_that_lists_more_samples_than_the_file_has_bytes_is_refused() {
    let folder = folder();
    for count in [10_000_000_u32, 120_000_000, u32::MAX] {
        // ISO/IEC 14496-12: how many samples there are and that each has a byte, that all last as long, that all are in one chunk.
        let path = changed(
            &folder,
            &[(b"stsz", 4, 1), (b"stsz", 8, count), (b"stts", 4, 1), (b"stts", 8, count), (b"stsc", 12, count)],
        );
        let error = cut(&path).unwrap_err();
        assert_eq!(error.kind, VideoErrorKind::NotAVideo, "{count}: {error}");
    }
    // Two tables of the index are made before it is seen, each below what FFmpeg gets at once.
    assert!(most_memory() < 1024, "{} MiB", most_memory());
}

#[test]
fn a_header_that_claims_60000_by_60000_pixels_costs_nothing() {
    let folder = folder();
    // The width and the height of a sample description stand behind 24 bytes of it.
    let path = changed(&folder, &[(b"avc1", 24, 60_000 << 16 | 60_000)]);
    match cut(&path) {
        // What the pictures say of themselves is what counts, and these are small.
        Ok(()) => {}
        Err(error) => assert_eq!(error.kind, VideoErrorKind::Unsupported, "{error}"),
    }
    assert!(most_memory() < 300, "{} MiB", most_memory());
}

#[test]
fn pictures_that_claim_60000_by_60000_pixels_are_not_decoded() {
    let folder = folder();
    let path = folder.path().join("huge.h264");
    // H.264, 7.3.2.1.1: baseline, level 6.2, 3750 by 3750 macroblocks of 16 pixels, and nothing else of note.
    let sps = Bits::default().fixed(&[66, 0, 62]).codes(&[0, 0, 2, 1]).bit(0).codes(&[3749, 3749]).bits(&[1, 1, 0, 0]);
    // 7.3.2.2: a parameter set that says nothing. 7.3.3: a slice that says it is a whole key frame.
    let pps = Bits::default()
        .codes(&[0, 0])
        .bits(&[0, 0])
        .codes(&[0, 0, 0])
        .bits(&[0, 0, 0])
        .codes(&[0, 0, 0])
        .bits(&[0, 0, 0]);
    let slice = Bits::default().codes(&[0, 7, 0]).bits(&[0; 4]).codes(&[0, 0]).fixed(&[0x55; 200]);
    let units = [(0x67, sps), (0x68, pps), (0x65, slice)];
    let picture: Vec<u8> =
        units.into_iter().flat_map(|(head, bits)| [vec![0, 0, 0, 1, head], bits.bytes()].concat()).collect();
    fs::write(&path, picture.repeat(50)).unwrap();
    let error = cut(&path).unwrap_err();
    let kinds =
        [VideoErrorKind::NotAVideo, VideoErrorKind::Corrupt, VideoErrorKind::Unsupported, VideoErrorKind::OutOfRange];
    assert!(kinds.contains(&error.kind), "{error}");
    assert!(most_memory() < 300, "{} MiB", most_memory());
}

#[test]
fn pictures_of_the_largest_size_of_which_many_are_kept_end_where_memory_does() {
    let folder = folder();
    let path = folder.path().join("bomb.h264");
    bomb(&path);
    let whole = made_in(&folder, "whole.mp4", &Made { frames: 60, audio_rate: None, ..Made::default() });
    // Without a limit it takes 4.8 GB. A worker has a gibibyte at the least.
    let maximum = getrlimit(Resource::Data).maximum;
    setrlimit(Resource::Data, Rlimit { current: Some(1 << 30), maximum }).unwrap();
    // Ten pictures at 25 a second. The first clip is more than the encoder gets memory for, and the frame more than the decoder.
    let error = cut_until(&path, 400).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::OutOfMemory, "{error}");
    let error = sample(&path, Sampling::Uniform { n: 1 }, &FrameSpec::plain(32, 32)).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::OutOfMemory, "{error}");
    assert!(most_memory() < 1100, "{} MiB", most_memory());
    // Nothing of it is left.
    cut(&whole).unwrap();
}
