//! Opens the H.264 encoder so that the same frames give the same bytes on every run.
//! Knows encoder settings; knows nothing of where frames come from or packets go.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use ffmpeg_next::codec::{self, encoder, threading};
use ffmpeg_next::{Codec, Dictionary, Error as AvError, Rational, color, format};

use crate::error::{VideoError, VideoErrorKind};
use crate::libav::{self, raw};

/// How hard the encoder works: slower gives fewer bytes at the same quality. x264's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the names are x264's own and say all there is to say")]
pub enum Preset {
    Ultrafast,
    Superfast,
    #[default]
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
}

impl Preset {
    /// Every preset, fastest first.
    pub const ALL: [Preset; 7] = [
        Preset::Ultrafast,
        Preset::Superfast,
        Preset::Veryfast,
        Preset::Faster,
        Preset::Fast,
        Preset::Medium,
        Preset::Slow,
    ];

    /// The name as x264 and specs write it.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Ultrafast => "ultrafast",
            Preset::Superfast => "superfast",
            Preset::Veryfast => "veryfast",
            Preset::Faster => "faster",
            Preset::Fast => "fast",
            Preset::Medium => "medium",
            Preset::Slow => "slow",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| {
            let names = Preset::ALL.map(Preset::name).join(", ");
            format!("`{name}` is no preset; the presets are {names}")
        })
    }
}

/// FFmpeg's name of the encoder that is always there.
pub(crate) const X264: &str = "libx264";

/// How the names of those end that a GPU of NVIDIA's encodes with.
const NVENC: &str = "_nvenc";
const NO_NVENC: &str = "it needs a GPU of NVIDIA's with its driver; `libx264` needs neither";

/// How clips are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncodeOptions {
    /// Constant quality, 0 (lossless) to 51 (worst). 18 is hard to tell from the source.
    pub crf: u8,
    /// How hard the encoder works.
    pub preset: Preset,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        EncodeOptions { crf: 18, preset: Preset::Veryfast }
    }
}

/// How the colours of pictures are to be understood, as H.264 states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColorTags {
    pub(crate) space: color::Space,
    pub(crate) range: color::Range,
    pub(crate) primaries: color::Primaries,
    pub(crate) transfer: color::TransferCharacteristic,
}

/// The pictures an encoder is opened for.
#[derive(Clone, Copy)]
pub(crate) struct Pictures {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: format::Pixel,
    pub(crate) time_base: Rational,
    pub(crate) frame_rate: Option<Rational>,
    pub(crate) pixel_aspect: Rational,
    pub(crate) colors: ColorTags,
}

/// A fixed distance of key frames, and of the frames between them. Without one, the encoder chooses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedGop {
    pub(crate) frames: u32,
    pub(crate) b_frames: u8,
}

/// What the parameter sets of an encoder are to say, so that its packets can stand beside those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EdgeForm {
    /// The number its parameter sets go by; the other's have other numbers.
    pub(crate) id: u32,
    /// Baseline, main or high, as H.264 numbers them.
    pub(crate) profile: u32,
    pub(crate) level: u32,
    /// Pictures a decoder makes room for.
    pub(crate) room: u32,
}

/// One step of the quantiser for all of an edge, so that no picture is far from the source's however hard it is: at 18 a
/// step is 5 levels wide, which leaves 42 dB where every coefficient falls between two steps. 0 is another profile.
const COARSEST_EDGE: u8 = 18;
const FINEST_EDGE: u8 = 4;

/// Opens x264 for the few frames between a clip's end and the nearest key frame. They are shown in the order they are
/// encoded, and only the first is a key frame.
pub(crate) fn open_edge(
    pictures: &Pictures,
    crf: u8,
    form: EdgeForm,
    path: &Path,
) -> Result<encoder::Video, VideoError> {
    let options = EncodeOptions { crf, preset: Preset::Superfast };
    let mut entries = Dictionary::new();
    entries.set("preset", options.preset.name());
    entries.set("qp", &crf.clamp(FINEST_EDGE, COARSEST_EDGE).to_string());
    let profile = match form.profile {
        66 => "baseline",
        77 => "main",
        _ => "high",
    };
    entries.set("profile", profile);
    let EdgeForm { id, level, room, .. } = form;
    let alone = "bframes=0:keyint=infinite:scenecut=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:psy=0";
    entries.set("x264-params", &format!("sps-id={id}:level={level}:dpb-size={room}:{alone}"));
    open(X264, pictures, options, entries, path)
}

