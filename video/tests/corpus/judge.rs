//! A hard video -> what came of each clip of it: the right frames, a refusal, or what is wrong.

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use ffmpeg_next::{Rational, format, media};
use pipe_video::{Cutter, EncodeOptions, Span, VideoError, VideoErrorKind};

use crate::expected::{Expected, expected, is_wanted};
use crate::input::{Hard, Refused};
use crate::pictures::{Film, Picture, film, minus, seconds, to_f64};
use crate::structure;

/// No clip of the corpus takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The least that a frame of a clip that was encoded as a whole may be like its source, in dB. Another frame than the right
/// one has another number burnt in, and is never above 26.
const LIKE: f64 = 34.0;

/// What came of one clip.
pub(crate) enum Came {
    /// The right frames at the right times. `same`: how many of them are the source's to the bit.
    Right { frames: usize, same: usize, least: f64, sound: usize },
    /// Refused, and it may be.
    Refused(VideoErrorKind),
    /// Neither; in words.
    Wrong(String),
}

/// The clips of a video, in the order of its spans.
pub(crate) fn judge(hard: &Hard, folder: &Path) -> Vec<(Span, Came)> {
    let truth = film(&hard.truth, &|picture| is_wanted(hard, picture));
    let own = film(&hard.path, &|_| false);
    let clip = |(number, span): (usize, &Span)| {
        let out = folder.join(format!("{}-{number}.mp4", hard.name));
        (*span, one(hard, &truth, &own, *span, &out).unwrap_or_else(Came::Wrong))
    };
    hard.spans.iter().enumerate().map(clip).collect()
}

type MaybeFilm = Result<Film, ffmpeg_next::Error>;

fn one(hard: &Hard, truth: &MaybeFilm, own: &MaybeFilm, span: Span, out: &Path) -> Result<Came, String> {
    let cut = cut(hard.path.clone(), span, out.to_owned())?;
    let frames = match truth {
        Ok(truth) => expected(hard, truth, span),
        Err(_) if matches!(hard.refused, Refused::All(_)) => Vec::new(),
        Err(error) => return Err(format!("there is nothing to compare with: {error}")),
    };
    if frames.is_empty() && hard.refused == Refused::Nothing && hard.spans[..hard.asked].contains(&span) {
        return Err("there should be frames to compare with".into());
    }
    if let Err(error) = cut {
        if out.exists() {
            return Err(format!("refused, but left a file: {error}"));
        }
        return if may_refuse(hard, span, &error, frames.is_empty()) {
            Ok(Came::Refused(error.kind))
        } else {
            Err(format!("refused: {:?}, {}", error.kind, error.message))
        };
    }
    if frames.is_empty() {
        return Err("a clip where no frame is".into());
    }
    let clip = film(out, &|_| true).map_err(|e| format!("the clip cannot be read: {e}"))?;
    let looks = own.as_ref().map_or("", |own| &own.looks);
    if clip.looks != looks {
        return Err(format!("the clip has {}, the source {looks}", clip.looks));
    }
    let (same, least) = same_frames(&frames, &clip)?;
    let sound = same_sound(&hard.path, span, &frames, out)?;
    structure::check(out, frames.len(), sound)?;
    Ok(Came::Right { frames: frames.len(), same, least, sound })
}

/// Cuts in a thread of its own, so that a panic and a hang are findings.
fn cut(path: PathBuf, span: Span, out: PathBuf) -> Result<Result<(), VideoError>, String> {
    let (tell, hear) = mpsc::channel();
    std::thread::spawn(move || {
        let work = || Cutter::open(&path, EncodeOptions::default())?.cut(span, &out).map(|_| ());
        let _ = tell.send(catch_unwind(work));
    });
    match hear.recv_timeout(PATIENCE) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err("a panic".into()),
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
struct Heard {
    bytes: Vec<u8>,
    time: f64,
}

fn sound(path: &Path) -> Option<Vec<Heard>> {
    use ffmpeg_next::codec::Id::{AAC, AC3, ALAC, EAC3, MP3, OPUS};
    let mut input = format::input(path).ok()?;
    let stream = input.streams().best(media::Type::Audio)?;
    if !matches!(stream.parameters().id(), AAC | AC3 | EAC3 | MP3 | OPUS | ALAC) {
        return None;
    }
    let (index, base): (usize, Rational) = (stream.index(), stream.time_base());
    let packets = input.packets().filter(|(stream, _)| stream.index() == index);
    let heard = packets.filter_map(|(_, packet)| {
        Some(Heard { bytes: bare(packet.data()?).to_vec(), time: to_f64(seconds(packet.pts()?, base)) })
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
fn same_sound(source: &Path, span: Span, frames: &[Expected<'_>], clip: &Path) -> Result<usize, String> {
    let Some(all) = sound(source) else { return Ok(0) };
    let origin = film_origin(source)?;
    let first = to_f64(frames[0].time);
    let at: HashMap<&[u8], Vec<f64>> = all.iter().fold(HashMap::new(), |mut at, heard| {
        at.entry(heard.bytes.as_slice()).or_insert_with(Vec::new).push(heard.time - origin - first);
        at
    });
    let copied = sound(clip).unwrap_or_default();
    for heard in &copied {
        let times = at.get(heard.bytes.as_slice()).ok_or("sound in the clip that the source does not have")?;
        let off = times.iter().map(|time| (heard.time - time).abs()).fold(f64::INFINITY, f64::min);
        if off > 0.0015 {
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
    Ok(to_f64(crate::pictures::origin(&input)))
}
