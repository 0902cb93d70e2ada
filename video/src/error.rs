//! What can be wrong with a video, as one type: a kind for programs, sentences for people.
//! Knows nothing of how callers retry; a kind says only what was found.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::libav;

/// What was found wrong, for programs that decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoErrorKind {
    /// The file is no video, or so broken that its index cannot be read.
    NotAVideo,
    /// The file is a media file, but there are no pictures in it.
    NoVideoStream,
    /// The file is a video and the part that was asked for cannot be decoded.
    Corrupt,
    /// The times asked for do not lie inside the video.
    OutOfRange,
    /// The video is whole, but in a form this crate does not handle.
    Unsupported,
    /// An option has a value that cannot work.
    BadOption,
    /// The video is not the one it was when reading began.
    Changed,
    /// Reading or writing a file failed.
    Io,
    /// The way to the video broke again and again.
    Unreachable,
    /// There was no room for what was to be written.
    NoSpace,
    /// There was no memory to be had for what was to be done.
    OutOfMemory,
    /// The encoder or the muxer refused.
    Encoder,
}

/// A failure on one video: the kind, the file, what happened and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct VideoError {
    /// What was found wrong.
    pub kind: VideoErrorKind,
    /// The file it was found in.
    pub path: PathBuf,
    /// What happened, as a lowercase sentence without a full stop.
    pub message: String,
    /// What to do next, as a lowercase sentence without a full stop.
    pub help: String,
}

impl fmt::Display for VideoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (help: {})", self.path.display(), self.message, self.help)
    }
}

impl VideoError {
    pub(crate) fn new(kind: VideoErrorKind, path: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        VideoError { kind, path: path.to_owned(), message: message.into(), help: help.into() }
    }

    pub(crate) fn corrupt(path: &Path, message: impl Into<String>) -> Self {
        let help = "fetch the file again, or leave this part of the video out";
        Self::new(VideoErrorKind::Corrupt, path, message, help)
    }

    pub(crate) fn unsupported(path: &Path, message: impl Into<String>) -> Self {
        let help = "convert the video to 8-bit H.264 in MP4 first";
        Self::new(VideoErrorKind::Unsupported, path, message, help)
    }

    pub(crate) fn bad_option(path: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(VideoErrorKind::BadOption, path, message, help)
    }

    /// FFmpeg could not decode something, which is the video's fault unless memory was out.
    pub(crate) fn decoding(path: &Path, what: &str, error: ffmpeg_next::Error) -> Self {
        if is_out_of_memory(error) {
            Self::out_of_memory(path, what)
        } else {
            Self::corrupt(path, format!("{what}: {error}"))
        }
    }

    pub(crate) fn out_of_memory(path: &Path, doing: &str) -> Self {
        let help = "ask for more memory, or see that the video is not one made to use it up";
        Self::new(VideoErrorKind::OutOfMemory, path, format!("{doing}: memory ran out"), help)
    }

    pub(crate) fn encoder(path: &Path, doing: &str, error: ffmpeg_next::Error) -> Self {
        if is_out_of_memory(error) {
            return Self::out_of_memory(path, &format!("{doing} failed"));
        }
        if matches!(error, ffmpeg_next::Error::Other { errno } if errno == ffmpeg_next::error::ENOSPC) {
            let help = "free some space, or put the store on a larger disk";
            return Self::new(VideoErrorKind::NoSpace, path, format!("{doing} failed: the disk is full"), help);
        }
        let help = "check the free space of the output's disk and the encoding options";
        Self::new(VideoErrorKind::Encoder, path, format!("{doing} failed: {error}"), help)
    }

    /// As `encoder`, of one for pictures of this size. x264 does not say when it got no memory.
    pub(crate) fn encoding(path: &Path, doing: &str, error: ffmpeg_next::Error, [width, height]: [u32; 2]) -> Self {
        if error == ffmpeg_next::Error::External && !libav::has_room(width, height) {
            return Self::out_of_memory(path, &format!("{doing} failed"));
        }
        Self::encoder(path, doing, error)
    }

    pub(crate) fn unreachable(path: &Path, message: impl fmt::Display) -> Self {
        let help = "check the network and who gives the video, and run this again";
        Self::new(VideoErrorKind::Unreachable, path, format!("reading failed: {message}"), help)
    }

    pub(crate) fn io(path: &Path, doing: &str, error: impl fmt::Display) -> Self {
        let help = "check that the path is right and that this user may use it";
        Self::new(VideoErrorKind::Io, path, format!("{doing} failed: {error}"), help)
    }
}

/// Whether FFmpeg got no memory: there was none, or more was asked for at once than `libav::prepare` allows.
pub(crate) fn is_out_of_memory(error: ffmpeg_next::Error) -> bool {
    matches!(error, ffmpeg_next::Error::Other { errno } if errno == ffmpeg_next::error::ENOMEM)
}
