//! What is seen and heard at once in a video is so in its clips: a flash and a clap, found again in pictures and samples.

use std::path::{Path, PathBuf};

use ffmpeg_next::{codec, format, media};
use pipe_video::{CutMode, CutOptions, Cutter, Span, Writer};

use crate::corpus::alike;
use crate::made::{Made, SIDE, folder, options};

const FPS: u64 = 30;
const RATE: u64 = 48_000;
/// Frames with which a flash begins, and a clap. The first groups of pictures begin at frames 0, 60, 120 and 180.
const CLAPS: [u64; 3] = [40, 75, 150];
/// How long each lasts: four frames, and a hundredth of a second.
const FLASH: u64 = 4;
const CLAP: u64 = RATE / 100;
/// AAC has 1024 samples in a packet.
const PACKET_S: f64 = 1024.0 / RATE as f64;

/// Eight seconds of grey and silence, and the claps.
fn clapping(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("clapping.mp4");
    let mut writer = Writer::create(&path, options(&Made::default())).unwrap();
    let chroma = [128; SIDE * SIDE / 4];
    for frame in 0..8 * FPS {
        let flashes = CLAPS.iter().any(|clap| (*clap..clap + FLASH).contains(&frame));
        writer.push_yuv420(&[if flashes { 230 } else { 60 }; SIDE * SIDE], &chroma, &chroma).unwrap();
        let samples = frame * RATE / FPS..(frame + 1) * RATE / FPS;
        let claps = |at: u64| CLAPS.iter().any(|clap| (clap * RATE / FPS..clap * RATE / FPS + CLAP).contains(&at));
        let sound = |at: u64| if claps(at) { [0.7, -0.7][(at / 24 % 2) as usize] } else { 0.0 };
        writer.push_audio(&samples.map(sound).collect::<Vec<f32>>()).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// When each flash begins, in seconds from the file's zero.
fn flashes(path: &Path) -> Vec<f64> {
    let mut input = format::input(path).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let (index, base) = (stream.index(), f64::from(stream.time_base()));
    let mut decoder = codec::Context::from_parameters(stream.parameters()).unwrap().decoder().video().unwrap();
    let mut packets: Vec<_> = input.packets().filter(|(s, _)| s.index() == index).map(|(_, p)| Some(p)).collect();
    packets.push(None);
    let mut bright = Vec::new();
    for packet in packets {
        match packet {
            Some(packet) => decoder.send_packet(&packet).unwrap(),
            None => decoder.send_eof().unwrap(),
        }
        let mut frame = ffmpeg_next::frame::Video::empty();
        while decoder.receive_frame(&mut frame).is_ok() {
            bright.push((frame.timestamp().unwrap() as f64 * base, frame.data(0)[0] > 150));
        }
    }
    let begins = bright.windows(2).filter(|pair| !pair[0].1 && pair[1].1);
    begins.map(|pair| pair[1].0).collect()
}

/// When each clap begins, likewise.
fn claps(path: &Path) -> Vec<f64> {
    let track = alike::track(path).unwrap();
    let loud = track.samples.iter().enumerate().filter(|(_, sample)| sample.abs() > 0.35).map(|(at, _)| at as f64);
    loud.map(|at| track.start + at / track.rate).fold(Vec::new(), |mut claps, time| {
        if claps.last().is_none_or(|last| time - last > 0.3) {
            claps.push(time);
        }
        claps
    })
}

#[test]
fn a_clap_is_heard_when_it_is_seen() {
    let folder = folder();
    let source = clapping(&folder);
    let wanted = CLAPS.map(|clap| clap as f64 / FPS as f64);
    let apart = |path: &Path, count: usize| -> f64 {
        let (seen, heard) = (flashes(path), claps(path));
        assert_eq!((seen.len(), heard.len()), (count, count), "{seen:?} {heard:?}");
        seen.iter().zip(&heard).map(|(seen, heard)| (seen - heard).abs()).fold(0.0, f64::max)
    };
    assert!(apart(&source, 3) < 0.002, "{:?} {:?}", flashes(&source), claps(&source));
    let clip = folder.path().join("clip.mp4");
    // The claps lie in frames that are encoded and in frames that are copied, and the ends of clips between packets of sound.
    for (start_ms, end_ms, first, count) in
        [(1010, 7011, 0, 3), (1100, 2700, 0, 2), (2433, 6207, 1, 2), (4901, 5501, 2, 1)]
    {
        for mode in [CutMode::Smart, CutMode::Encode, CutMode::Copy] {
            let options = CutOptions { mode, ..CutOptions::default() };
            let report = Cutter::open(&source, options).unwrap().cut(Span { start_ms, end_ms }, &clip).unwrap();
            // A clip that only copies begins with the key frame before, and so earlier.
            if report.mode != CutMode::Copy {
                let begins = (start_ms * FPS).div_ceil(1000) as f64 / FPS as f64;
                let seen = flashes(&clip);
                let right = seen.iter().zip(&wanted[first..]).all(|(seen, at)| (seen - (at - begins)).abs() < 1e-4);
                assert!(right && seen.len() == count, "{mode} {start_ms}: {seen:?}");
                assert!(apart(&clip, count) < PACKET_S, "{mode} {start_ms}: {seen:?} {:?}", claps(&clip));
            } else {
                assert!(apart(&clip, flashes(&clip).len()) < PACKET_S, "{mode} {start_ms}");
            }
        }
    }
}
