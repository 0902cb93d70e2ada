//! Turns chosen clips into the tensors of one piece of work, shifting their pictures when asked.
//! Knows layout in memory; knows nothing of what is computed from it.

use candle_core::{Device, Result, Tensor};

use super::data::ClipShape;

/// How far a clip's pictures are moved, in pixels: positive is down and right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) down: i64,
    pub(super) right: i64,
}

/// One clip to look at: its numbers, its view's index and its shift.
#[derive(Clone, Copy)]
pub(super) struct Pick<'a> {
    pub(super) frames: &'a [f32],
    pub(super) view: u32,
    pub(super) shift: Shift,
}

/// Frames `[clips, t, h, w, c]` f32 and views `[clips]` u32, on the CPU.
pub(super) struct Batch {
    pub(super) frames: Tensor,
    pub(super) views: Tensor,
}

impl Batch {
    pub(super) fn new(picks: &[Pick<'_>], shape: ClipShape) -> Result<Self> {
        let mut numbers = Vec::with_capacity(picks.iter().map(|pick| pick.frames.len()).sum());
        for pick in picks {
            append_shifted(&mut numbers, pick.frames, shape, pick.shift);
        }
        let size = (picks.len(), shape.frames, shape.height, shape.width, shape.channels);
        let views: Vec<u32> = picks.iter().map(|pick| pick.view).collect();
        Ok(Self {
            frames: Tensor::from_vec(numbers, size, &Device::Cpu)?,
            views: Tensor::from_vec(views, picks.len(), &Device::Cpu)?,
        })
    }
}

/// Appends a clip moved by `shift`, channels last: one copy here saves the network a slower one. What moves in over the
/// edge repeats the edge, so no border appears that the network could learn from.
fn append_shifted(numbers: &mut Vec<f32>, clip: &[f32], shape: ClipShape, shift: Shift) {
    let plane = shape.height * shape.width;
    let columns: Vec<usize> = (0..shape.width).map(|x| source(x, shift.right, shape.width)).collect();
    for frame in clip.chunks_exact(plane * shape.channels) {
        for y in 0..shape.height {
            let row = source(y, shift.down, shape.height) * shape.width;
            for x in &columns {
                numbers.extend(frame[row + x..].iter().step_by(plane));
            }
        }
    }
}

/// Where the pixel at `position` comes from on an axis of `length` pixels.
fn source(position: usize, shift: i64, length: usize) -> usize {
    let distance = usize::try_from(shift.unsigned_abs()).unwrap_or(length);
    match shift {
        ..=0 => position.saturating_add(distance).min(length - 1),
        _ => position.saturating_sub(distance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ClipShape = ClipShape { frames: 1, channels: 1, height: 2, width: 3 };

    fn shifted(down: i64, right: i64) -> Vec<f32> {
        let mut numbers = Vec::new();
        append_shifted(&mut numbers, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], SHAPE, Shift { down, right });
        numbers
    }

    #[test]
    fn channels_come_last() {
        let mut numbers = Vec::new();
        let shape = ClipShape { frames: 2, channels: 2, height: 1, width: 2 };
        append_shifted(&mut numbers, &[1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0], shape, Shift::default());
        assert_eq!(numbers, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
    }

    #[test]
    fn a_shifted_picture_moves_and_repeats_its_edge() {
        assert_eq!(shifted(0, 1), [1.0, 1.0, 2.0, 4.0, 4.0, 5.0]);
        assert_eq!(shifted(0, -1), [2.0, 3.0, 3.0, 5.0, 6.0, 6.0]);
        assert_eq!(shifted(1, 0), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        assert_eq!(shifted(-9, 0), [4.0, 5.0, 6.0, 4.0, 5.0, 6.0]);
    }
}
