//! A source is read by ranges: its index, what clips need and little else, whatever breaks on the way.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ffmpeg_next::{format, media};
use pipe_video::{
    CutMode, CutOptions, CutPlan, CutReport, Cutter, Media, ReadAt, ReadFailure, Span, Stat, VideoError, VideoErrorKind,
};

use crate::corpus::input;
use crate::film::{Film, in_seconds, remuxed};
use crate::made::{Made, folder, made_in, numbers};

/// Bytes in memory that remember what was read of them.
#[derive(Default)]
struct Counted {
    bytes: Vec<u8>,
    reads: Mutex<Vec<Range<u64>>>,
    /// How many reads to come are broken, each after some bytes or none.
    broken: AtomicU32,
    /// Every read from here on is broken; 0: none is.
    gone_from: AtomicU64,
    changed: AtomicBool,
    /// Whether each read costs a way there and back, and how many were begun before they were asked for.
    is_far: bool,
    early: AtomicU32,
}

impl ReadAt for Counted {
    fn stat(&self) -> io::Result<Stat> {
        Ok(Stat { len: self.bytes.len() as u64, identity: "generation 1".into() })
    }

    fn read_at(&self, identity: &str, at: u64, into: &mut [u8]) -> Result<usize, ReadFailure> {
        assert_eq!(identity, "generation 1");
        if self.changed.load(Ordering::Relaxed) {
            return Err(ReadFailure::Changed);
        }
        let gone_from = self.gone_from.load(Ordering::Relaxed);
        if gone_from > 0 && at + into.len() as u64 > gone_from {
            return Err(ReadFailure::Broken(io::ErrorKind::ConnectionReset.into()));
        }
        let left = self.broken.load(Ordering::Relaxed);
        if left > 0 {
            self.broken.store(left - 1, Ordering::Relaxed);
            if left.is_multiple_of(2) {
                return Err(ReadFailure::Broken(io::ErrorKind::ConnectionReset.into()));
            }
        }
        let most = if left > 0 { into.len().min(1000) } else { into.len() };
        let from = &self.bytes[at as usize..];
        let count = most.min(from.len());
        into[..count].copy_from_slice(&from[..count]);
        self.reads.lock().unwrap().push(at..at + count as u64);
        let is_early = std::thread::current().name() == Some("ahead");
        self.early.fetch_add(u32::from(is_early), Ordering::Relaxed);
        Ok(count)
    }

    fn is_far(&self) -> bool {
        self.is_far
    }

    fn pause(&self, _: u32) {}
}

fn run(counted: &Arc<Counted>, spans: &[Span], folder: &Path) -> Vec<Result<CutReport, VideoError>> {
    run_as(CutMode::Smart, counted, spans, folder)
}

fn run_as(mode: CutMode, counted: &Arc<Counted>, spans: &[Span], folder: &Path) -> Vec<Result<CutReport, VideoError>> {
    run_on(2, mode, counted, spans, folder)
}

fn run_on(
    threads: usize,
    mode: CutMode,
    counted: &Arc<Counted>,
    spans: &[Span],
    folder: &Path,
) -> Vec<Result<CutReport, VideoError>> {
    let bytes: Arc<dyn ReadAt> = counted.clone();
    let options = CutOptions { mode, ..CutOptions::default() };
    let mut plan = CutPlan::new(Media::of(Path::new("far/away.mp4"), bytes), options);
    for (i, span) in spans.iter().enumerate() {
        plan.add(*span, &folder.join(format!("{i}.mp4")));
    }
    let outcomes = Mutex::new(vec![None; spans.len()]);
    plan.run(threads, &|clip, outcome| drop(outcomes.lock().unwrap()[clip].replace(outcome)));
    outcomes.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}

fn counted(source: &Path) -> Arc<Counted> {
    Arc::new(Counted { bytes: fs::read(source).unwrap(), ..Counted::default() })
}

