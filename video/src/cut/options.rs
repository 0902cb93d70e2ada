//! How clips are to be cut.

use std::fmt;
use std::str::FromStr;

use crate::encode::EncodeOptions;

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
    /// Whether sound is taken along.
    pub audio: bool,
}

impl Default for CutOptions {
    fn default() -> Self {
        CutOptions { mode: CutMode::Smart, encode: EncodeOptions::default(), audio: true }
    }
}

impl From<EncodeOptions> for CutOptions {
    /// Every frame is encoded so.
    fn from(encode: EncodeOptions) -> Self {
        CutOptions { mode: CutMode::Encode, encode, ..CutOptions::default() }
    }
}