/// Opens x264 on one thread: more threads give other bytes, and clips are encoded side by side anyway.
pub(crate) fn open_h264(
    pictures: &Pictures,
    options: EncodeOptions,
    gop: Option<FixedGop>,
    path: &Path,
) -> Result<encoder::Video, VideoError> {
    open(X264, pictures, options, dictionary(options, gop), path)
}

/// Opens an encoder by FFmpeg's name. One that is not x264 is told the quality in its own words, and nothing else.
pub(crate) fn open_named(
    name: &str,
    pictures: &Pictures,
    options: EncodeOptions,
    path: &Path,
) -> Result<encoder::Video, VideoError> {
    if name == X264 {
        return open_h264(pictures, options, None, path);
    }
    let mut entries = Dictionary::new();
    if !name.ends_with(NVENC) {
        entries.set("crf", &options.crf.to_string());
        return open(name, pictures, options, entries, path);
    }
    // It has no lossless constant quality: 0 would mean that it chooses.
    entries.set("cq", &options.crf.max(1).to_string());
    open(name, pictures, options, entries, path).map_err(|error| match error.kind {
        VideoErrorKind::Encoder => VideoError::bad_option(path, format!("`{name}` does not start here"), NO_NVENC),
        _ => error,
    })
}

/// FFmpeg's names of the encoders of this build that clips can be encoded with: those that take pictures in 4:2:0.
pub fn encoders() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    let takes_420 = |codec: &Codec| {
        let formats = codec.video().ok().and_then(|video| video.formats());
        formats.is_none_or(|mut all| all.any(|pixels| pixels == format::Pixel::YUV420P))
    };
    NAMES.get_or_init(|| {
        libav::prepare();
        let encoders = raw::codecs().filter(|codec| codec.is_encoder() && codec.is_video() && takes_420(codec));
        encoders.map(|codec| codec.name().to_owned()).collect()
    })
}

fn those_there_are() -> String {
    format!("use one of those that there are: {}", encoders().join(", "))
}

fn open(
    name: &str,
    pictures: &Pictures,
    options: EncodeOptions,
    entries: Dictionary<'_>,
    path: &Path,
) -> Result<encoder::Video, VideoError> {
    libav::prepare();
    check_options(pictures, options, path)?;
    let size = [pictures.width, pictures.height];
    let fail = |e: AvError| VideoError::encoding(path, "opening the encoder", e, size);
    let codec = encoder::find_by_name(name).ok_or_else(|| {
        VideoError::bad_option(path, format!("there is no encoder `{name}` in this build"), those_there_are())
    })?;
    let mut encoder = codec::Context::new_with_codec(codec).encoder().video().map_err(fail)?;
    encoder.set_width(pictures.width);
    encoder.set_height(pictures.height);
    encoder.set_format(pictures.format);
    encoder.set_time_base(pictures.time_base);
    encoder.set_frame_rate(pictures.frame_rate);
    encoder.set_aspect_ratio(pictures.pixel_aspect);
    encoder.set_colorspace(pictures.colors.space);
    encoder.set_color_range(pictures.colors.range);
    encoder.set_color_primaries(pictures.colors.primaries);
    encoder.set_color_transfer_characteristic(pictures.colors.transfer);
    encoder.set_threading(threading::Config { count: 1, ..threading::Config::default() });
    encoder.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::BITEXACT);
    encoder.open_as_with(codec, entries).map_err(fail)
}

fn dictionary(options: EncodeOptions, gop: Option<FixedGop>) -> Dictionary<'static> {
    let mut entries = Dictionary::new();
    entries.set("preset", options.preset.name());
    entries.set("crf", &options.crf.to_string());
    if let Some(gop) = gop {
        entries.set("g", &gop.frames.to_string());
        entries.set("keyint_min", &gop.frames.to_string());
        entries.set("sc_threshold", "0");
        entries.set("bf", &gop.b_frames.to_string());
        // Always as many B frames as were asked for, and not where the encoder finds them worth it.
        entries.set("b_strategy", "0");
        entries.set("x264-params", "open-gop=0");
    }
    entries
}

fn check_options(pictures: &Pictures, options: EncodeOptions, path: &Path) -> Result<(), VideoError> {
    if options.crf > 51 {
        let message = format!("crf {} is not in 0..=51", options.crf);
        return Err(VideoError::bad_option(path, message, "18 is hard to tell from the source, 28 is small"));
    }
    if pictures.width == 0 || pictures.height == 0 {
        let message = format!("pictures of {}x{} cannot be encoded", pictures.width, pictures.height);
        return Err(VideoError::new(VideoErrorKind::BadOption, path, message, "give a size of at least 2x2"));
    }
    Ok(())
}