/// Bytes of the groups of pictures, from key frame to key frame, that have pictures in a span; and of all else but
/// pictures, which is the index.
fn groups_and_index(source: &Path, spans: &[Span]) -> (u64, u64) {
    let mut input = format::input(source).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let (index, base) = (stream.index(), f64::from(stream.time_base()));
    let mut groups: Vec<(f64, u64)> = Vec::new();
    for (_, packet) in input.packets().filter(|(stream, _)| stream.index() == index) {
        if packet.is_key() {
            groups.push((packet.pts().unwrap() as f64 * base, 0));
        }
        groups.last_mut().unwrap().1 += packet.size() as u64;
    }
    let all: u64 = groups.iter().map(|(_, bytes)| bytes).sum();
    let ends = groups.iter().skip(1).map(|(start, _)| *start).chain([f64::INFINITY]);
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let needed = groups.iter().zip(ends).filter(|((start, _), end)| {
        spans.iter().any(|span| seconds(span.start_ms) < *end && seconds(span.end_ms) > *start)
    });
    (needed.map(|((_, bytes), _)| bytes).sum(), fs::metadata(source).unwrap().len() - all)
}

#[test]
fn little_more_is_read_than_the_groups_of_the_clips_and_the_index() {
    let folder = folder();
    let first = folder.path().join("index-at-the-end.mp4");
    Film { times: (0..480).collect(), scale: 3, movflags: "", ..Film::default() }.write(&first);
    let second = remuxed(&first, &folder.path().join("index-at-the-front.mp4"), "+faststart", 0);
    for source in [first, second] {
        let counted = counted(&source);
        let spans = [(3100, 5900), (3900, 5700), (11_500, 13_900)];
        let spans = spans.map(|(start_ms, end_ms)| Span { start_ms, end_ms });
        for outcome in run(&counted, &spans, folder.path()) {
            let report = outcome.unwrap();
            assert!(report.frames_copied > 0 || report.why.contains("no group"), "{report:?}");
        }
        let reads = counted.reads.lock().unwrap();
        let read: u64 = reads.iter().map(|range| range.end - range.start).sum();
        let (groups, index) = groups_and_index(&source, &spans);
        let whole = counted.bytes.len() as u64;
        assert!(groups * 3 < whole * 2, "the video is too small to tell: {groups} of {whole}");
        assert!(read * 10 <= groups * 11 + index * 10, "{read} bytes for groups of {groups} and an index of {index}");
        assert!(reads.len() < 24, "{} reads", reads.len());
    }
}

/// Clips that have no group in common where a key frame comes every two seconds. The last one ends where a group does.
const APART: [(u64, u64); 3] = [(3100, 3900), (6500, 7700), (9300, 12_000)];

/// What is read of a video for clips: how many bytes, and how many their groups and the index have.
fn read_and_needed(source: &Path, spans: [(u64, u64); 3], mode: CutMode, is_far: bool) -> (u64, u64, u64) {
    let folder = folder();
    let spans = spans.map(|(start_ms, end_ms)| Span { start_ms, end_ms });
    let (groups, index) = groups_and_index(source, &spans);
    let counted = Arc::new(Counted { bytes: fs::read(source).unwrap(), is_far, ..Counted::default() });
    run_as(mode, &counted, &spans, folder.path()).into_iter().for_each(|outcome| drop(outcome.unwrap()));
    let read = counted.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum();
    (read, groups, index)
}

#[test]
fn clips_of_every_mode_cost_little_more_than_their_groups_and_the_index() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film { times: (0..480).collect(), scale: 3, ..Film::default() }.write(&source);
    for (mode, is_far) in CutMode::ALL.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        let (read, groups, index) = read_and_needed(&source, APART, mode, is_far);
        let what = format!("{mode}, far: {is_far}: {read} bytes for groups of {groups} and an index of {index}");
        assert!(read * 10 <= groups * 11 + index * 10, "{what}");
        assert!(read > groups / 2, "{what}");
    }
}

