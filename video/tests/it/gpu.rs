//! Clips whose frames a GPU makes, and which it may decode as well: the CPU's bytes, on the driver for tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ffmpeg_next::format::{self, Pixel};
use ffmpeg_next::{Packet, codec, decoder, frame, media};
use pipe_fakecuda::FakeDriver;
use pipe_video::cuda::{Gpu, Gpus};
use pipe_video::frames::Cpu;
use pipe_video::{Device, FrameSpec, Sampled, Sampling, sample, sample_on};
use tempfile::TempDir;

use crate::corpus::input;
use crate::film::Film;
use crate::made::{Made, folder, made_in};

const SPEC: FrameSpec = FrameSpec {
    width: 14,
    height: 12,
    fit: pipe_video::Fit::Letterbox,
    filter: pipe_video::frames::Filter::Triangle,
    pad: [9, 80, 200],
    mean: [0.4, 0.5, 0.6],
    std: [0.2, 0.3, 0.25],
    layout: pipe_video::frames::Layout::Nchw,
    element: pipe_video::frames::Element::F32,
    keep_rgb: false,
};

fn count(driver: &FakeDriver, name: &str) -> u64 {
    driver.calls().into_iter().find(|(called, _)| called == name).map_or(0, |(_, count)| count)
}

#[test]
fn the_frames_of_a_clip_go_to_the_gpu_together() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 40, audio_rate: None, ..Made::default() });
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    let eight = Sampling::Uniform { n: 8 };
    assert!(sample_on(&mut gpu, &path, eight, &SPEC).unwrap() == sample(&path, eight, &SPEC).unwrap());
    // Four pictures in each lane; one more upload brought the tables.
    let copied = |driver: &FakeDriver| (count(driver, "cuMemcpyHtoDAsync_v2"), count(driver, "cuMemcpyDtoHAsync_v2"));
    assert_eq!((count(&driver, "cuLaunchKernel"), copied(&driver)), (2, (3, 2)));
    // All forty: thirty-two in two batches of sixteen, then eight.
    let all = Sampling::Every { n: 1 };
    assert!(sample_on(&mut gpu, &path, all, &SPEC).unwrap() == sample(&path, all, &SPEC).unwrap());
    assert_eq!(count(&driver, "cuLaunchKernel"), 2 + 3);
}

#[test]
fn a_frame_that_is_wanted_often_is_made_once() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 3, audio_rate: None, ..Made::default() });
    let _driver = FakeDriver::take();
    let seven = Sampling::Uniform { n: 7 };
    let made = sample_on(&mut Gpu::open(0).unwrap(), &path, seven, &SPEC).unwrap();
    assert_eq!(made.indexes, [0, 0, 1, 1, 1, 2, 2]);
    assert!(made == sample(&path, seven, &SPEC).unwrap());
}

/// A film that the driver's decoder knows.
fn film(driver: &FakeDriver, folder: &TempDir, film: &Film) -> PathBuf {
    let path = folder.path().join("film.mp4");
    film.write(&path);
    learn(driver, folder, &path);
    path
}

/// Tells the driver's decoder what it is to make of a video: what FFmpeg's own makes, in surfaces of whole blocks whose
/// margin nobody may look at.
fn learn(driver: &FakeDriver, folder: &TempDir, path: &Path) {
    let mut input = format::input(path).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let (index, id) = (stream.index(), stream.parameters().id());
    let mut decoder = codec::Context::from_parameters(stream.parameters()).unwrap().decoder().video().unwrap();
    let packets: Vec<Packet> = input.packets().filter(|(s, _)| s.index() == index).map(|(_, p)| p).collect();
    let mut surfaces = HashMap::new();
    for packet in &packets {
        decoder.send_packet(packet).unwrap();
        receive(&mut decoder, &mut surfaces);
    }
    decoder.send_eof().unwrap();
    receive(&mut decoder, &mut surfaces);
    let mut told = Vec::new();
    for packet in &packets {
        let (coded, surface) = (slices(id, packet.data().unwrap()), &surfaces[&packet.pts().unwrap()]);
        told.extend([coded.len() as u32, surface.len() as u32].iter().flat_map(|length| length.to_le_bytes()));
        told.extend([coded.as_slice(), surface].concat());
    }
    let list = folder.path().join("film.pictures");
    std::fs::write(&list, told).unwrap();
    driver.tell(&format!("film {}", list.display()));
}

