//! The settings of `kind = "preprocess"`, and what they mean for the frames.

use pipe_engine::stage::{ConfigProblem, OneResult};
use pipe_engine::units::Bytes;
use pipe_video::frames::{Element, Filter, FrameError, Layout};
use pipe_video::{Device, Fit, FrameSpec, Ratio, Sampling};
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU32;

/// Decodes clips and turns frames of each into a tensor: RGB, resized with an antialiased filter, scaled to 0..=1,
/// normalised, `[clip, frame, channel, height, width]`. `docs/frames.md` defines every bit. Writes shards, `frames.jsonl`,
/// which says where each clip is, `tensors.json`, which says what the numbers are, and a picture of some of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The stage that gives the clips.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    clips: OneResult,
    /// Width and height in pixels.
    size: [NonZeroU32; 2],
    /// Frames taken from each clip. Default: 8.
    #[serde(default = "default_frames")]
    frames: NonZeroU32,
    /// Which frames. Default: `{ by = "uniform" }`.
    #[serde(default)]
    sample: Sample,
    /// What happens to clips of another shape. Default: `stretch`.
    #[serde(default)]
    fit: FitName,
    /// How pixels become fewer or more. Default: `triangle`.
    #[serde(default)]
    filter: FilterName,
    /// The colour of the bars of `letterbox`: red, green, blue. Default: black.
    #[serde(default)]
    pad: [u8; 3],
    /// Taken from red, green and blue after they were brought to 0..=1. Default: 0.5 each. Not with `u8`.
    mean: Option<[f32; 3]>,
    /// What each is divided by afterwards. Default: 0.5 each, which gives -1..=1. Not with `u8`.
    std: Option<[f32; 3]>,
    /// The type of the numbers. Default: `f32`. The built-in trainer reads no other.
    #[serde(default)]
    pub(super) dtype: DtypeName,
    /// The order of a frame's numbers. Default: `nchw`. The built-in trainer reads no other.
    #[serde(default)]
    pub(super) layout: LayoutName,
    /// The files that are written. Default: `safetensors`. The built-in trainer reads no other.
    #[serde(default)]
    pub(super) format: FormatName,
    /// Clips in one shard, at most. Default: 256.
    #[serde(default = "default_shard")]
    shard: NonZeroU32,
    /// Bytes of one shard, at most, unless one clip has more. Default: 512 MiB.
    shard_size: Option<Bytes>,
    /// Where frames are made: `auto`, `cpu`, or a GPU such as `cuda:0`. The bytes are the same. Default: `auto`, which is the
    /// first GPU that `resources.gpu` gave the task, and the CPU where it gave none.
    device: Option<String>,
    /// What decodes clips. Default: `cpu`.
    #[serde(default)]
    decoder: DecoderName,
}

/// What decodes clips.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DecoderName {
    /// The CPU, which knows every codec and finds damage.
    #[default]
    Cpu,
    /// The GPU that makes the frames, where it takes a clip: H.264, HEVC, VP8 and VP9 of 8 and 10 bits in 4:2:0. A whole clip
    /// gives the same bytes. Of a damaged one a GPU may make pictures without a word, so this is in the key.
    Gpu,
}

/// Which frames of a clip are taken. Where a clip has fewer than `frames`, its last one repeats.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
enum Sample {
    /// Spread evenly: the middle of each of as many equal parts.
    #[default]
    Uniform,
    /// The first frame and every nth after it.
    Every {
        /// The distance, in frames.
        n: NonZeroU32,
    },
    /// What is on screen at 0, 1/fps, 2/fps, ... seconds.
    Fps {
        /// Frames a second, in thousandths at the finest.
        fps: f64,
    },
    /// Around a time, the middle one being on screen then.
    Around {
        /// Milliseconds after the clip's first frame begins.
        at_ms: u64,
        /// The distance, in frames. Default: 1.
        #[serde(default = "default_step")]
        step: NonZeroU32,
    },
}

/// What happens to frames of another shape.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum FitName {
    /// Fills the size, whatever that does to the shape.
    #[default]
    Stretch,
    /// Keeps the shape and pads what is left.
    Letterbox,
    /// Keeps the shape and cuts off what is too much.
    Crop,
}

/// How pixels become fewer or more.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum FilterName {
    /// Bilinear, antialiased, as Pillow and torchvision define it.
    #[default]
    Triangle,
    /// Cubic with a = -0.5, antialiased.
    Bicubic,
    /// The mean of what a pixel covers.
    Area,
    /// The pixel at the centre.
    Nearest,
}

/// The type of a tensor's numbers.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DtypeName {
    /// Single precision.
    #[default]
    F32,
    /// Half precision.
    F16,
    /// Bytes, not normalised.
    U8,
}

/// The order of a frame's numbers.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LayoutName {
    /// `[channel, height, width]`.
    #[default]
    Nchw,
    /// `[height, width, channel]`.
    Nhwc,
}

/// The files that tensors are written to.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormatName {
    /// One tensor `frames` a shard.
    #[default]
    Safetensors,
    /// One NumPy array a shard.
    Npy,
    /// One tar archive a shard, with an array and a JSON for each clip.
    Webdataset,
}

