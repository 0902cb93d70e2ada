//! How many pictures are decoded for clips: those that their frames are made of, and once for all clips that need them.

use std::path::Path;
use std::sync::Mutex;

use ffmpeg_next::{Packet, format, media};
use pipe_video::{CutMode, CutOptions, CutPlan, Media, Ratio, Span};

use crate::film::{Film, frames, psnr, with_sound};
use crate::made::folder;

/// How many pictures are decoded for clips that are cut in one go.
fn decoded(source: &Path, mode: CutMode, spans: &[(u64, u64)], folder: &Path) -> u64 {
    decoded_on(2, source, &CutOptions { mode, ..CutOptions::default() }, spans, folder)
}

/// As `decoded`, on so many threads.
fn decoded_on(threads: usize, source: &Path, options: &CutOptions, spans: &[(u64, u64)], folder: &Path) -> u64 {
    let media = Media::file(source);
    let mut plan = CutPlan::new(media.clone(), options.clone());
    for (number, &(start_ms, end_ms)) in spans.iter().enumerate() {
        plan.add(Span { start_ms, end_ms }, &folder.join(format!("{number}.mp4")));
    }
    plan.run(threads, &|clip, outcome| {
        let report = outcome.unwrap();
        // A key frame every two seconds: where none lies inside a clip there is nothing to copy.
        let (start_ms, end_ms) = spans[clip];
        let holds_key = start_ms.div_ceil(2000) * 2000 < end_ms;
        let expected = match options.mode {
            CutMode::Smart if !holds_key => (CutMode::Encode, "no group of pictures begins inside the clip"),
            mode => (mode, ""),
        };
        assert_eq!((report.mode, report.why.as_str()), expected, "{clip}");
    });
    media.pictures_decoded()
}

#[test]
fn clips_that_overlap_share_what_is_decoded() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    // A key frame every two seconds: all begin in the second group and end in the third, of which there are 60 pictures each.
    let spans = [(2100, 5900), (2300, 5700), (2500, 5500)];
    // As many encoders may be open as there are threads.
    for mode in [CutMode::Smart, CutMode::Encode] {
        let options = CutOptions { mode, ..CutOptions::default() };
        let alone: Vec<u64> = spans.iter().map(|span| decoded(&source, mode, &[*span], folder.path())).collect();
        let together = decoded_on(3, &source, &options, &spans, folder.path());
        assert!(together <= 120, "{mode}: {together}");
        assert!(alone.iter().sum::<u64>() > 2 * together, "{mode}: {alone:?} alone, {together} together");
    }
    assert_eq!(decoded(&source, CutMode::Copy, &spans, folder.path()), 0);
}

#[test]
fn a_group_is_decoded_once_for_clips_that_are_encoded_whole_and_have_no_picture_in_common() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    // A key frame every two seconds. The second begins where the first has ended, in the same group; the fourth has no other's.
    let spans = [(2500, 2900), (3000, 3500), (3600, 4500), (6100, 6500)];
    for threads in [1, 2, 3] {
        let options = CutOptions { mode: CutMode::Encode, ..CutOptions::default() };
        let together = decoded_on(threads, &source, &options, &spans, folder.path());
        // Two groups and a quarter have 135 pictures, of which a second clip of its own would take some thirty once more.
        assert!((70..=95).contains(&together), "{threads}: {together}");
    }
}

/// A key frame every two seconds: all but the first have nothing to copy, and lie in its two groups, of which there are 60 pictures each.
#[test]
fn clips_with_nothing_to_copy_are_made_of_groups_that_are_read_for_others() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    let spans = [(2100, 5900), (2500, 3900), (4100, 5000), (4500, 5800)];
    let of = |spans: &[(u64, u64)]| decoded(&source, CutMode::Smart, spans, folder.path());
    let (first, others, together) = (of(&spans[..1]), of(&spans[1..]), of(&spans));
    assert!(together <= 120, "{together}");
    assert!((first + others) * 3 > together * 4, "{first} for the first, {others} for the others, {together} together");
}

