//! H.264 as its bytes say it: parameter sets, the units of a packet. Enough to join two streams in one MP4 track.
//! Knows nothing of FFmpeg, files or clips.

mod avcc;
mod bits;
mod nal;
mod sps;

pub(crate) use avcc::AvcC;
pub(crate) use nal::{Units, annex_b, begins_idr, is_idr, is_intra, is_picture, is_unreferenced};
pub(crate) use sps::Sps;
