//! Decoding that begins at a key frame of an open group of H.264. The pictures before it are not there; those that lead it may be made
//! of them, and one of those behind it says of each that it is used no more. FFmpeg calls that an error, and is right about nothing else
//! that is wrong with such a picture.

use ffmpeg_next::decoder::{self, Check};
use ffmpeg_next::{Error as AvError, Packet};

use crate::libav;

/// Pictures that may have others let go: when so many were decoded, none is left that was there before. H.264 keeps 16.
const MOST_KEPT: u32 = 16;

/// Where decoding is behind the key frame that it began with.
#[derive(Default)]
pub(super) struct Opened {
    key: Option<i64>,
    left: u32,
}

impl Opened {
    pub(super) fn at(key: &Packet) -> Self {
        Opened { key: key.pts(), left: MOST_KEPT }
    }

    /// Whether a packet, which is the next, may have pictures let go that are not there. One that leads the key frame is not wanted.
    pub(super) fn takes(&mut self, packet: &Packet) -> bool {
        let Some(key) = self.key else { return false };
        if packet.pts().is_none_or(|pts| pts == key) || self.left == 0 {
            return false;
        }
        self.left -= u32::from(packet.pts().is_some_and(|pts| pts > key));
        true
    }
}

/// Decodes a picture that may do so. All else that is wrong with it is an error, as ever.
pub(super) fn send(decoder: &mut decoder::Video, packet: &Packet) -> Result<(), AvError> {
    let told = || (libav::complaints(), libav::let_go());
    let (complaints, let_go) = told();
    decoder.check(Check::empty());
    let sent = decoder.send_packet(packet);
    decoder.check(Check::EXPLODE);
    let (all, of_these) = told();
    if sent.is_ok() && all - complaints > of_these - let_go { Err(AvError::InvalidData) } else { sent }
}