/// Where more clips overlap than encoders may be open, as many as may be share what is decoded.
#[test]
fn of_many_clips_that_overlap_some_at_a_time_share_what_is_decoded() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    let spans: Vec<(u64, u64)> = (0..12).map(|n| (2010 + n * 40, 3500 + n * 40)).collect();
    let alone: u64 = spans.iter().map(|span| decoded(&source, CutMode::Encode, &[*span], folder.path())).sum();
    for (threads, at_once) in [(1, 2), (2, 2), (4, 4)] {
        let options = CutOptions { mode: CutMode::Encode, ..CutOptions::default() };
        let together = decoded_on(threads, &source, &options, &spans, folder.path());
        assert!(together * at_once < alone * 5 / 4, "{threads} threads: {alone} alone, {together} together");
    }
}

/// Whether a packet of an MP4 holds slices that no other picture is made of: kind 1, and the two bits before it 0.
fn is_unreferenced(packet: &Packet) -> bool {
    let mut rest = packet.data().unwrap();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if matches!(after[0] & 0x1f, 1..=5) {
            return after[0] == 1;
        }
        rest = &after[length..];
    }
    false
}

/// The pictures that a clip is made of: its own, and those from the key frame before it on that others are made of.
fn needed(source: &Path, (start_ms, end_ms): (u64, u64)) -> (usize, usize) {
    let mut input = format::input(source).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let (index, base) = (stream.index(), f64::from(stream.time_base()));
    let ms = |ticks: Option<i64>| (ticks.unwrap() as f64 * base * 1000.0).round() as i64;
    let (start, end) = (start_ms as i64, end_ms as i64);
    let packets: Vec<Packet> = input.packets().filter(|(s, _)| s.index() == index).map(|(_, p)| p).collect();
    let key = packets.iter().rposition(|packet| packet.is_key() && ms(packet.pts()) <= start).unwrap();
    let read: Vec<&Packet> = packets[key..].iter().filter(|packet| ms(packet.dts()) < end).collect();
    let left_out = read.iter().filter(|packet| ms(packet.pts()) < start && is_unreferenced(packet)).count();
    (read.len() - left_out, left_out)
}

#[test]
fn pictures_before_a_clip_that_no_other_is_made_of_are_not_decoded() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    let all = frames(&source);
    for span in [(3100, 3900), (3933, 4100), (2000, 2500), (5966, 6300)] {
        let (needed, left_out) = needed(&source, span);
        let decoded = decoded(&source, CutMode::Encode, &[span], folder.path()) as usize;
        // Those behind the clip's last frame, three at most, stay in the decoder.
        assert!((needed - 3..=needed).contains(&decoded), "{span:?}: {decoded} of {needed}, {left_out} left out");
        // Two of four pictures are such, and the key frame is no nearer than a second in the first.
        assert!(span.0 != 3100 || left_out >= 15, "{left_out}");
        let made = frames(&folder.path().join("0.mp4"));
        let is_inside = |n: &usize| (span.0..span.1).contains(&(*n as u64 * 1000).div_ceil(30));
        let wanted: Vec<usize> = (0..all.len()).filter(is_inside).collect();
        assert_eq!(made.len(), wanted.len(), "{span:?}");
        for (frame, number) in made.iter().zip(wanted) {
            // Other frames have another grain, and are below 29.
            let likeness = psnr(&frame.planes, &all[number].planes);
            assert!(likeness > 31.0, "{span:?}: {number}: {likeness} dB");
        }
    }
}

#[test]
fn a_clip_is_the_same_to_the_bit_whether_others_have_its_pictures_decoded_or_not() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    let bytes = |number: usize| std::fs::read(folder.path().join(format!("{number}.mp4"))).unwrap();
    decoded(&source, CutMode::Smart, &[(3300, 5100)], folder.path());
    let alone = bytes(0);
    // The first wants every picture that the second leaves out.
    decoded(&source, CutMode::Smart, &[(2033, 5900), (3300, 5100)], folder.path());
    assert!(bytes(1) == alone);
}

