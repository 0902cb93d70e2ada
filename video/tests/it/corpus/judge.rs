//! A hard video -> what came of each clip of it: the right frames, a refusal, or what is wrong.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ffmpeg_next::{Rational, format, media};
use pipe_video::{CutMode, CutOptions, CutPlan, CutReport, Media, Span, VideoError, VideoErrorKind};

use super::expected::{Expected, expected, is_wanted};
use super::input::{self, Hard, Refused};
use super::pictures::{Film, Picture, film, minus, seconds, to_f64};
use super::{alike, structure};

/// All clips of a video take a few seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The least that a frame of a clip that was encoded as a whole may be like its source, in dB. Another frame than the right
/// one has another number burnt in, and is never above 26.
const LIKE: f64 = 34.0;

/// The least that the encoded edge of a joined clip may be like its source, in dB.
const EDGE: f64 = 40.0;

/// How a clip was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// Groups of pictures were copied, where there was a whole one.
    Joined,
    /// Every frame was encoded; why, if it was not asked for.
    Whole(String),
}

/// What became of a clip's sound.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Heard {
    /// So many packets are the source's own.
    Copied(usize),
    /// It was encoded, and is like the source's by so many dB.
    Encoded(f64),
}

/// What came of one clip.
pub(crate) enum Came {
    /// The right frames at the right times. `same`: how many of them are the source's to the bit.
    Right { frames: usize, same: usize, least: f64, sound: Heard, how: How },
    /// Refused, and it may be.
    Refused(VideoErrorKind),
    /// Neither; in words.
    Wrong(String),
}

/// The clips of a video, in the order of its spans, all cut in one pass.
pub(crate) fn judge(hard: &Hard, mode: CutMode, folder: &Path) -> Vec<(Span, Came)> {
    let truth = film(&hard.truth, &|picture| is_wanted(hard, picture));
    let own = film(&hard.path, &|_| false);
    let outs: Vec<PathBuf> =
        (0..hard.spans.len()).map(|n| folder.join(format!("{}-{mode}-{n}.mp4", hard.name))).collect();
    let told = match cut(hard, mode, &outs) {
        Ok(told) => told,
        Err(what) => return hard.spans.iter().map(|span| (*span, Came::Wrong(what.clone()))).collect(),
    };
    let clips = hard.spans.iter().zip(told).zip(&outs);
    clips
        .map(|((span, cut), out)| (*span, one(hard, &truth, &own, *span, cut, out).unwrap_or_else(Came::Wrong)))
        .collect()
}

type MaybeFilm = Result<Film, ffmpeg_next::Error>;
type Outcome = Result<CutReport, VideoError>;

fn one(
    hard: &Hard,
    truth: &MaybeFilm,
    own: &MaybeFilm,
    span: Span,
    cut: Vec<Outcome>,
    out: &Path,
) -> Result<Came, String> {
    let frames = match truth {
        Ok(truth) => expected(hard, truth, span),
        Err(_) if matches!(hard.refused, Refused::All(_)) => Vec::new(),
        Err(error) => return Err(format!("there is nothing to compare with: {error}")),
    };
    if frames.is_empty() && hard.refused == Refused::Nothing && hard.spans[..hard.asked].contains(&span) {
        return Err("there should be frames to compare with".into());
    }
    let cut = match <[Outcome; 1]>::try_from(cut) {
        Ok([cut]) => cut,
        Err(cut) => return Err(format!("it was told {} times what became of it", cut.len())),
    };
    match cut {
        Ok(report) => hold(hard, own, span, &frames, &report, out),
        Err(error) if out.exists() => Err(format!("refused, but left a file: {error}")),
        Err(error) if may_refuse(hard, span, &error, frames.is_empty()) => Ok(Came::Refused(error.kind)),
        Err(error) => Err(format!("refused: {:?}, {}", error.kind, error.message)),
    }
}

