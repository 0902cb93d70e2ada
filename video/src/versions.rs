//! Says which native libraries shape the bytes of clips and tensors, for cache keys.

use std::sync::OnceLock;

use ffmpeg_next::{Packet, Rational, codec, color, format, frame, software, util};

use crate::encode::{ColorTags, EncodeOptions, Pictures, open_h264};
use crate::libav;

/// The versions of the native libraries whose code decides output bytes, such as
/// `libavcodec 59.37.100, libavformat 59.27.100, libswscale 6.7.100, libavutil 57.28.100, x264 164 r3095 baee400`.
pub fn versions() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        format!(
            "libavcodec {}, libavformat {}, libswscale {}, libavutil {}, x264 {}",
            dotted(codec::version()),
            dotted(format::version()),
            dotted(software::scaling::version()),
            dotted(util::version()),
            x264_version().unwrap_or_else(|| "unknown".into()),
        )
    })
}

/// FFmpeg packs a version as 16, 8 and 8 bits.
fn dotted(version: u32) -> String {
    format!("{}.{}.{}", version >> 16, (version >> 8) & 0xff, version & 0xff)
}

/// x264 has no function that tells its version, but signs the first picture of each stream: one is made to read it.
fn x264_version() -> Option<String> {
    libav::prepare();
    let colors = ColorTags {
        space: color::Space::Unspecified,
        range: color::Range::MPEG,
        primaries: color::Primaries::Unspecified,
        transfer: color::TransferCharacteristic::Unspecified,
    };
    let pictures = Pictures {
        width: 16,
        height: 16,
        format: format::Pixel::YUV420P,
        time_base: Rational(1, 25),
        frame_rate: None,
        pixel_aspect: Rational(1, 1),
        colors,
    };
    let mut encoder = open_h264(&pictures, EncodeOptions::default(), None, "x264".as_ref()).ok()?;
    let mut picture = frame::Video::new(format::Pixel::YUV420P, 16, 16);
    (0..3).for_each(|plane| picture.data_mut(plane).fill(128));
    picture.set_pts(Some(0));
    encoder.send_frame(&picture).ok()?;
    encoder.send_eof().ok()?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).ok()?;
    signature(packet.data()?)
}

/// Finds `x264 - core 164 r3095 baee400 - H.264/...` in a stream and returns the part that names the version.
fn signature(stream: &[u8]) -> Option<String> {
    let mark = b"x264 - core ";
    let at = stream.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let text: Vec<u8> = stream[at..].iter().copied().take_while(|&byte| byte != 0 && byte != b'-').collect();
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_out_of_what_x264_signs() {
        let stream = b"\0\0\x06x264 - core 164 r3095 baee400 - H.264/MPEG-4 AVC codec";
        assert_eq!(signature(stream).as_deref(), Some("164 r3095 baee400"));
        assert_eq!(signature(b"nothing of the kind"), None);
    }

    #[test]
    fn every_library_that_shapes_bytes_is_named_with_its_version() {
        for library in ["libavcodec ", "libavformat ", "libswscale ", "x264 1"] {
            assert!(versions().contains(library), "{} lacks {library}", versions());
        }
    }
}