fn receive(decoder: &mut decoder::Video, surfaces: &mut HashMap<i64, Vec<u8>>) {
    let mut frame = frame::Video::empty();
    while decoder.receive_frame(&mut frame).is_ok() {
        surfaces.insert(frame.timestamp().unwrap(), surface(&frame));
    }
}

/// NV12 of 8 bits, P010 of 10: U and V in turn, samples in the high bits.
fn surface(frame: &frame::Video) -> Vec<u8> {
    let is_wide = frame.format() == Pixel::YUV420P10LE;
    let samples = |plane: usize, row: usize| -> Vec<u16> {
        let bytes = &frame.data(plane)[row * frame.stride(plane)..];
        let width = frame.plane_width(plane) as usize;
        let word = |x: usize| u16::from_le_bytes([bytes[2 * x], bytes[2 * x + 1]]) << 6;
        (0..width).map(|x| if is_wide { word(x) } else { u16::from(bytes[x]) }).collect()
    };
    let (width, height) = (frame.width().next_multiple_of(16) as usize, frame.height().next_multiple_of(16) as usize);
    let mut rows = vec![vec![0xee_u16; width]; height + height / 2];
    for (row, to) in rows.iter_mut().enumerate().take(frame.height() as usize) {
        to[..frame.width() as usize].copy_from_slice(&samples(0, row));
    }
    for row in 0..frame.plane_height(1) as usize {
        let both = samples(1, row).into_iter().zip(samples(2, row));
        both.zip(rows[height + row].chunks_exact_mut(2)).for_each(|((u, v), to)| to.copy_from_slice(&[u, v]));
    }
    rows.iter().flatten().flat_map(|sample| sample.to_le_bytes()[..1 + usize::from(is_wide)].to_vec()).collect()
}

