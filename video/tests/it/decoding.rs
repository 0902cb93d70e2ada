//! How many pictures are decoded for clips: those that their frames are made of, and once for all clips that need them.

use std::path::Path;

use ffmpeg_next::{Packet, format, media};
use pipe_video::{CutMode, CutOptions, CutPlan, Media, Span};

use crate::film::{Film, frames, psnr};
use crate::made::folder;

/// How many pictures are decoded for clips that are cut in one go.
fn decoded(source: &Path, mode: CutMode, spans: &[(u64, u64)], folder: &Path) -> u64 {
    let media = Media::file(source);
    let mut plan = CutPlan::new(media.clone(), CutOptions { mode, ..CutOptions::default() });
    for (number, &(start_ms, end_ms)) in spans.iter().enumerate() {
        plan.add(Span { start_ms, end_ms }, &folder.join(format!("{number}.mp4")));
    }
    plan.run(2, &|clip, outcome| {
        let report = outcome.unwrap();
        assert_eq!((report.mode, report.why.as_str()), (mode, ""), "{clip}");
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
    let alone: Vec<u64> = spans.iter().map(|span| decoded(&source, CutMode::Smart, &[*span], folder.path())).collect();
    let together = decoded(&source, CutMode::Smart, &spans, folder.path());
    assert!(together <= 120, "{together}");
    assert!(alone.iter().sum::<u64>() > 2 * together, "{alone:?} alone, {together} together");
    assert_eq!(decoded(&source, CutMode::Copy, &spans, folder.path()), 0);
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