/// Holds a clip that was made beside what it should be.
fn hold(
    hard: &Hard,
    own: &MaybeFilm,
    span: Span,
    frames: &[Expected<'_>],
    report: &CutReport,
    out: &Path,
) -> Result<Came, String> {
    if frames.is_empty() {
        return Err("a clip where no frame is".into());
    }
    let clip = film(out, &|_| true).map_err(|e| format!("the clip cannot be read: {e}"))?;
    let looks = own.as_ref().map_or("", |own| &own.looks);
    if clip.looks != looks {
        return Err(format!("the clip has {}, the source {looks}", clip.looks));
    }
    let (same, least) = same_frames(frames, &clip)?;
    if report.mode == CutMode::Smart && least < EDGE {
        return Err(format!("an edge is like its source by {least:.1} dB only"));
    }
    if report.frames != frames.len() as u64 || report.frames_copied > same as u64 {
        let (all, copied) = (report.frames, report.frames_copied);
        return Err(format!("the report tells of {all} frames, {copied} copied; {same} are the same to the bit"));
    }
    let sound = match sound(&hard.path) {
        Some(all) => Heard::Copied(same_sound(&all, &hard.path, span, frames, out)?),
        None => alike::check(&hard.path, span, frames, out)?.map_or(Heard::Copied(0), Heard::Encoded),
    };
    let packets = if let Heard::Copied(packets) = sound { Some(packets) } else { None };
    structure::check(out, frames.len(), packets)?;
    if report.mode == CutMode::Smart {
        another_decodes(out)?;
    }
    let how = if report.mode == CutMode::Encode { How::Whole(report.why.clone()) } else { How::Joined };
    Ok(Came::Right { frames: frames.len(), same, least, sound, how })
}

/// Has another version of FFmpeg decode pictures and sound of a clip to their end, and give up at the first error.
fn another_decodes(clip: &Path) -> Result<(), String> {
    let mut ffmpeg = Command::new(input::ffmpeg());
    ffmpeg.args(["-nostdin", "-v", "error", "-xerror", "-i"]).arg(clip).args(["-f", "null", "-"]);
    let done = ffmpeg.output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.success() && said.is_empty() { Ok(()) } else { Err(format!("ffmpeg -xerror: {said}")) }
}

/// Cuts in a thread of its own, so that a panic and a hang are findings. Gives what was told of each clip.
fn cut(hard: &Hard, mode: CutMode, outs: &[PathBuf]) -> Result<Vec<Vec<Outcome>>, String> {
    let mut plan = CutPlan::new(Media::file(&hard.path), CutOptions { mode, ..CutOptions::default() });
    for (span, out) in hard.spans.iter().zip(outs) {
        plan.add(*span, out);
    }
    let told = Arc::new(Mutex::new(vec![Vec::new(); outs.len()]));
    let (tell, hear) = mpsc::channel();
    let hears = Arc::clone(&told);
    std::thread::spawn(move || {
        let work = || plan.run(2, &|clip, outcome| hears.lock().unwrap()[clip].push(outcome));
        let _ = tell.send(catch_unwind(AssertUnwindSafe(work)).is_ok());
    });
    match hear.recv_timeout(PATIENCE) {
        Ok(true) => Ok(std::mem::take(&mut *told.lock().unwrap())),
        Ok(false) => Err("a panic".into()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn may_refuse(hard: &Hard, span: Span, error: &VideoError, is_empty: bool) -> bool {
    match &hard.refused {
        Refused::All(kind) => kind == "any" || format!("{:?}", error.kind) == *kind,
        Refused::Part(from, to) if span.end_ms > *from && span.start_ms < *to => true,
        _ => is_empty && error.kind == VideoErrorKind::OutOfRange,
    }
}

/// Holds the clip's frames beside those that must be in it. Returns how many are the same to the bit, and the least
/// likeness of the others in dB.
fn same_frames(frames: &[Expected<'_>], clip: &Film) -> Result<(usize, f64), String> {
    if let Some(error) = clip.errors.first() {
        return Err(format!("the clip does not decode: {error}"));
    }
    let numbers = |all: &[&Picture]| {
        let ends: Vec<i128> = all.iter().map(|picture| picture.number).collect();
        format!("{} frames, {:?}..={:?}", ends.len(), ends.first(), ends.last())
    };
    if clip.pictures.len() != frames.len() {
        let (wanted, seen) =
            (frames.iter().map(|f| f.picture).collect::<Vec<_>>(), clip.pictures.iter().collect::<Vec<_>>());
        return Err(format!("{} instead of {}", numbers(&seen), numbers(&wanted)));
    }
    let (mut same, mut least) = (0, f64::INFINITY);
    for (at, (wanted, seen)) in frames.iter().zip(&clip.pictures).enumerate() {
        let time = seen.time.ok_or_else(|| format!("frame {at} of the clip has no time"))?;
        let late = to_f64(time) - to_f64(minus(wanted.time, frames[0].time));
        // Half a frame would be another frame; containers with ticks of a millisecond are off by one of them.
        if late.abs() > 0.0011 {
            return Err(format!("frame {at} of the clip is shown {:.1} ms late", late * 1000.0));
        }
        let like = likeness(wanted.picture, seen).ok_or_else(|| {
            format!("frame {at} of the clip is number {}, not {}", seen.number, wanted.picture.number)
        })?;
        if like == f64::INFINITY {
            same += 1;
        } else if like < LIKE {
            let (seen, wanted) = (seen.number, wanted.picture.number);
            return Err(format!("frame {at} of the clip, number {seen}, is like number {wanted} by {like:.1} dB only"));
        } else {
            least = least.min(like);
        }
    }
    Ok((same, least))
}

/// How like two frames are, in dB; infinite when they are the same to the bit. Frames of another size are told by their
/// numbers alone, and of other bits or colour samples by their luma.
fn likeness(wanted: &Picture, seen: &Picture) -> Option<f64> {
    if wanted.size != seen.size {
        return (wanted.number == seen.number).then_some(LIKE);
    }
    let planes = if wanted.format == seen.format { 3 } else { 1 };
    let (mut sum, mut samples) = (0.0, 0);
    for (a, b) in wanted.planes.iter().zip(&seen.planes).take(planes) {
        let scale = |value: u16, bits: u32| f64::from(value) / f64::from(1 << (bits - 8));
        sum += a.iter().zip(b).map(|(&a, &b)| (scale(a, wanted.bits) - scale(b, seen.bits)).powi(2)).sum::<f64>();
        samples += a.len();
    }
    if sum == 0.0 && planes == 3 {
        return Some(f64::INFINITY);
    }
    Some(10.0 * (255.0_f64.powi(2) * samples as f64 / sum).log10())
}

/// A packet of sound: what is in it, and when it is heard in seconds on the file's clock.
struct SoundPacket {
    bytes: Vec<u8>,
    time: f64,
}

fn sound(path: &Path) -> Option<Vec<SoundPacket>> {
    use ffmpeg_next::codec::Id::{AAC, AC3, ALAC, EAC3, MP3, OPUS};
    let mut input = format::input(path).ok()?;
    let stream = input.streams().best(media::Type::Audio)?;
    if !matches!(stream.parameters().id(), AAC | AC3 | EAC3 | MP3 | OPUS | ALAC) {
        return None;
    }
    let (index, base): (usize, Rational) = (stream.index(), stream.time_base());
    let packets = input.packets().filter(|(stream, _)| stream.index() == index);
    let heard = packets.filter_map(|(_, packet)| {
        Some(SoundPacket { bytes: bare(packet.data()?).to_vec(), time: to_f64(seconds(packet.pts()?, base)) })
    });
    Some(heard.collect())
}

/// A packet of AAC without the header that it has in a transport stream.
fn bare(packet: &[u8]) -> &[u8] {
    match packet {
        [0xff, second, _, _, _, _, _, rest @ ..] if second & 0xf1 == 0xf1 => rest,
        _ => packet,
    }
}

/// Every packet of sound in the clip is one of the source, as far from the first frame as there; and at most one at
/// either end is missing. Returns how many there are.
fn same_sound(
    all: &[SoundPacket],
    source: &Path,
    span: Span,
    frames: &[Expected<'_>],
    clip: &Path,
) -> Result<usize, String> {
    let origin = film_origin(source)?;
    let first = to_f64(frames[0].time);
    let at: HashMap<&[u8], Vec<f64>> = all.iter().fold(HashMap::new(), |mut at, heard| {
        at.entry(heard.bytes.as_slice()).or_insert_with(Vec::new).push(heard.time - origin - first);
        at
    });
    let copied = sound(clip).unwrap_or_default();
    // The first packet may be heard from the first frame on, if it begins within a packet of it.
    let packet = all.get(1..3).map_or(0.0, |two| two[1].time - two[0].time);
    for (number, heard) in copied.iter().enumerate() {
        let times = at.get(heard.bytes.as_slice()).ok_or("sound in the clip that the source does not have")?;
        let off = times.iter().map(|time| (heard.time - time).abs()).fold(f64::INFINITY, f64::min);
        if off > 0.0015 + if number == 0 { packet } else { 0.0 } {
            return Err(format!("sound is heard {:.1} ms away from its pictures", off * 1000.0));
        }
    }
    let ends = [first, span.end_ms as f64 / 1000.0];
    let wanted = all.iter().filter(|h| (ends[0]..ends[1]).contains(&(h.time - origin))).count();
    if copied.len() + 2 < wanted || copied.len() > wanted + 2 {
        return Err(format!("{} packets of sound instead of {wanted}", copied.len()));
    }
    Ok(copied.len())
}

fn film_origin(path: &Path) -> Result<f64, String> {
    let input = format::input(path).map_err(|e| e.to_string())?;
    Ok(to_f64(super::pictures::origin(&input)))
}