/// The slices of a packet in MP4, each behind a start code, as decoders of hardware are given them.
fn slices(id: codec::Id, mut packet: &[u8]) -> Vec<u8> {
    let mut slices = Vec::new();
    while let Some((length, rest)) = packet.split_first_chunk() {
        let (unit, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let is_slice = if id == codec::Id::HEVC { unit[0] >> 1 & 63 < 32 } else { matches!(unit[0] & 31, 1 | 5) };
        if is_slice {
            slices.extend([&[0, 0, 1], unit].concat());
        }
        packet = rest;
    }
    slices
}

/// Twelve pictures with B frames between them.
fn short() -> Film {
    Film { times: (0..12).collect(), gop: 6, ..Film::default() }
}

fn decoded(gpus: &Gpus, path: &Path, sampling: Sampling) -> Sampled {
    sample_on(&mut gpus.beside(&mut Cpu::new(1)), path, sampling, &SPEC).unwrap()
}

#[test]
fn a_clip_that_the_gpu_decodes_gives_the_cpus_bytes_and_no_picture_is_copied_up() {
    for (name, made) in [("whole blocks", short()), ("cut off", Film { less: 6, ..short() })] {
        for sampling in [Sampling::Every { n: 1 }, Sampling::Uniform { n: 2 }, Sampling::Uniform { n: 20 }] {
            let (driver, folder) = (FakeDriver::take().with_decoder(), folder());
            let path = film(&driver, &folder, &made);
            let gpus = Gpus::open(Device::Cuda(0)).unwrap().decoding();
            let sampled = decoded(&gpus, &path, sampling);
            assert_eq!((gpus.told(), driver.told()), (Vec::new(), String::new()), "{name}, {sampling:?}");
            assert!(sampled == sample(&path, sampling, &SPEC).unwrap(), "{name}, {sampling:?}");
            // That one brought the tables.
            assert_eq!(count(&driver, "cuMemcpyHtoDAsync_v2"), 1, "{name}, {sampling:?}");
            assert!(count(&driver, "cuvidDecodePicture") >= 2, "{name}, {sampling:?}");
            drop(gpus);
            assert_eq!(driver.leaks(), "", "{name}, {sampling:?}");
        }
    }
}

#[test]
fn clips_of_hevc_in_8_and_10_bits_are_decoded_there_too() {
    for hard in input::all().iter().filter(|hard| ["hdr10.mp4", "hevc-open.mp4"].contains(&hard.name.as_str())) {
        let (driver, folder) = (FakeDriver::take().with_decoder(), folder());
        learn(&driver, &folder, &hard.path);
        let gpus = Gpus::open(Device::Cuda(0)).unwrap().decoding();
        let three = Sampling::Uniform { n: 3 };
        let sampled = decoded(&gpus, &hard.path, three);
        assert_eq!((gpus.told(), driver.told()), (Vec::new(), String::new()), "{}", hard.name);
        assert!(sampled == sample(&hard.path, three, &SPEC).unwrap(), "{}", hard.name);
        assert_eq!(count(&driver, "cuMemcpyHtoDAsync_v2"), 1, "{}", hard.name);
    }
}

#[test]
fn what_the_gpus_decoder_does_not_take_the_cpu_decodes_and_it_is_said_once() {
    let (driver, folder) = (FakeDriver::take().with_decoder(), folder());
    let path = film(&driver, &folder, &short());
    driver.tell("decodes nothing");
    let gpus = Gpus::open(Device::Cuda(0)).unwrap().decoding();
    let all = Sampling::Every { n: 1 };
    for _ in 0..2 {
        assert!(decoded(&gpus, &path, all) == sample(&path, all, &SPEC).unwrap());
    }
    let why = "the GPU's decoder (libnvcuvid.so.1) is missing or does not take theirs (yuv420p)";
    assert_eq!(gpus.told(), [format!("some clips are decoded on the CPU: {why}")]);
    assert_eq!(gpus.told(), Vec::<String>::new());
    // Its kernel makes the frames nevertheless.
    assert!(gpus.has_gpu() && count(&driver, "cuLaunchKernel") > 0);
}

#[test]
fn every_call_of_a_gpu_that_decodes_may_fail_and_no_frame_is_lost() {
    let folder = folder();
    let path = {
        let driver = FakeDriver::take().with_decoder();
        film(&driver, &folder, &Film { times: (0..4).collect(), ..short() })
    };
    let all = Sampling::Every { n: 1 };
    let expected = sample(&path, all, &SPEC).unwrap();
    let lived = |driver: &FakeDriver| {
        driver.tell(&format!("film {}", folder.path().join("film.pictures").display()));
        let gpus = Gpus::open(Device::Auto).unwrap().decoding();
        let sampled = decoded(&gpus, &path, all);
        (sampled, gpus.told())
    };
    let calls = {
        let driver = FakeDriver::take().with_decoder();
        assert_eq!(lived(&driver).1, Vec::<String>::new());
        driver.calls()
    };
    let called = |name: &str| calls.iter().any(|(function, _)| function == name);
    assert!(called("cuvidDecodePicture") && called("cuCtxPushCurrent_v2") && called("cuLaunchKernel"), "{calls:?}");
    let mut told_of = 0;
    for (function, times) in &calls {
        for nth in 1..=*times {
            let driver = FakeDriver::take().with_decoder();
            driver.fail(function, nth, 999);
            let (sampled, told) = lived(&driver);
            assert!(sampled == expected, "{function} {nth}: {told:?}");
            told_of += usize::from(!told.is_empty());
        }
    }
    assert!(told_of > 10, "only {told_of} faults were told");
}

#[test]
fn a_wait_for_the_decoder_left_out_is_found() {
    let (driver, folder) = (FakeDriver::take().with_decoder(), folder());
    let path = film(&driver, &folder, &short());
    driver.tell("skip-waits decoders");
    let gpus = Gpus::open(Device::Cuda(0)).unwrap().decoding();
    let all = Sampling::Every { n: 1 };
    assert!(decoded(&gpus, &path, all) == sample(&path, all, &SPEC).unwrap());
    assert!(driver.told().contains("nobody wrote"), "{}", driver.told());
    let told = gpus.told();
    assert!(told.iter().any(|told| told.contains("a clip is decoded on the CPU")), "{told:?}");
}
