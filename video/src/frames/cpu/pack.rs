//! The resized picture -> numbers in their places. `docs/frames.md`, sections 3, 5 and 6.

use super::loops::Loops;
use crate::frames::plan::{Plan, Turn};
use crate::frames::values::Values;
use crate::frames::{Element, Layout};

/// What numbers bytes become, and how a row of them is made.
trait Numbers<const N: usize> {
    fn of(&self, channel: usize, byte: u8) -> [u8; N];

    #[inline(always)]
    fn row(&self, channel: usize, bytes: &[u8], to: &mut [[u8; N]]) {
        for (to, &byte) in to.iter_mut().zip(bytes) {
            *to = self.of(channel, byte);
        }
    }
}

struct Bytes;

impl Numbers<1> for Bytes {
    #[inline(always)]
    fn of(&self, _: usize, byte: u8) -> [u8; 1] {
        [byte]
    }
}

struct Halves<'a>(&'a Values);

impl Numbers<2> for Halves<'_> {
    #[inline(always)]
    fn of(&self, channel: usize, byte: u8) -> [u8; 2] {
        self.0.f16[channel][usize::from(byte)].to_le_bytes()
    }
}

struct Singles<'a, L>(&'a Values, L);

impl<L: Loops> Numbers<4> for Singles<'_, L> {
    #[inline(always)]
    fn of(&self, channel: usize, byte: u8) -> [u8; 4] {
        self.0.f32[channel][usize::from(byte)].to_le_bytes()
    }

    #[inline(always)]
    fn row(&self, channel: usize, bytes: &[u8], to: &mut [[u8; 4]]) {
        self.1.numbers(&self.0.f32[channel], self.0.steps[channel].as_ref(), bytes, to);
    }
}

/// `resized`: all of red, of green, of blue.
#[inline(always)]
pub(super) fn pack<L: Loops>(loops: L, plan: &Plan, resized: &[u8], tensor: &mut [u8]) {
    match plan.spec.element {
        Element::U8 => numbers(plan, resized, tensor.as_chunks_mut::<1>().0, &Bytes),
        Element::F16 => numbers(plan, resized, tensor.as_chunks_mut::<2>().0, &Halves(&plan.values)),
        Element::F32 => numbers(plan, resized, tensor.as_chunks_mut::<4>().0, &Singles(&plan.values, loops)),
    }
}

#[inline(always)]
fn numbers<const N: usize>(plan: &Plan, resized: &[u8], to: &mut [[u8; N]], number: &impl Numbers<N>) {
    if plan.shape.turn != Turn::default() {
        turned(plan, resized, to, number);
    } else {
        match plan.spec.layout {
            Layout::Nchw => planes(plan, resized, to, number),
            Layout::Nhwc => pixels(plan, resized, to, number),
        }
    }
}

/// Row by row, each channel on its own.
#[inline(always)]
fn planes<const N: usize>(plan: &Plan, resized: &[u8], to: &mut [[u8; N]], number: &impl Numbers<N>) {
    let (width, height) = (plan.spec.width as usize, plan.spec.height as usize);
    let (left, top) = (plan.place.left as usize, plan.place.top as usize);
    let (inner, rows) = (plan.place.width as usize, plan.place.height as usize);
    for (channel, to) in to.chunks_exact_mut(width * height).enumerate() {
        let bar = number.of(channel, plan.spec.pad[channel]);
        let (above, rest) = to.split_at_mut(top * width);
        let (middle, below) = rest.split_at_mut(rows * width);
        above.fill(bar);
        below.fill(bar);
        let from = &resized[channel * inner * rows..][..inner * rows];
        for (to, from) in middle.chunks_exact_mut(width).zip(from.chunks_exact(inner)) {
            let (before, rest) = to.split_at_mut(left);
            let (row, after) = rest.split_at_mut(inner);
            before.fill(bar);
            after.fill(bar);
            number.row(channel, from, row);
        }
    }
}

/// Row by row, pixel after pixel.
#[inline(always)]
fn pixels<const N: usize>(plan: &Plan, resized: &[u8], to: &mut [[u8; N]], number: &impl Numbers<N>) {
    let width = plan.spec.width as usize;
    let (left, top) = (plan.place.left as usize, plan.place.top as usize);
    let (inner, rows) = (plan.place.width as usize, plan.place.height as usize);
    let bar: [[u8; N]; 3] = std::array::from_fn(|channel| number.of(channel, plan.spec.pad[channel]));
    let inside = top..top + rows;
    for (y, to) in to.chunks_exact_mut(3 * width).enumerate() {
        let (to, _) = to.as_chunks_mut::<3>();
        if !inside.contains(&y) {
            to.fill(bar);
            continue;
        }
        let [red, green, blue]: [&[u8]; 3] =
            std::array::from_fn(|channel| &resized[(channel * rows + y - top) * inner..][..inner]);
        let (before, rest) = to.split_at_mut(left);
        let (row, after) = rest.split_at_mut(inner);
        before.fill(bar);
        after.fill(bar);
        for (x, to) in row.iter_mut().enumerate() {
            *to = [number.of(0, red[x]), number.of(1, green[x]), number.of(2, blue[x])];
        }
    }
}

/// Pixel by pixel, from wherever the turn says. Rare, and small beside the filters.
#[inline(always)]
fn turned<const N: usize>(plan: &Plan, resized: &[u8], to: &mut [[u8; N]], number: &impl Numbers<N>) {
    let (width, height) = (plan.canvas.0 as usize, plan.canvas.1 as usize);
    let (left, top) = (plan.place.left as usize, plan.place.top as usize);
    let (inner, rows) = (plan.place.width as usize, plan.place.height as usize);
    for y in 0..plan.spec.height as usize {
        for x in 0..plan.spec.width as usize {
            let (from_x, from_y) = plan.shape.turn.source(x, y, width, height);
            let inside = (left..left + inner).contains(&from_x) && (top..top + rows).contains(&from_y);
            for channel in 0..3 {
                let byte = if inside {
                    resized[(channel * rows + from_y - top) * inner + from_x - left]
                } else {
                    plan.spec.pad[channel]
                };
                to[plan.index(x, y, channel)] = number.of(channel, byte);
            }
        }
    }
}
