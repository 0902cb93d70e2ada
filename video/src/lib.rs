//! Cuts exact clips out of game video and turns frames into tensors.
//!
//! Everything here speaks of files, milliseconds, frames and pixels. It knows no plays, no stages and no engine.
//! FFmpeg does the parsing and coding; where its safe binding has no word for what is needed, `libav/raw.rs` has one, and
//! `libav/hardware.rs` for decoding on GPUs. Besides them, only `cuda/`, which speaks to a driver in C, has unsafe code.

mod error;
mod time;
mod timecode;

mod libav;

mod counting;
mod h264;
mod media;
mod opening;
mod probe;
mod pulse;
mod ranges;
mod shelf;
mod showing;
mod source;
mod steady;
mod sure;
mod survey;

mod encode;
mod mux;

mod cut;
mod writer;

pub mod frames;
mod gallery;
mod jpeg;
mod letters;
mod sheet;
mod versions;

mod device;

#[cfg(feature = "cuda")]
pub mod cuda;

pub use counting::{Counting, counting};
pub use cut::{CutMode, CutOptions, CutPlan, CutReport, Cutter, Pixels, Sound, Told};
pub use device::Device;
pub use encode::{EncodeOptions, Preset, encoders};
pub use error::{VideoError, VideoErrorKind};
pub use frames::{Fit, FrameSpec, Sampled, Sampling, Still, sample, sample_into, sample_on, still};
pub use gallery::{Tile, gallery};
pub use jpeg::jpeg;
pub use libav::hardware::Hardware;
pub use media::{Media, ReadAt, ReadFailure, Stat};
pub use probe::{VideoInfo, probe};
pub use pulse::{At, Note, Pulse};
pub use sheet::{contact_sheet, tensor_sheet};
pub use time::{Exact, Ratio, Span, Stretch};
pub use timecode::Timecode;
pub use versions::versions;
pub use writer::{Matrix, Writer, WriterOptions};
