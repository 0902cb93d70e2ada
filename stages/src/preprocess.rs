//! `kind = "preprocess"`: clips -> tensors ready for a model, in safetensors shards.

use crate::extract_clips::video_failure;
use crate::jsonl;
use crate::records::{CLIPS, ClipRecord, FRAMES, FramesRecord};
use crate::side_by_side;
use pipe_engine::attempt::Input;
use pipe_engine::failure::Failure;
use pipe_engine::stage::{ConfigProblem, Format, OneResult, StageKind, read_config};
use pipe_engine::work::Work;
use pipe_video::{Fit, FrameSpec, Sampling, sample, versions};
use safetensors::tensor::{Dtype, TensorView, serialize};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::num::NonZeroU32;

/// Raised whenever the same clip would give other numbers. The crates that convert and resize stand beside it in
/// [`Preprocess::code`].
const CODE: u32 = 1;

pub(crate) struct Preprocess;

/// Decodes clips and turns frames of each into a tensor: RGB, resized with an antialiased filter, scaled to 0..=1,
/// normalised, `[clip, frame, channel, height, width]`. Writes shards and `frames.jsonl`, which says where each clip is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The stage that gives the clips.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    clips: OneResult,
    /// Width and height in pixels.
    size: [NonZeroU32; 2],
    /// Frames taken from each clip, spread evenly: the middle of each of as many equal parts. Default: 8.
    #[serde(default = "default_frames")]
    frames: NonZeroU32,
    /// What happens to clips of another shape. Default: `stretch`.
    #[serde(default)]
    fit: FitName,
    /// Taken from red, green and blue after they were brought to 0..=1. Default: 0.5 each.
    #[serde(default = "default_half")]
    mean: [f32; 3],
    /// What each is divided by afterwards. Default: 0.5 each, which gives -1..=1.
    #[serde(default = "default_half")]
    std: [f32; 3],
    /// Clips in one shard. Default: 256.
    #[serde(default = "default_shard")]
    shard: NonZeroU32,
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

fn default_frames() -> NonZeroU32 {
    NonZeroU32::new(8).expect("8 is not zero")
}

fn default_half() -> [f32; 3] {
    [0.5; 3]
}

fn default_shard() -> NonZeroU32 {
    NonZeroU32::new(256).expect("256 is not zero")
}

impl Config {
    fn spec(&self) -> FrameSpec {
        let fit = match self.fit {
            FitName::Stretch => Fit::Stretch,
            FitName::Letterbox => Fit::Letterbox,
            FitName::Crop => Fit::Crop,
        };
        let [width, height] = self.size.map(NonZeroU32::get);
        FrameSpec { fit, mean: self.mean, std: self.std, ..FrameSpec::plain(width, height) }
    }

    fn sampling(&self) -> Sampling {
        Sampling::Uniform { n: self.frames.get() as usize }
    }

    /// The shape of one clip's tensor: `[frame, channel, height, width]`.
    fn shape(&self) -> [usize; 4] {
        [self.frames.get() as usize, 3, self.size[1].get() as usize, self.size[0].get() as usize]
    }
}

impl StageKind for Preprocess {
    fn name(&self) -> &'static str {
        "preprocess"
    }

    fn code(&self) -> String {
        format!("{CODE} yuv 0.8, fast_image_resize 6.1, {}", versions())
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn formats(&self) -> Vec<Format> {
        vec![Format::of::<FramesRecord>("frames", &[FRAMES])]
    }

    fn makes(&self, _: &Json) -> Vec<String> {
        vec![FRAMES.to_owned()]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        let config: Config = read_config(config)?;
        match config.std.iter().position(|s| *s <= 0.0) {
            Some(i) => {
                Err(ConfigProblem::new(format!("std[{i}]"), "pixels are divided by this, so it must be above 0"))
            }
            None => Ok(()),
        }
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let config: Config = work.config()?;
        let input = work.input("clips")?;
        let clips: Vec<ClipRecord> = jsonl::read(&work.path_in(input, CLIPS)?)?;
        let mut index = Vec::with_capacity(clips.len());
        for (number, part) in clips.chunks(config.shard.get() as usize).enumerate() {
            let shard = format!("frames-{number:05}.safetensors");
            let before = index.len();
            let frames = tensors(work, input, &config, part, (before, clips.len()))?;
            work.write(&shard, &shard_bytes(&config, part.len(), &frames)?)?;
            let place =
                |(row, clip): (usize, &ClipRecord)| FramesRecord { id: clip.id.clone(), shard: shard.clone(), row };
            index.extend(part.iter().enumerate().map(place));
        }
        work.write(FRAMES, &jsonl::write(&index))?;
        Ok(json!({ "clips": clips.len(), "shape": config.shape() }))
    }
}

/// The tensors of some clips, in their order. `told`: clips done before, and clips in all.
fn tensors(
    work: &Work<'_>,
    input: &Input,
    config: &Config,
    clips: &[ClipRecord],
    told: (usize, usize),
) -> Result<Vec<f32>, Failure> {
    let progress = |done| work.progress(told.0 + done, told.1, "clips");
    let tensors = side_by_side::map(clips, work.cpu(), progress, |(): &mut (), clip| {
        let path = work.path_in(input, &clip.path)?;
        sample(&path, config.sampling(), &config.spec()).map(|s| s.data).map_err(|e| video_failure(&e))
    })?;
    Ok(tensors.concat())
}

fn shard_bytes(config: &Config, clips: usize, frames: &[f32]) -> Result<Vec<u8>, Failure> {
    let shape = [&[clips], config.shape().as_slice()].concat();
    let bytes: Vec<u8> = frames.iter().flat_map(|f| f.to_le_bytes()).collect();
    let failed =
        |e: safetensors::SafeTensorError| Failure::failed("bad_tensor", "the frames do not make a tensor").source(e);
    let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(failed)?;
    serialize([("frames", view)], None).map_err(failed)
}
