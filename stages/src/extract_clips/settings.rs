//! What a spec says of a stage that cuts clips -> which angles, which parts of them, and how they are cut.

use super::plays::{Asking, Sync};
use super::times::{StartTimecode, TimesName};
use pipe_engine::ids::{Cell, scalar};
use pipe_engine::stage::{ConfigProblem, InputSource, OneResult};
use pipe_engine::units::Millis;
use pipe_video::{CutMode, CutOptions, EncodeOptions, Pixels, Preset, Ratio, Sound, encoders};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Cuts the clip of each play out of a video, exact to the frame: a clip holds the frames that are shown from
/// its start up to, and without, its end. Writes `clips.jsonl`, one MP4 and one small JPEG a play, and a contact sheet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The stage that gives the plays, with columns `id`, `start_ms` and `end_ms`, or what `times` says instead of these.
    #[expect(dead_code, reason = "the engine finds the stage by its mark")]
    pub(super) plays: OneResult,
    /// The video they are cut out of: a path, or the address of one that is read where it lies, which begins with `https://`,
    /// `http://`, `s3://` or `gs://`.
    #[serde(default)]
    pub(super) video: Option<InputSource>,
    /// Instead of `video` several of the same plays, by the camera angle: `{ FAR_LEFT = "a.mp4", NEAR_LEFT = "b.mp4" }`, each
    /// a path or an address. They are cut one after another.
    #[serde(default)]
    pub(super) videos: BTreeMap<String, InputSource>,
    /// What the plays' times are: `ms`, `timecode` or `frame`. Default: `ms`.
    #[serde(default)]
    pub(super) times: TimesName,
    /// The timecode of the video's first frame, from which timecodes are counted: `video`, or one such as `10:00:00:00`. Only with
    /// `times = "timecode"`. Default: `video`, that is the one that the video carries, or `00:00:00:00` if it carries none.
    #[serde(default)]
    pub(super) start_timecode: Option<StartTimecode>,
    /// What is added to the plays' times to get those of the video, since cameras do not start together: `"-1.5s"`, or one for
    /// each angle, as in `{ FAR_LEFT = "0s", NEAR_LEFT = "-1.5s" }`. Instead of an offset, `{ column = "offset_ms" }` takes
    /// that of a column. Default: nothing.
    #[serde(default)]
    pub(super) sync: Option<Sync>,
    /// How much earlier each clip begins, as far as the video reaches. Default: nothing.
    #[serde(default)]
    pub(super) pad_before: Millis,
    /// How much later each clip ends, as far as the video reaches. Default: nothing.
    #[serde(default)]
    pub(super) pad_after: Millis,
    /// The share of clips that must be cut for the task to succeed, from 0 to 1. Clips that cannot be cut are told in
    /// `clips.jsonl` and tried again by the next run. Default: 1, all of them.
    #[serde(default = "default_min_success")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) min_success: f64,
    /// Whether each clip gets a small picture, and all of them a contact sheet. Default: `true`.
    #[serde(default = "default_thumbnails")]
    pub(super) thumbnails: bool,
    /// What of the video is copied and what is encoded. Default: `smart`.
    #[serde(default)]
    pub(super) mode: ModeName,
    /// Which of the video's tracks of sound clips get: `best`, the one that players choose; `all`; `none`; or the number of one,
    /// from 0. What MP4 can hold is copied, anything else is encoded as AAC. Default: `best`.
    #[serde(default)]
    pub(super) audio: Audio,
    /// Width and height of the clips, both even. Only where every frame is encoded, as `fps` and `pixels`. Default: the
    /// video's own.
    #[serde(default)]
    pub(super) size: Option<[u32; 2]>,
    /// Frames a second: at each moment the one that is on screen. Default: the video's own times.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub(super) fps: Option<u32>,
    /// How finely colour is stored. Default: as in the video, in 8 bits.
    #[serde(default)]
    pub(super) pixels: Option<PixelsName>,
    /// FFmpeg's name of the encoder for clips that are encoded whole, such as `h264_nvenc` where there is one. Default:
    /// `libx264`.
    #[serde(default = "default_encoder")]
    pub(super) encoder: String,
    /// Quality, from 0 (lossless) to 51 (worst). Default: 18, hard to tell from the source.
    #[serde(default = "default_crf")]
    #[schemars(range(min = 0, max = 51))]
    pub(super) crf: u8,
    /// How hard the encoder works; slower gives smaller files. Default: `veryfast`.
    #[serde(default)]
    pub(super) preset: PresetName,
}

/// How clips are cut. However it is, a clip that cannot be proven right otherwise is encoded whole, and the manifest
/// says so.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ModeName {
    /// Copies whole groups of pictures and encodes the frames at the edges: exact, and near the speed of copying.
    #[default]
    Smart,
    /// Copies everything: from the key frame at or before the start to the first frame at or behind the end where
    /// copied frames can end. The manifest tells where that was.
    Copy,
    /// Encodes every frame.
    Encode,
}