/// Pictures before a key frame may be made of those behind it. The first group is closed, as nothing is before it.
#[test]
fn of_open_groups_little_more_is_read_either_and_they_are_begun_where_closed_ones_are() {
    let folder = folder();
    let [frames, fields] = ["frames.mp4", "fields.mp4"].map(|name| folder.path().join(name));
    let film = Film { times: (0..480).collect(), scale: 3, ..Film::default() };
    Film { x264: "open-gop=1:scenecut=0:bframes=3:b-adapt=0", ..film.clone() }.write(&frames);
    Film { x264: "open-gop=1:scenecut=0:bframes=3:b-adapt=0:tff=1", ..film }.write(&fields);
    // Where a clip ends with a group, its last pictures lie behind the next key frame.
    let spans = [(3100, 3900), (6500, 7700), (9300, 11_500)];
    let modes = CutMode::ALL.into_iter().flat_map(|mode| [(&frames, mode, false), (&frames, mode, true)]);
    for (source, mode, is_far) in modes.chain([(&fields, CutMode::Copy, false)]) {
        let (read, groups, index) = read_and_needed(source, spans, mode, is_far);
        let what = format!(
            "{}, {mode}, far: {is_far}: {read} bytes for groups of {groups} and an index of {index}",
            source.display()
        );
        assert!(read * 10 <= groups * 11 + index * 10, "{what}");
    }
}

#[test]
fn clips_of_every_mode_that_overlap_read_their_common_groups_once() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film { times: (0..480).collect(), scale: 3, ..Film::default() }.write(&source);
    // A key frame every two seconds. Others end or begin where a group does, or lie in one, of another's or of their own.
    let spans = [
        (3100, 5900),
        (3200, 3800),
        (3900, 5700),
        // With more at once than there may be encoders.
        (4100, 5900),
        (5200, 7000),
        (6300, 7700),
        (9300, 12_000),
        (10_000, 12_000),
        (12_300, 12_900),
        (13_100, 13_800),
    ];
    let spans = spans.map(|(start_ms, end_ms)| Span { start_ms, end_ms });
    let (groups, index) = groups_and_index(&source, &spans);
    for (mode, is_far) in CutMode::ALL.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        let counted = Arc::new(Counted { bytes: fs::read(&source).unwrap(), is_far, ..Counted::default() });
        run_as(mode, &counted, &spans, folder.path()).into_iter().for_each(|outcome| drop(outcome.unwrap()));
        let read: u64 = counted.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum();
        let what = format!("{mode}, far: {is_far}: {read} bytes for groups of {groups} and an index of {index}");
        assert!(read * 10 <= groups * 11 + index * 10, "{what}");
    }
}

/// One more may be under way than there are threads; the others begin when those have ended, and find the bytes kept.
#[test]
fn of_clips_that_overlap_more_than_may_be_under_way_no_group_is_read_twice() {
    let folder = folder();
    let [closed, open] = ["closed.mp4", "open.mp4"].map(|name| folder.path().join(name));
    let film = Film { times: (0..360).collect(), scale: 3, ..Film::default() };
    film.write(&closed);
    // Its clips are each decoded for themselves.
    Film { x264: "open-gop=1:scenecut=0:bframes=3:b-adapt=0", ..film }.write(&open);
    let spans: Vec<Span> =
        (0..12).map(|i| Span { start_ms: 3100 + 400 * (i % 6), end_ms: 4700 + 800 * (i % 7) }).collect();
    for (source, threads, is_far) in [(&closed, 1, false), (&closed, 2, true), (&closed, 4, false), (&open, 2, true)] {
        let (groups, index) = groups_and_index(source, &spans);
        let counted = Arc::new(Counted { bytes: fs::read(source).unwrap(), is_far, ..Counted::default() });
        let outcomes = run_on(threads, CutMode::Encode, &counted, &spans, folder.path());
        outcomes.into_iter().for_each(|outcome| drop(outcome.unwrap()));
        let read: u64 = counted.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum();
        let what = format!(
            "{}, {threads} threads: {read} bytes for groups of {groups} and an index of {index}",
            source.display()
        );
        assert!(read * 10 <= groups * 11 + index * 10, "{what}");
    }
}

