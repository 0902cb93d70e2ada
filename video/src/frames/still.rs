//! A clip -> one of its pictures in RGB, small: turned as players turn it, in the shape they show it in.

use std::path::Path;

use ffmpeg_next::frame;

use super::decoded::{Unpacker, picture_of, shape_of};
use super::index::Index;
use super::plan::{Plan, Preprocess as _, Shape};
use super::sample::{bad_option, refuse_damage, turn};
use super::{Cpu, Element, FrameSpec, Layout};
use crate::error::VideoError;
use crate::source::{Source, TickSpan};

/// No picture is shown wider than so many times its height, whatever a file says of its pixels.
const WIDEST: u64 = 8;

/// A picture in RGB, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Red, green and blue of each pixel.
    pub rgb: Vec<u8>,
}

/// The key frame from which the clip's middle is decoded, so high: the picture nearest the middle that costs the decoding of
/// one.
///
/// # Errors
/// As `probe`, and `Corrupt` when the picture cannot be decoded; `BadOption` for heights that cannot be.
pub fn still(path: &Path, height: u32) -> Result<Still, VideoError> {
    let mut source = Source::open_beside(path, None)?;
    let turn = turn(path, &source)?;
    let tick = Index::read(path, &source)?.key_before_middle();
    source.begin(tick.map_or(TickSpan::WHOLE, |tick| TickSpan { video: tick..tick + 1 }))?;
    let mut frame = frame::Video::empty();
    while source.next_frame(&mut frame)? {
        let pts = frame.timestamp().unwrap_or(i64::MAX);
        if tick.is_some_and(|tick| pts < tick) {
            continue;
        }
        refuse_damage(path, &source, &frame, pts)?;
        let aspect = frame.aspect_ratio();
        let planar = Unpacker::default().planar(frame, path)?;
        let shape = shape_of(&planar, aspect, turn, path)?;
        let spec = FrameSpec {
            element: Element::U8,
            layout: Layout::Nhwc,
            ..FrameSpec::plain(shown_width(&shape, height), height)
        };
        let plan = Plan::new(&spec, &shape).map_err(|e| bad_option(path, e))?;
        let mut rgb = vec![0; plan.frame_bytes()];
        Cpu::new(1).run(&plan, &[picture_of(&planar)], &mut rgb).map_err(|e| bad_option(path, e))?;
        return Ok(Still { width: spec.width, height, rgb });
    }
    Err(VideoError::corrupt(path, "no frame of the video can be decoded"))
}

/// How wide players would show a picture of this height.
fn shown_width(shape: &Shape, height: u32) -> u32 {
    let aspect = shape.pixel_aspect;
    let wide = u64::from(shape.width) * u64::from(aspect.num);
    let high = u64::from(shape.height) * u64::from(aspect.den);
    let (wide, high) = if shape.turn.transpose { (high, wide) } else { (wide, high) };
    let rounded = (u128::from(height) * u128::from(wide) * 2 + u128::from(high)) / (u128::from(high) * 2).max(1);
    let most = u64::from(height) * WIDEST;
    u32::try_from(rounded.clamp(1, most.max(1).into())).unwrap_or(height)
}