fn default_thumbnails() -> bool {
    true
}

fn default_min_success() -> f64 {
    1.0
}

fn default_encoder() -> String {
    CutOptions::default().encoder
}

/// Which tracks of sound clips get.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Audio {
    /// `true` is `best`, and `false` is `none`.
    Any(bool),
    /// The one of this number, from 0.
    Track(u32),
    Named(AudioName),
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AudioName {
    /// The one that players choose.
    Best,
    All,
    None,
}

impl Default for Audio {
    fn default() -> Self {
        Self::Named(AudioName::Best)
    }
}

impl Audio {
    fn sound(self) -> Sound {
        match self {
            Self::Any(true) | Self::Named(AudioName::Best) => Sound::Best,
            Self::Any(false) | Self::Named(AudioName::None) => Sound::None,
            Self::Named(AudioName::All) => Sound::All,
            Self::Track(number) => Sound::Track(number),
        }
    }
}

/// How finely colour is stored, as FFmpeg calls it.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PixelsName {
    Yuv420p,
    Yuv422p,
    Yuv444p,
}

/// x264's own names.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PresetName {
    Ultrafast,
    Superfast,
    #[default]
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
}

fn default_crf() -> u8 {
    EncodeOptions::default().crf
}

impl Config {
    /// Says which settings are wrong, or cannot stand together.
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        let help = "write `video = \"a.mp4\"`, or `videos = { FAR_LEFT = \"a.mp4\", NEAR_LEFT = \"b.mp4\" }`";
        match (&self.video, self.videos.is_empty()) {
            (None, true) => return Err(ConfigProblem::new("video", "there is no video to cut out of").help(help)),
            (Some(_), false) => return Err(ConfigProblem::new("videos", "`video` is given, too").help(help)),
            _ => {}
        }
        if !(0.0..=1.0).contains(&self.min_success) {
            let message = format!("{} is no share of the clips", self.min_success);
            return Err(ConfigProblem::new("min_success", message).help("0.9 lets one clip of ten fail"));
        }
        if self.start_timecode.is_some() && self.times != TimesName::Timecode {
            let message = "the plays' times are no timecodes";
            return Err(ConfigProblem::new("start_timecode", message).help("add `times = \"timecode\"`, or use `sync`"));
        }
        let encoders = encoders();
        if !encoders.contains(&self.encoder) {
            let message = format!("there is no encoder `{}` in this build", self.encoder);
            let help = format!("use one of those that there are: {}", encoders.join(", "));
            return Err(ConfigProblem::new("encoder", message).help(help));
        }
        let shaped = [("size", self.size.is_some()), ("fps", self.fps.is_some()), ("pixels", self.pixels.is_some())];
        match shaped.iter().find(|(_, given)| *given && !matches!(self.mode, ModeName::Encode)) {
            Some((field, _)) => {
                let message = format!("`{field}` cannot be changed where frames are copied");
                Err(ConfigProblem::new(*field, message).help("add `mode = \"encode\"`"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn asking(&self) -> Asking {
        Asking {
            times: self.times,
            start: self.start_timecode.unwrap_or_default(),
            before: self.pad_before,
            after: self.pad_after,
        }
    }

    /// The angles of a task, and what is known of them: those of `videos`, or the one of its cell.
    pub(super) fn angles(&self, cell: &Cell) -> Vec<Option<String>> {
        match self.videos.is_empty() {
            true => vec![cell.get("angle").map(scalar)],
            false => self.videos.keys().cloned().map(Some).collect(),
        }
    }

    /// Says which angle of a task has no offset.
    pub(super) fn check_sync(&self, cell: &Cell) -> Result<(), ConfigProblem> {
        let Some(sync) = &self.sync else { return Ok(()) };
        self.angles(cell).iter().try_for_each(|angle| sync.shift(angle.as_deref()).map(drop)).map_err(|problem| {
            ConfigProblem::new("sync", problem).help("give one for each angle: `sync = { FAR_LEFT = \"0s\", ... }`")
        })
    }

    pub(super) fn options(&self) -> CutOptions {
        let encode = EncodeOptions { crf: self.crf, preset: Preset::ALL[self.preset as usize] };
        CutOptions {
            mode: CutMode::ALL[self.mode as usize],
            encode,
            audio: self.audio.sound(),
            encoder: self.encoder.clone(),
            size: self.size.map(|[width, height]| (width, height)),
            frame_rate: self.fps.map(|num| Ratio { num, den: 1 }),
            pixels: self.pixels.map(|pixels| match pixels {
                PixelsName::Yuv420p => Pixels::Yuv420,
                PixelsName::Yuv422p => Pixels::Yuv422,
                PixelsName::Yuv444p => Pixels::Yuv444,
            }),
        }
    }
}