/// The index tells when the key frame behind it is decoded, which is before the clip's end, and not when it is shown, which is at it.
#[test]
fn a_clip_that_ends_where_its_only_group_does_is_read_once() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film { times: (0..480).collect(), scale: 3, ..Film::default() }.write(&source);
    let span = [Span { start_ms: 4500, end_ms: 6000 }];
    let counted = counted(&source);
    let report = run(&counted, &span, folder.path()).remove(0).unwrap();
    assert_eq!((report.frames, report.why.as_str()), (45, "no group of pictures begins inside the clip"));
    let read: u64 = counted.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum();
    // The key frame behind the clip is read as well, to see that it ends it.
    let (group, index) = groups_and_index(&source, &span);
    assert!(read * 4 <= group * 5 + index * 4, "{read} bytes for a group of {group} and an index of {index}");
}

/// Cameras write a second of pictures, then a second of sound.
#[test]
fn where_sound_lies_a_second_behind_its_pictures_little_more_is_read_either() {
    let folder = folder();
    let [pictures, sound, source] = ["pictures.mp4", "sound.mp4", "camera.mp4"].map(|name| folder.path().join(name));
    Film { times: (0..480).collect(), scale: 3, ..Film::default() }.write(&pictures);
    Made { frames: 480, ..Made::default() }.write(&sound).unwrap();
    in_seconds(&pictures, &sound, &source);
    for (mode, is_far) in CutMode::ALL.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        let (read, groups, rest) = read_and_needed(&source, APART, mode, is_far);
        let what = format!("{mode}, far: {is_far}: {read} bytes for groups of {groups} and {rest} of sound and index");
        assert!(rest * 10 < groups, "{what}");
        assert!(read * 10 <= groups * 11 + rest * 10, "{what}");
    }
}

#[test]
fn of_what_is_far_the_next_piece_is_read_before_it_is_asked_for_and_nothing_else_is() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film { times: (0..480).collect(), scale: 3, ..Film::default() }.write(&source);
    let spans = [(2100, 3900), (6500, 7700), (11_500, 13_900)].map(|(start_ms, end_ms)| Span { start_ms, end_ms });
    let cut = |is_far| {
        let counted = Arc::new(Counted { bytes: fs::read(&source).unwrap(), is_far, ..Counted::default() });
        run(&counted, &spans, folder.path()).into_iter().for_each(|outcome| drop(outcome.unwrap()));
        let clips = [0, 1, 2].map(|clip| fs::read(folder.path().join(format!("{clip}.mp4"))).unwrap());
        let reads = counted.reads.lock().unwrap();
        (clips, counted.early.load(Ordering::Relaxed), reads.iter().map(|range| range.end - range.start).sum::<u64>())
    };
    let (near, early, _) = cut(false);
    assert_eq!(early, 0, "a disk has been read ahead by the kernel");
    let (far, early, read) = cut(true);
    assert!(far == near, "other bytes");
    assert!(early > 0);
    let (groups, index) = groups_and_index(&source, &spans);
    assert!(read * 10 <= groups * 11 + index * 10, "{read} bytes for groups of {groups} and an index of {index}");
}

#[test]
fn nothing_is_read_where_there_is_nothing_to_cut() {
    let folder = folder();
    let counted = counted(&small(&folder).0);
    assert!(run(&counted, &[], folder.path()).is_empty());
    assert_eq!(*counted.reads.lock().unwrap(), []);
}

fn small(folder: &tempfile::TempDir) -> (PathBuf, Made) {
    let made = Made { frames: 300, ..Made::default() };
    (made_in(folder, "source.mp4", &made), made)
}

const SPAN: Span = Span { start_ms: 1500, end_ms: 6500 };

#[test]
fn a_read_that_breaks_goes_on_where_it_broke() {
    let folder = folder();
    let counted = counted(&small(&folder).0);
    counted.broken.store(4, Ordering::Relaxed);
    let report = run(&counted, &[SPAN], folder.path()).remove(0).unwrap();
    assert_eq!((report.frames, report.why.as_str()), (150, ""));
    assert_eq!(numbers(&folder.path().join("0.mp4")), (45..195).collect::<Vec<_>>());
    assert_eq!(counted.broken.load(Ordering::Relaxed), 0);
}

