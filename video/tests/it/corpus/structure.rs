//! A clip -> whether it is an MP4 that others can read: by Firefox's parser, and by the rules for H.264 in MP4.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mp4parse::unstable::{CheckedInteger, Indice, create_sample_table};
use mp4parse::{MediaContext, SampleEntry, Track, TrackType, VideoCodecSpecific};

/// Kinds of NAL units: slices, those of a picture that refers to none before it, and parameter sets.
const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// Checks a clip with `frames` pictures and `sound` packets of sound, where they were counted.
pub(crate) fn check(clip: &Path, frames: usize, sound: Option<usize>) -> Result<(), String> {
    let bytes = fs::read(clip).map_err(|e| e.to_string())?;
    let context = mp4parse::read_mp4(&mut bytes.as_slice()).map_err(|e| format!("Firefox's parser: {e:?}"))?;
    let boxes = top_boxes(&bytes)?;
    let at = |name: &str| boxes.iter().position(|(kind, _)| kind == name);
    if at("moov").is_none() || at("moov") > at("mdat") {
        return Err(format!("the index is not in front of the pictures: {boxes:?}"));
    }
    let video = only(&context, TrackType::Video)?.ok_or("no track of pictures")?;
    check_pictures(video, &bytes, frames)?;
    if let Some(track) = only(&context, TrackType::Audio)? {
        let samples = samples(track, &bytes)?.len();
        if sound.is_some_and(|sound| samples != sound) {
            return Err(format!("{samples} samples of sound in the index, {sound:?} packets"));
        }
    }
    Ok(())
}

fn top_boxes(bytes: &[u8]) -> Result<Vec<(String, usize)>, String> {
    let (mut boxes, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let head = bytes.get(at..at + 8).ok_or("a box of less than 8 bytes")?;
        let mut size = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if size == 1 {
            let long = bytes.get(at + 8..at + 16).ok_or("a large box without its size")?;
            size = u64::from_be_bytes(long.try_into().map_err(|_| "eight bytes")?);
        }
        if size < 8 || at as u64 + size > bytes.len() as u64 {
            return Err(format!("a box of {size} bytes at {at}, of {} bytes", bytes.len()));
        }
        boxes.push((String::from_utf8_lossy(&head[4..]).into_owned(), at));
        at += size as usize;
    }
    Ok(boxes)
}

/// The track of a kind; there must not be two.
fn only(context: &MediaContext, kind: TrackType) -> Result<Option<&Track>, String> {
    let mut tracks = context.tracks.iter().filter(|track| track.track_type == kind);
    let first = tracks.next();
    if tracks.next().is_some() { Err(format!("two tracks of {kind:?}")) } else { Ok(first) }
}

/// The samples of a track: inside the file, one behind the other in time of decoding, no two shown at once.
fn samples(track: &Track, bytes: &[u8]) -> Result<Vec<Indice>, String> {
    let table = create_sample_table(track, CheckedInteger(0)).ok_or("the tables of samples do not fit together")?;
    let mut shown = BTreeSet::new();
    let mut decoded = i64::MIN;
    for (number, sample) in table.iter().enumerate() {
        if sample.start_offset.0 >= sample.end_offset.0 || sample.end_offset.0 > bytes.len() as u64 {
            return Err(format!("sample {number} lies outside the file"));
        }
        if sample.start_decode.0 <= decoded && number > 0 {
            return Err(format!("sample {number} is decoded at {}, after {decoded}", sample.start_decode.0));
        }
        decoded = sample.start_decode.0;
        if !shown.insert(sample.start_composition.0) {
            return Err(format!("sample {number} is shown at the same time as another"));
        }
    }
    Ok(table.into_iter().collect())
}

fn check_pictures(track: &Track, bytes: &[u8], frames: usize) -> Result<(), String> {
    let samples = samples(track, bytes)?;
    if samples.len() != frames {
        return Err(format!("{} samples in the index, {frames} frames", samples.len()));
    }
    let first = samples.iter().map(|sample| sample.start_composition.0).min();
    let edit = track.media_time.map_or(0, |time| time.0);
    if track.empty_duration.is_some_and(|empty| empty.0 > 0) || Some(i64::try_from(edit).unwrap_or(-1)) != first {
        return Err(format!("an edit list hides pictures: it begins at {edit}, they at {first:?}"));
    }
    let sets = Sets::of(track)?;
    for (number, sample) in samples.iter().enumerate() {
        let sample_bytes = &bytes[sample.start_offset.0 as usize..sample.end_offset.0 as usize];
        check_sample(sample_bytes, sample.sync, &sets).map_err(|what| format!("sample {number}: {what}"))?;
    }
    if samples.first().is_some_and(|sample| sample.sync) { Ok(()) } else { Err("no key frame at the front".into()) }
}

