//! The few calls that the safe binding has no word for.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use ffmpeg_next::codec::{self, packet::side_data};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::{Stream, StreamMut};
use ffmpeg_next::packet::Ref;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Codec, Packet, Rational, ffi, frame};

thread_local! {
    /// Errors that FFmpeg has logged on this thread.
    pub(super) static COMPLAINTS: Cell<u64> = const { Cell::new(0) };
    /// How many of them say that H.264 has a picture let go that was not there.
    pub(super) static LET_GO: Cell<u64> = const { Cell::new(0) };
}

/// What FFmpeg's decoder of H.264 says then.
const NOT_THERE: &CStr = c"mmco: unref short failure\n";

/// Has FFmpeg count its errors instead of printing them.
pub(crate) fn count_complaints() {
    // SAFETY: the function is of the type that FFmpeg calls, looks at the level and the message's form, and cannot panic; a
    // thread's own counts are reachable until the thread is gone.
    unsafe { ffi::av_log_set_callback(Some(complain)) }
}

/// `Rest`: the arguments of the message, whose type is another one on each machine.
unsafe extern "C" fn complain<Rest>(_: *mut c_void, level: c_int, form: *const c_char, _: Rest) {
    if !(0..=ffi::AV_LOG_ERROR).contains(&level) {
        return;
    }
    let _ = COMPLAINTS.try_with(|count| count.set(count.get() + 1));
    // SAFETY: FFmpeg's forms of messages are constants that end with a zero.
    if !form.is_null() && unsafe { CStr::from_ptr(form) } == NOT_THERE {
        let _ = LET_GO.try_with(|count| count.set(count.get() + 1));
    }
}

/// Every encoder and decoder of this build, in FFmpeg's own order.
pub(crate) fn codecs() -> impl Iterator<Item = Codec> {
    let mut place = ptr::null_mut();
    std::iter::from_fn(move || {
        // SAFETY: `place` is null at first and FFmpeg's own afterwards; a codec is a constant of the library.
        unsafe {
            let codec = ffi::av_codec_iterate(&raw mut place);
            (!codec.is_null()).then(|| Codec::wrap(codec))
        }
    })
}

/// Has FFmpeg refuse itself more memory at once than so much.
pub(crate) fn limit_allocations(most: usize) {
    // SAFETY: the function stores one number that FFmpeg reads before it allocates.
    unsafe { ffi::av_max_alloc(most) }
}

/// Has the C library give every block of at least so many bytes back when it is freed, and keep what is smaller. Without this it
/// learns from the first large block that is freed to keep large ones, too, which lie scattered and fit no other.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back_blocks_of(bytes: c_int, kept: c_int) {
    // malloc.h of glibc, which has never changed them.
    const M_TRIM_THRESHOLD: c_int = -1;
    const M_MMAP_THRESHOLD: c_int = -3;
    // SAFETY: the function is that of glibc, which this is linked with. It sets a number behind a lock of its own, at any time,
    // and moves nothing that was allocated.
    unsafe extern "C" {
        safe fn mallopt(what: c_int, value: c_int) -> c_int;
    }
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, kept);
}

/// Other C libraries have no such numbers.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_blocks_of(_: c_int, _: c_int) {}

/// Goes to a byte of the file. `false`: the container cannot be read from there.
pub(crate) fn seek_byte(input: &mut Input, at: i64) -> bool {
    // SAFETY: the context is that of an open input, and `&mut` makes this the only access.
    unsafe { ffi::av_seek_frame(input.as_mut_ptr(), -1, at, ffi::AVSEEK_FLAG_BYTE) >= 0 }
}

/// Gives a decoded frame its time, also as FFmpeg's best guess.
pub(crate) fn set_time(frame: &mut frame::Video, time: i64) {
    // SAFETY: the pointer is that of a frame which lives as long as the borrow; two integers are written.
    unsafe {
        (*frame.as_mut_ptr()).pts = time;
        (*frame.as_mut_ptr()).best_effort_timestamp = time;
    }
}

/// The same picture once more, which stays as it is whatever the decoder goes on to. Its bytes are not copied.
pub(crate) fn share(frame: &frame::Video) -> frame::Video {
    let mut shared = frame::Video::empty();
    // SAFETY: both are frames that live as long as the borrows, and the new one holds nothing yet. A frame that cannot be
    // had for lack of memory stays empty, and has no format that anybody takes.
    unsafe { ffi::av_frame_ref(shared.as_mut_ptr(), frame.as_ptr()) };
    shared
}

/// What brings pictures into another form, on one thread after another.
pub(crate) struct Scaler(scaling::Context);

// SAFETY: a context of swscale that was opened without threads of its own keeps nothing that belongs to a thread, and whoever owns it is
// the only one who uses it.
unsafe impl Send for Scaler {}

impl Scaler {
    pub(crate) fn new(context: scaling::Context) -> Self {
        Scaler(context)
    }

    pub(crate) fn run(&mut self, from: &frame::Video, into: &mut frame::Video) -> Result<(), ffmpeg_next::Error> {
        self.0.run(from, into)
    }
}

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

/// How many pictures a stream says are decoded before one is shown. Too few where it does not know.
pub(crate) fn reordered(stream: &Stream<'_>) -> usize {
    // SAFETY: a stream of an open input always has codec parameters; one integer is read.
    let delay = unsafe { (*(*stream.as_ptr()).codecpar).video_delay };
    usize::try_from(delay).unwrap_or(0)
}