#[test]
fn a_source_that_stays_away_is_an_error_and_no_shorter_clip() {
    let folder = folder();
    let counted = counted(&small(&folder).0);
    counted.broken.store(1_000_000, Ordering::Relaxed);
    for error in run(&counted, &[SPAN; 3], folder.path()).into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind, VideoErrorKind::Unreachable, "{error}");
    }
    assert!((0..3).all(|clip| !folder.path().join(format!("{clip}.mp4")).exists()));
    // It is found out once, and not for each clip anew: every second of the tries breaks at once, the others after some bytes.
    let tries = 1_000_000 - counted.broken.load(Ordering::Relaxed);
    assert!(tries <= 20, "{tries} tries");
}

/// A transport stream that is longer than what FFmpeg looks at to know it for one, and spans of it.
fn stream(folder: &tempfile::TempDir) -> (PathBuf, Vec<Span>) {
    let hard = input::all().into_iter().find(|hard| hard.name == "plain.ts").unwrap();
    let path = folder.path().join("long.ts");
    fs::write(&path, fs::read(hard.path).unwrap().repeat(40)).unwrap();
    (path, hard.spans)
}

#[test]
fn a_stream_without_an_index_is_read_whole_and_its_clips_are_those_of_the_file() {
    let folder = folder();
    let (source, spans) = stream(&folder);
    let counted = counted(&source);
    counted.broken.store(4, Ordering::Relaxed);
    let reports = run(&counted, &spans, folder.path());
    let mut here = Cutter::open(&source, CutOptions::default()).unwrap();
    for (clip, (report, span)) in reports.into_iter().zip(&spans).enumerate() {
        assert_eq!(report.unwrap().ranges, []);
        let near = folder.path().join("near.mp4");
        here.cut(*span, &near).unwrap();
        assert!(fs::read(folder.path().join(format!("{clip}.mp4"))).unwrap() == fs::read(near).unwrap(), "{clip}");
    }
    let mut reads = counted.reads.lock().unwrap().clone();
    reads.sort_by_key(|range| range.start);
    let read_to = reads.iter().fold(0, |to, range| if range.start <= to { range.end.max(to) } else { to });
    assert_eq!(read_to, counted.bytes.len() as u64);
}

/// FFmpeg takes a failed read for the end of the file, and a shorter stream is a stream too.
#[test]
fn a_stream_that_breaks_off_on_the_way_is_no_shorter_stream() {
    let folder = folder();
    let (source, spans) = stream(&folder);
    let counted = counted(&source);
    counted.gone_from.store(counted.bytes.len() as u64 / 3 * 2, Ordering::Relaxed);
    for error in run(&counted, &spans, folder.path()).into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind, VideoErrorKind::Unreachable, "{error}");
    }
    assert!((0..spans.len()).all(|clip| !folder.path().join(format!("{clip}.mp4")).exists()));
}

#[test]
fn a_source_that_changes_while_it_is_read_is_an_error() {
    let folder = folder();
    let counted = counted(&small(&folder).0);
    counted.changed.store(true, Ordering::Relaxed);
    let error = run(&counted, &[SPAN], folder.path()).remove(0).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::Changed, "{error}");
    assert!(error.message.contains("changed") && error.path == Path::new("far/away.mp4"), "{error}");
}

#[test]
fn a_file_that_is_written_to_between_two_looks_is_another_one() {
    let folder = folder();
    let (source, _) = small(&folder);
    let mut cutter = Cutter::open(&source, CutOptions::default()).unwrap();
    let clip = folder.path().join("clip.mp4");
    cutter.cut(SPAN, &clip).unwrap();
    let mut longer = fs::OpenOptions::new().append(true).open(&source).unwrap();
    io::Write::write_all(&mut longer, &[0; 8]).unwrap();
    let error = cutter.cut(SPAN, &clip).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::Changed, "{error}");
}