/// Clips that begin and end anywhere, many of which overlap.
fn overlapping() -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = (0..14).map(|n| (n * 397 % 5000, n * 397 % 5000 + 300 + n * 211 % 2400)).collect();
    spans.extend([(2000, 4000), (4000, 6000), (3300, 5100), (0, 7900), (7000, 8000)]);
    spans
}

/// What other clips are cut in the same task is nothing to a clip: its key does not know them.
#[test]
fn a_clip_is_the_same_to_the_bit_alone_and_with_neighbours_on_any_number_of_threads() {
    let folder = folder();
    let (pictures, film) = (folder.path().join("film.mp4"), with_sound(folder.path()));
    Film { movflags: "", ..Film::default() }.write(&pictures);
    let encode = CutOptions { mode: CutMode::Encode, ..CutOptions::default() };
    let small = CutOptions { size: Some((64, 48)), frame_rate: Some(Ratio { num: 10, den: 1 }), ..encode.clone() };
    let spans = overlapping();
    let smart = CutOptions::default();
    let ways = [(&film, &encode), (&film, &small), (&pictures, &encode), (&film, &smart), (&pictures, &smart)];
    for (source, options) in ways {
        let bytes = |number: usize| std::fs::read(folder.path().join(format!("{number}.mp4"))).unwrap();
        let alone = |span: &(u64, u64)| {
            decoded_on(1, source, options, &[*span], folder.path());
            bytes(0)
        };
        let alone: Vec<Vec<u8>> = spans.iter().map(alone).collect();
        for threads in [1, 2, 4] {
            decoded_on(threads, source, options, &spans, folder.path());
            for (number, alone) in alone.iter().enumerate() {
                assert!(bytes(number) == *alone, "{}, {threads} threads: {:?}", options.mode, spans[number]);
            }
        }
    }
}

/// A folder stands where the second clip is to be written.
#[test]
fn a_clip_that_cannot_be_written_fails_none_of_those_that_are_read_with_it() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    std::fs::create_dir(folder.path().join("1.mp4")).unwrap();
    let mut plan = CutPlan::new(Media::file(&source), CutOptions { mode: CutMode::Encode, ..CutOptions::default() });
    for number in 0..3 {
        let start_ms = 2100 + number * 300;
        plan.add(Span { start_ms, end_ms: start_ms + 2000 }, &folder.path().join(format!("{number}.mp4")));
    }
    let outcomes = Mutex::new([None, None, None]);
    plan.run(2, &|clip, outcome| outcomes.lock().unwrap()[clip] = Some(outcome.map(|report| report.frames)));
    let [first, second, third] = outcomes.into_inner().unwrap().map(Option::unwrap);
    assert!(second.is_err());
    assert_eq!((first.unwrap(), third.unwrap()), (60, 60));
}

/// A folder stands where the second clip is to be written, of which nothing can be copied, as of the third.
#[test]
fn a_clip_that_cannot_be_written_fails_none_of_those_that_are_joined_beside_it() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    std::fs::create_dir(folder.path().join("1.mp4")).unwrap();
    let mut plan = CutPlan::new(Media::file(&source), CutOptions::default());
    for (number, (start_ms, end_ms)) in [(2100, 4900), (2200, 3200), (2500, 3500)].into_iter().enumerate() {
        plan.add(Span { start_ms, end_ms }, &folder.path().join(format!("{number}.mp4")));
    }
    let outcomes = Mutex::new([None, None, None]);
    plan.run(2, &|clip, outcome| {
        outcomes.lock().unwrap()[clip] = Some(outcome.map(|report| (report.frames, report.mode)));
    });
    let [first, second, third] = outcomes.into_inner().unwrap().map(Option::unwrap);
    assert!(second.is_err());
    assert_eq!((first.unwrap(), third.unwrap()), ((84, CutMode::Smart), (30, CutMode::Encode)));
}
