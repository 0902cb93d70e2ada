//! How clips are to be cut.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ffmpeg_next::format::Pixel;

use crate::encode::{EncodeOptions, X264};
use crate::error::VideoError;
use crate::time::Ratio;

/// Which frames of a clip are copied as they are, and which are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CutMode {
    /// Whole groups of pictures are copied, and only the frames at the edges are encoded. What is not proven safe to
    /// join is encoded whole, and the report says why.
    #[default]
    Smart,
    /// Nothing is encoded: the clip begins at the key frame at or before its start, and ends where copied frames can.
    /// It holds all frames asked for and perhaps others around them, all of which are shown.
    Copy,
    /// Every frame is encoded.
    Encode,
}

impl CutMode {
    /// Every mode.
    pub const ALL: [CutMode; 3] = [CutMode::Smart, CutMode::Copy, CutMode::Encode];

    /// The name as specs and manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            CutMode::Smart => "smart",
            CutMode::Copy => "copy",
            CutMode::Encode => "encode",
        }
    }
}

impl fmt::Display for CutMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CutMode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        CutMode::ALL.into_iter().find(|mode| mode.name() == name).ok_or_else(|| {
            let names = CutMode::ALL.map(CutMode::name).join(", ");
            format!("`{name}` is no mode; the modes are {names}")
        })
    }
}

/// How clips are cut.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CutOptions {
    /// What is copied.
    pub mode: CutMode,
    /// Quality and effort of what is encoded. The edges of a smart clip have its quality and the least effort.
    pub encode: EncodeOptions,
    /// Which sound is taken along.
    pub audio: Sound,
    /// FFmpeg's name of the encoder for clips that are encoded whole.
    pub encoder: String,
    /// Width and height of the clips' pictures; both even. Of `Encode` only, like what follows.
    pub size: Option<(u32, u32)>,
    /// Frames a second: at each moment the frame that is on screen.
    pub frame_rate: Option<Ratio>,
    /// How finely colour is stored.
    pub pixels: Option<Pixels>,
}

/// Which tracks of sound a clip gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sound {
    /// None.
    None,
    /// The one that players choose: FFmpeg's best.
    #[default]
    Best,
    /// All, in their order.
    All,
    /// The one of this number among the tracks of sound, from 0.
    Track(u32),
}

impl fmt::Display for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sound::None => f.write_str("none"),
            Sound::Best => f.write_str("best"),
            Sound::All => f.write_str("all"),
            Sound::Track(number) => write!(f, "{number}"),
        }
    }
}

/// How finely colour is stored, in eight bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pixels {
    /// 4:2:0, which everything plays.
    Yuv420,
    /// 4:2:2.
    Yuv422,
    /// 4:4:4.
    Yuv444,
}

impl Pixels {
    /// FFmpeg's name: there are others for pictures whose values use the full range.
    pub(crate) fn format(self, full_range: bool) -> Pixel {
        match (self, full_range) {
            (Pixels::Yuv420, false) => Pixel::YUV420P,
            (Pixels::Yuv422, false) => Pixel::YUV422P,
            (Pixels::Yuv444, false) => Pixel::YUV444P,
            (Pixels::Yuv420, true) => Pixel::YUVJ420P,
            (Pixels::Yuv422, true) => Pixel::YUVJ422P,
            (Pixels::Yuv444, true) => Pixel::YUVJ444P,
        }
    }
}

impl CutOptions {
    /// Says which option cannot work.
    pub(crate) fn check(&self, out: &Path) -> Result<(), VideoError> {
        let shaped = self.size.is_some() || self.frame_rate.is_some() || self.pixels.is_some();
        if shaped && self.mode != CutMode::Encode {
            let message = "size, frame rate and pixels cannot be changed where packets are copied";
            return Err(VideoError::bad_option(out, message, "use the mode `encode`"));
        }
        if let Some((width, height)) = self.size
            && (width == 0 || height == 0 || width % 2 != 0 || height % 2 != 0 || width.max(height) > 16_384)
        {
            let message = format!("pictures of {width}x{height} cannot be encoded");
            return Err(VideoError::bad_option(out, message, "give an even width and an even height up to 16384"));
        }
        match self.frame_rate {
            Some(Ratio { num, den }) if num == 0 || den == 0 || num / den > 1000 => {
                let message = format!("{num}/{den} is no frame rate");
                Err(VideoError::bad_option(out, message, "give up to 1000 frames a second"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for CutOptions {
    fn default() -> Self {
        CutOptions {
            mode: CutMode::Smart,
            encode: EncodeOptions::default(),
            audio: Sound::Best,
            encoder: X264.to_owned(),
            size: None,
            frame_rate: None,
            pixels: None,
        }
    }
}

impl From<EncodeOptions> for CutOptions {
    /// Every frame is encoded so.
    fn from(encode: EncodeOptions) -> Self {
        CutOptions { mode: CutMode::Encode, encode, ..CutOptions::default() }
    }
}