/// How many pictures a decoder keeps back at this moment before it shows one, since a later one may be shown earlier.
pub(crate) fn held(decoder: &codec::decoder::Video) -> usize {
    // SAFETY: an open decoder owns its context, which lives as long as the borrow; one integer is read.
    let held = unsafe { (*decoder.as_ptr()).has_b_frames };
    usize::try_from(held).unwrap_or(0)
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

/// Whether it is known how the values of a stream's pictures are stored. No index states it.
pub(crate) fn has_form(stream: &Stream<'_>) -> bool {
    // SAFETY: a stream of an open input always has codec parameters; one integer is read.
    unsafe { (*(*stream.as_ptr()).codecpar).format >= 0 }
}

/// Out-of-band data of a stream's codec: for H.264 in MP4, the record with its parameter sets.
pub(crate) fn extradata(stream: &Stream<'_>) -> Vec<u8> {
    // SAFETY: a stream of an open input always has codec parameters; `extradata` points to `extradata_size` bytes that
    // live as long as the stream, or is null, and they are copied before the borrow ends.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        let size = usize::try_from((*parameters).extradata_size).unwrap_or(0);
        if (*parameters).extradata.is_null() || size == 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts((*parameters).extradata, size).to_vec()
    }
}

/// The parameter sets an encoder announces when it was opened to put them beside the packets.
pub(crate) fn encoder_extradata(encoder: &codec::Context) -> Vec<u8> {
    // SAFETY: an open encoder's `extradata` points to `extradata_size` bytes that live as long as it, or is null.
    unsafe {
        let context = encoder.as_ptr();
        let size = usize::try_from((*context).extradata_size).unwrap_or(0);
        if (*context).extradata.is_null() || size == 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts((*context).extradata, size).to_vec()
    }
}

/// Gives a stream of an output other out-of-band data. `false`: memory is out.
pub(crate) fn set_extradata(stream: &mut StreamMut<'_>, bytes: &[u8]) -> bool {
    let padding = ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
    let Ok(size) = i32::try_from(bytes.len()) else { return false };
    // SAFETY: the stream belongs to an output whose header is not written, so nobody else reads the parameters. The old
    // memory came from FFmpeg's allocator and goes back to it; the new one has room for the bytes and zeroed padding.
    unsafe {
        let parameters = (*stream.as_mut_ptr()).codecpar;
        let room = ffi::av_mallocz(bytes.len() + padding).cast::<u8>();
        if room.is_null() {
            return false;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
        ffi::av_freep((&raw mut (*parameters).extradata).cast());
        (*parameters).extradata = room;
        (*parameters).extradata_size = size;
    }
    true
}

/// The shape of a stream's pixels: what the container says, or else what the codec says.
pub(crate) fn pixel_aspect(stream: &Stream<'_>) -> Rational {
    // SAFETY: a stream of an open input always has codec parameters; two fractions are read.
    let (outer, inner) = unsafe {
        let inner = (*stream.as_ptr()).codecpar;
        ((*stream.as_ptr()).sample_aspect_ratio, (*inner).sample_aspect_ratio)
    };
    Rational::from(if outer.num > 0 && outer.den > 0 { outer } else { inner })
}

/// Gives a stream of an output the shape of its pixels.
pub(crate) fn set_pixel_aspect(stream: &mut StreamMut<'_>, aspect: Rational) {
    // SAFETY: a stream of an open output always has codec parameters, and `&mut` makes this the only access.
    unsafe {
        (*stream.as_mut_ptr()).sample_aspect_ratio = aspect.into();
        (*(*stream.as_mut_ptr()).codecpar).sample_aspect_ratio = aspect.into();
    }
}

/// Says whether packets of a stream are wanted. Those of others are stepped over, unread where the container can.
pub(crate) fn set_wanted(input: &mut Input, index: usize, wanted: bool) {
    let discard = if wanted { ffi::AVDiscard::AVDISCARD_DEFAULT } else { ffi::AVDiscard::AVDISCARD_ALL };
    // SAFETY: `index` is below the number of streams, whose array and entries live as long as the open input.
    unsafe {
        let context = input.as_mut_ptr();
        if index < (*context).nb_streams as usize {
            (**(*context).streams.add(index)).discard = discard;
        }
    }
}

/// One sample as a container's index lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Where its bytes begin in the file.
    pub(crate) at: u64,
    pub(crate) size: u64,
    /// When it is decoded, in ticks of the stream.
    pub(crate) dts: i64,
    pub(crate) is_key: bool,
}

/// How many samples the container's index lists of a stream.
pub(crate) fn count_of_samples(stream: &Stream<'_>) -> u64 {
    // SAFETY: the call reads one number of a stream of an open input.
    let count = unsafe { ffi::avformat_index_get_entries_count(stream.as_ptr()) };
    u64::try_from(count).unwrap_or(0)
}

/// A stream's samples as the container's index lists them, in the order they are decoded.
pub(crate) fn samples(stream: &Stream<'_>) -> Vec<Sample> {
    // SAFETY: the calls only read the index of a stream of an open input. The entry's pointer is good until the next
    // call that may change the index; its fields are copied before.
    unsafe {
        let stream = stream.as_ptr().cast_mut();
        let count = ffi::avformat_index_get_entries_count(stream);
        (0..count)
            .filter_map(|i| ffi::avformat_index_get_entry(stream, i).as_ref())
            .map(|entry| Sample {
                at: u64::try_from(entry.pos).unwrap_or(0),
                size: u64::try_from(entry.size()).unwrap_or(0),
                dts: entry.timestamp,
                is_key: entry.flags() & ffi::AVINDEX_KEYFRAME != 0,
            })
            .collect()
    }
}
