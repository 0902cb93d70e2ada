//! Pictures in RGB <-> the bytes of a JPEG file. The same pixels give the same bytes on every machine.

use std::path::Path;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

use crate::error::VideoError;
use crate::frames::Still;

/// From 1 to 100: hard to tell from the pixels that went in, at a tenth of a PNG's bytes.
const QUALITY: u8 = 85;

/// The picture as a JPEG file.
///
/// # Errors
/// `BadOption` when it has no pixels, or more in a row or a column than JPEG can count.
pub fn jpeg(still: &Still) -> Result<Vec<u8>, VideoError> {
    let refuse = |why: String| {
        let message = format!("a picture of {}x{} is no JPEG: {why}", still.width, still.height);
        VideoError::bad_option(Path::new("JPEG"), message, "ask for a smaller picture")
    };
    let (Ok(width), Ok(height)) = (u16::try_from(still.width), u16::try_from(still.height)) else {
        return Err(refuse("a side has at most 65535 pixels".to_owned()));
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(&still.rgb, width, height, ColorType::Rgb).map_err(|e| refuse(e.to_string()))?;
    Ok(bytes)
}

/// The picture in a JPEG file. `None`: it is none, or not in colour.
pub(crate) fn pixels(bytes: &[u8]) -> Option<Still> {
    let mut decoder = JpegDecoder::new(ZCursor::new(bytes));
    let rgb = decoder.decode().ok()?;
    let info = decoder.info()?;
    let still = Still { width: info.width.into(), height: info.height.into(), rgb };
    (still.rgb.len() as u64 == u64::from(still.width) * u64::from(still.height) * 3).then_some(still)
}