/// The picture parameter sets that the index names, and how many bytes hold the length of a NAL unit.
struct Sets {
    pictures: BTreeSet<u32>,
    length_bytes: usize,
}

impl Sets {
    fn of(track: &Track) -> Result<Sets, String> {
        let entries = track.stsd.as_ref().ok_or("no description of samples")?;
        let [SampleEntry::Video(entry)] = entries.descriptions.as_slice() else {
            return Err(format!("{} descriptions of samples instead of one", entries.descriptions.len()));
        };
        let VideoCodecSpecific::AVCConfig(config) = &entry.codec_specific else { return Err("not H.264".into()) };
        Sets::read(config)
            .ok_or_else(|| "the configuration of H.264 is cut off, or a set names one that is not there".into())
    }

    /// Reads an AVCDecoderConfigurationRecord, ISO 14496-15, 5.3.3.1.
    fn read(config: &[u8]) -> Option<Sets> {
        let length_bytes = usize::from(*config.get(4)? & 3) + 1;
        let mut at = 5;
        let mut sequences = BTreeSet::new();
        for sps in units(config, &mut at, 0x1f, SPS)? {
            // Its identifier stands behind the profile, the constraints and the level.
            sequences.insert(Bits::of(sps.get(4..)?).exp_golomb()?);
        }
        let mut pictures = BTreeSet::new();
        for pps in units(config, &mut at, 0xff, PPS)? {
            let mut bits = Bits::of(pps.get(1..)?);
            let (own, sequence) = (bits.exp_golomb()?, bits.exp_golomb()?);
            // No two sets may have one identifier, and each must build on a sequence set that is there.
            if !sequences.contains(&sequence) || !pictures.insert(own) {
                return None;
            }
        }
        Some(Sets { pictures, length_bytes })
    }
}

/// A counted list of NAL units of one kind, each behind its length of 16 bits.
fn units<'a>(config: &'a [u8], at: &mut usize, mask: u8, kind: u8) -> Option<Vec<&'a [u8]>> {
    let count = *config.get(*at)? & mask;
    *at += 1;
    let mut units = Vec::new();
    for _ in 0..count {
        let length = usize::from(u16::from_be_bytes([*config.get(*at)?, *config.get(*at + 1)?]));
        let unit = config.get(*at + 2..*at + 2 + length)?;
        *at += 2 + length;
        (unit.first()? & 0x1f == kind).then(|| units.push(unit))?;
    }
    Some(units)
}

/// A sample is NAL units that fill it exactly; it is a key frame when, and only when, its slices are those of one; and
/// every slice names a parameter set of the index. Sets of its own it has none: `avc1` forbids them.
fn check_sample(sample: &[u8], is_key: bool, sets: &Sets) -> Result<(), String> {
    let (mut at, mut slices) = (0, 0);
    while at < sample.len() {
        let prefix = sample.get(at..at + sets.length_bytes).ok_or("its last length is cut off")?;
        let length = prefix.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        at += sets.length_bytes;
        let unit = sample.get(at..at + length).filter(|unit| !unit.is_empty()).ok_or("a unit reaches over its end")?;
        at += length;
        match unit[0] & 0x1f {
            SPS | PPS => return Err("a parameter set among the pictures".into()),
            kind @ (SLICE | IDR) => {
                if (kind == IDR) != is_key {
                    return Err(format!("a unit of kind {kind}, and key frame is {is_key}"));
                }
                let mut bits = Bits::of(&unit[1..]);
                let set = bits.exp_golomb().and_then(|_| bits.exp_golomb()).and_then(|_| bits.exp_golomb());
                if set.is_none_or(|set| !sets.pictures.contains(&set)) {
                    return Err(format!("it names parameter set {set:?} of {:?}", sets.pictures));
                }
                slices += 1;
            }
            _ => {}
        }
    }
    if slices > 0 { Ok(()) } else { Err("no slice in it".into()) }
}

/// Bits of a NAL unit, without the bytes that keep start codes out of it.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn of(unit: &[u8]) -> Bits {
        let mut bytes: Vec<u8> = Vec::new();
        for &byte in unit.iter().take(64) {
            if !(byte == 3 && bytes.ends_with(&[0, 0])) {
                bytes.push(byte);
            }
        }
        Bits { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// An unsigned Exp-Golomb code, ISO 14496-10, 9.1.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            (zeros < 32).then_some(())?;
        }
        (0..zeros).try_fold(1_u32, |value, _| Some(value << 1 | self.bit()?)).map(|value| value - 1)
    }
}
