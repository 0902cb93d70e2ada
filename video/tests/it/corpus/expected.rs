//! A hard video and a span -> the frames that a clip of it must hold, and when each is shown.
//! By the number that frames carry where that tells their time, and by the times of a full decode everywhere else.

use pipe_video::Span;

use super::input::Hard;
use super::pictures::{Film, Picture, Seconds, minus};

/// A frame that a clip must hold, and its moment on the viewer's clock.
pub(crate) struct Expected<'a> {
    pub(crate) picture: &'a Picture,
    pub(crate) time: Seconds,
}

/// Whether a moment lies in `[start, end)`, without rounding.
fn inside(time: Seconds, span: Span) -> bool {
    let thousandths = time[0] * 1000;
    thousandths >= i128::from(span.start_ms) * time[1] && thousandths < i128::from(span.end_ms) * time[1]
}

/// When viewers see a frame.
fn shown(hard: &Hard, origin: Seconds, picture: &Picture) -> Option<Seconds> {
    match hard.rate {
        Some([num, den]) => Some([(picture.number - hard.zero) * den, num]),
        None => picture.time.map(|time| minus(time, origin)),
    }
}

pub(crate) fn expected<'a>(hard: &Hard, truth: &'a Film, span: Span) -> Vec<Expected<'a>> {
    let moments = truth.pictures.iter().filter_map(|picture| {
        let time = shown(hard, truth.origin, picture)?;
        inside(time, span).then_some(Expected { picture, time })
    });
    moments.collect()
}

/// Whether any clip of the video may need the samples of a frame. The origin is not known while frames are decoded, so
/// those near a span are wanted as well.
pub(crate) fn is_wanted(hard: &Hard, picture: &Picture) -> bool {
    let hours = hard.spans.iter().any(|span| span.end_ms > 60_000) && hard.rate.is_some();
    !hours || shown(hard, [0, 1], picture).is_some_and(|time| hard.spans.iter().any(|span| inside(time, *span)))
}
