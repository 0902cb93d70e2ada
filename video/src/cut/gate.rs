//! Decides whether copied and encoded packets of a source can stand in one track, and says why when they cannot.

use ffmpeg_next::{codec, color, format};

use crate::cut::CutMode;
use crate::encode::{ColorTags, EdgeForm, Pictures, open_edge};
use crate::h264::{AvcC, Sps};
use crate::libav::raw;
use crate::mux::Joined;
use crate::source::Source;

/// A source that is safe to join, and what joining needs to know of it.
pub(super) struct Joinable {
    /// What the clips' files say of the pictures.
    pub(super) form: Joined,
    /// The parameter sets of the source.
    pub(super) sets: AvcC,
    pub(super) edge: EdgeForm,
    pub(super) pictures: Pictures,
    /// When each key frame of the index is decoded, in order.
    pub(super) keys: Vec<i64>,
    /// When each picture of the index is decoded, in order.
    pub(super) dts: Vec<i64>,
}

/// Looks at what a source's index says. `Err`: why nothing of it is copied.
pub(super) fn examine(source: &Source, mode: CutMode, crf: u8) -> Result<Joinable, String> {
    let stream = source.stream();
    let samples = indexed(source)?;
    if stream.parameters().id() != codec::Id::H264 {
        return Err(format!("the pictures are {:?}, and only H.264 is joined", stream.parameters().id()));
    }
    let sets = AvcC::read(&raw::extradata(&stream)).ok_or("the parameter sets are not those of an MP4")?;
    let sps = one_form(&sets)?;
    if mode == CutMode::Smart {
        check_joins(&sps, source)?;
    }
    let edge = EdgeForm {
        id: sets.free_id().ok_or("every number for parameter sets is taken")?,
        profile: sps.profile,
        level: sps.level,
        room: sps.max_ref_frames.clamp(1, 16),
    };
    let pictures = pictures(source);
    let joined = match mode {
        CutMode::Smart => sets.joined(&sets_of_edge(source, &pictures, crf, edge)?),
        CutMode::Copy | CutMode::Encode => sets.clone(),
    };
    let form = Joined {
        record: joined.write().ok_or("the parameter sets do not fit one record")?,
        base: source.video().base,
        frame_rate: stream.avg_frame_rate(),
        pixel_aspect: pictures.pixel_aspect,
        display_matrix: raw::display_matrix(&stream),
    };
    let dts = samples.iter().map(|sample| sample.dts).collect();
    let keys = samples.iter().filter(|sample| sample.is_key).map(|sample| sample.dts).collect();
    Ok(Joinable { form, sets, edge, pictures, keys, dts })
}

/// The samples of a file whose index lists them all.
fn indexed(source: &Source) -> Result<Vec<raw::Sample>, String> {
    let stream = source.stream();
    if !source.input().format().name().split(',').any(|name| name == "mp4") {
        return Err(format!("the container is {}, and only MP4 and MOV are joined", source.input().format().name()));
    }
    let samples = raw::samples(&stream);
    let stated = usize::try_from(stream.frames()).unwrap_or(0);
    if stated == 0 || samples.is_empty() || samples.len() > stated {
        return Err("the file has no index of all its pictures: it is fragmented".into());
    }
    if !samples.is_sorted_by(|a, b| a.dts < b.dts) {
        return Err("pictures are not decoded one after another".into());
    }
    Ok(samples)
}

fn one_form(sets: &AvcC) -> Result<Sps, String> {
    if sets.length_bytes != 4 {
        return Err(format!("units have lengths of {} bytes instead of 4", sets.length_bytes));
    }
    let ([sps], [_]) = (&sets.sps[..], &sets.pps[..]) else {
        return Err(format!("there are {} and {} parameter sets instead of one pair", sets.sps.len(), sets.pps.len()));
    };
    Sps::read(sps).ok_or_else(|| "the parameter set cannot be read".into())
}

/// What the encoder of edges can make as the source has it.
fn check_joins(sps: &Sps, source: &Source) -> Result<(), String> {
    use format::Pixel::{YUV420P, YUVJ420P};
    if ![66, 77, 100].contains(&sps.profile) {
        return Err(format!("the profile is {}, and baseline, main and high are joined", sps.profile));
    }
    if source.decoder().format() == format::Pixel::None {
        return Err("the file does not tell the form of its pictures before they are decoded".into());
    }
    if sps.chroma != 1 || sps.bit_depth != 8 || !matches!(source.decoder().format(), YUV420P | YUVJ420P) {
        return Err("the pictures are not 4:2:0 of 8 bits".into());
    }
    if !sps.progressive {
        return Err("the pictures may be interlaced".into());
    }
    Ok(())
}

fn pictures(source: &Source) -> Pictures {
    let decoder = source.decoder();
    let rate = source.stream().avg_frame_rate();
    let full = decoder.format() == format::Pixel::YUVJ420P;
    Pictures {
        width: decoder.width(),
        height: decoder.height(),
        format: decoder.format(),
        time_base: source.video().base,
        frame_rate: (rate.numerator() > 0).then_some(rate),
        pixel_aspect: raw::pixel_aspect(&source.stream()),
        colors: ColorTags {
            space: decoder.color_space(),
            range: if full { color::Range::JPEG } else { decoder.color_range() },
            primaries: decoder.color_primaries(),
            transfer: decoder.color_transfer_characteristic(),
        },
    }
}

fn sets_of_edge(source: &Source, pictures: &Pictures, crf: u8, edge: EdgeForm) -> Result<AvcC, String> {
    let encoder = open_edge(pictures, crf, edge, source.path()).map_err(|error| error.message)?;
    let sets = AvcC::of_annex_b(&raw::encoder_extradata(&encoder));
    let made = sets.sps.first().and_then(|unit| Sps::read(unit)).filter(|_| sets.sps.len() == 1 && sets.pps.len() == 1);
    match made {
        Some(sps) if sps.id == edge.id && sps.profile <= edge.profile => Ok(sets),
        _ => Err("the encoder's parameter sets do not join the source's".into()),
    }
}