impl DtypeName {
    pub(super) fn element(self) -> Element {
        match self {
            DtypeName::F32 => Element::F32,
            DtypeName::F16 => Element::F16,
            DtypeName::U8 => Element::U8,
        }
    }
}

fn default_frames() -> NonZeroU32 {
    NonZeroU32::new(8).expect("8 is not zero")
}

fn default_step() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn default_shard() -> NonZeroU32 {
    NonZeroU32::new(256).expect("256 is not zero")
}

const SHARD_BYTES: u64 = 512 << 20;

impl Settings {
    pub(super) fn spec(&self) -> FrameSpec {
        let [width, height] = self.size.map(NonZeroU32::get);
        FrameSpec {
            fit: match self.fit {
                FitName::Stretch => Fit::Stretch,
                FitName::Letterbox => Fit::Letterbox,
                FitName::Crop => Fit::Crop,
            },
            filter: match self.filter {
                FilterName::Triangle => Filter::Triangle,
                FilterName::Bicubic => Filter::Bicubic,
                FilterName::Area => Filter::Area,
                FilterName::Nearest => Filter::Nearest,
            },
            layout: match self.layout {
                LayoutName::Nchw => Layout::Nchw,
                LayoutName::Nhwc => Layout::Nhwc,
            },
            pad: self.pad,
            mean: self.mean.unwrap_or([0.5; 3]),
            std: self.std.unwrap_or([0.5; 3]),
            element: self.dtype.element(),
            ..FrameSpec::plain(width, height)
        }
    }

    pub(super) fn sampling(&self) -> Sampling {
        let n = self.count();
        match self.sample {
            Sample::Uniform => Sampling::Uniform { n },
            Sample::Every { n } => Sampling::Every { n: n.get() as usize },
            Sample::Fps { fps } => Sampling::Fps { fps: Ratio { num: (fps * 1000.0).round() as u32, den: 1000 } },
            Sample::Around { at_ms, step } => Sampling::Around { at_ms, n, step: step.get() as usize },
        }
    }

    /// Frames of each clip.
    pub(super) fn count(&self) -> usize {
        self.frames.get() as usize
    }

    /// The shape of one clip's tensor.
    pub(super) fn shape(&self) -> [usize; 4] {
        let [width, height] = self.size.map(|side| side.get() as usize);
        match self.layout {
            LayoutName::Nchw => [self.count(), 3, height, width],
            LayoutName::Nhwc => [self.count(), height, width, 3],
        }
    }

    pub(super) fn clip_bytes(&self) -> usize {
        self.shape().into_iter().product::<usize>() * self.dtype.element().size()
    }

    /// Where frames are made.
    pub(super) fn device(&self) -> Device {
        self.named_device().unwrap_or_default()
    }

    /// Whether the GPU that makes the frames decodes clips, too.
    pub(super) fn decodes_on_gpu(&self) -> bool {
        self.decoder == DecoderName::Gpu
    }

    fn named_device(&self) -> Result<Device, String> {
        self.device.as_deref().map_or(Ok(Device::Auto), str::parse)
    }

    /// Clips in one shard.
    pub(super) fn shard_clips(&self) -> usize {
        let most = self.shard_size.map_or(SHARD_BYTES, |size| size.0) / self.clip_bytes() as u64;
        (self.shard.get() as u64).min(most).max(1) as usize
    }

    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        if let Err(problem) = self.named_device() {
            return Err(ConfigProblem::new("device", problem));
        }
        if self.decodes_on_gpu() && self.device() == Device::Cpu {
            return Err(ConfigProblem::new("decoder", "`device` says that no GPU is used")
                .help("leave `decoder` out, or let a GPU make the frames"));
        }
        if matches!(self.dtype, DtypeName::U8) && (self.mean.is_some() || self.std.is_some()) {
            let field = if self.mean.is_some() { "mean" } else { "std" };
            return Err(ConfigProblem::new(field, "bytes are kept as they are, so there is nothing to normalise")
                .help("leave `mean` and `std` out, or use `f32` or `f16`"));
        }
        if let Some(i) = self.std.unwrap_or([1.0; 3]).iter().position(|s| !s.is_finite() || *s <= 0.0) {
            return Err(ConfigProblem::new(format!("std[{i}]"), "pixels are divided by this, so it must be above 0"));
        }
        if let Some(i) = self.mean.unwrap_or([0.0; 3]).iter().position(|mean| !mean.is_finite()) {
            return Err(ConfigProblem::new(format!("mean[{i}]"), "this is taken from pixels, so it must be a number"));
        }
        match self.sample {
            Sample::Fps { fps } if !(0.001..=1000.0).contains(&fps) => {
                Err(ConfigProblem::new("sample.fps", format!("{fps} frames a second are not between 0.001 and 1000")))
            }
            _ => self.check_spec(),
        }
    }

    fn check_spec(&self) -> Result<(), ConfigProblem> {
        let spec = self.spec();
        let in_field = |field: &'static str| move |e: FrameError| ConfigProblem::new(field, e.message).help(e.help);
        FrameSpec { mean: [0.0; 3], std: [1.0; 3], ..spec }.check().map_err(in_field("size"))?;
        spec.check().map_err(in_field("std"))?;
        spec.check_frames(self.count()).map_err(in_field("frames"))
    }
}
