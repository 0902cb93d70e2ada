//! The few calls that the safe binding has no word for. The only file with unsafe code.
#![allow(unsafe_code)]

use std::ptr;

use ffmpeg_next::codec::packet::side_data;
use ffmpeg_next::format::stream::{Stream, StreamMut};
use ffmpeg_next::packet::Ref;
use ffmpeg_next::{Packet, ffi};

/// Forgets the four-letter tag of another container, so that the muxer chooses its own for the codec.
pub(crate) fn clear_codec_tag(stream: &mut StreamMut<'_>) {
    // SAFETY: a stream of an open output always has codec parameters, and `&mut` makes this the only access.
    unsafe {
        (*(*stream.as_mut_ptr()).codecpar).codec_tag = 0;
    }
}

/// The 3x3 matrix that says how the pictures of a stream are turned for display, in FFmpeg's fixed-point form.
pub(crate) fn display_matrix(stream: &Stream<'_>) -> Option<Vec<u8>> {
    stream.side_data().find(|data| data.kind() == side_data::Type::DisplayMatrix).map(|data| data.data().to_vec())
}

/// Gives a stream of an output the display matrix of its source. `matrix`: as `display_matrix` returned it.
pub(crate) fn set_display_matrix(stream: &mut StreamMut<'_>, matrix: &[u8]) {
    let kind = ffi::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX;
    // SAFETY: the stream belongs to an open output. FFmpeg returns room for exactly `matrix.len()` bytes, or null
    // when memory is out; the source slice cannot overlap with memory that was allocated just now.
    unsafe {
        let room = ffi::av_stream_new_side_data(stream.as_mut_ptr(), kind, matrix.len());
        if !room.is_null() {
            ptr::copy_nonoverlapping(matrix.as_ptr(), room, matrix.len());
        }
    }
}

/// Whether a packet is needed for decoding only: an edit list hides its picture.
pub(crate) fn is_hidden(packet: &Packet) -> bool {
    // SAFETY: the pointer is that of a packet which lives as long as the borrow; one integer is read.
    unsafe { (*packet.as_ptr()).flags & ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// The size of pictures a stream's index states, before anything is decoded: width, height.
pub(crate) fn coded_size(stream: &Stream<'_>) -> (u32, u32) {
    // SAFETY: a stream of an open input always has codec parameters; two integers are read.
    let (width, height) = unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        ((*parameters).width, (*parameters).height)
    };
    (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0))
}
