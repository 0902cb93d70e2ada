//! The arithmetic of `docs/frames.md`, written to be read and not to be fast: the referee that every device equals.
//!
//! Whole pictures between the steps, one pixel after the other, no crates. What it takes from the plan is data.

use super::error::FrameError;
use super::picture::{Chroma, Picture, PixelFormat};
use super::plan::{Plan, Preprocess, check_buffers};
use super::taps::Taps;
use super::values::Element;

/// The referee as a device.
#[derive(Debug, Default)]
pub struct Reference;

impl Preprocess for Reference {
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        check_buffers(plan, pictures, out)?;
        for (picture, tensor) in pictures.iter().zip(out.chunks_exact_mut(plan.frame_bytes())) {
            let rgb = to_rgb(plan, picture);
            let shorter = filter_columns(&rgb, &plan.rows);
            let resized = filter_rows(&shorter, &plan.columns);
            write_numbers(plan, &on_canvas(plan, &resized), tensor);
        }
        Ok(())
    }
}

/// Pixels, red first.
struct Rgb {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Rgb {
    fn from_fn(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let pixels = (0..width * height).map(|i| pixel(i % width, i / width)).collect();
        Rgb { width, height, pixels }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.pixels[y * self.width + x]
    }
}

fn clip(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

/// Sections 1 and 2: every pixel on its own.
fn to_rgb(plan: &Plan, picture: &Picture<'_>) -> Rgb {
    let (shape, c) = (&plan.shape, &plan.colour);
    Rgb::from_fn(shape.width as usize, shape.height as usize, |x, y| {
        let [luma, u, v] = yuv_at(shape.format, picture, x, y);
        let l = c.luma * (luma - c.luma_zero) + (1 << (c.shift - 1));
        let (u, v) = (u - c.chroma_zero, v - c.chroma_zero);
        let red = (l + c.red_v * v) >> c.shift;
        let green = (l - c.green_v * v - c.green_u * u) >> c.shift;
        let blue = (l + c.blue_u * u) >> c.shift;
        [clip(red), clip(green), clip(blue)]
    })
}

fn yuv_at(format: PixelFormat, picture: &Picture<'_>, x: usize, y: usize) -> [i32; 3] {
    let (chroma_x, chroma_y) = (x >> format.sub_x, y >> format.sub_y);
    let luma = sample(format, picture, 0, x, y);
    match format.chroma {
        Chroma::None => [luma, 1 << (format.depth - 1), 1 << (format.depth - 1)],
        Chroma::Planar => {
            [luma, sample(format, picture, 1, chroma_x, chroma_y), sample(format, picture, 2, chroma_x, chroma_y)]
        }
        Chroma::Interleaved => {
            let at = |part| sample(format, picture, 1, 2 * chroma_x + part, chroma_y);
            [luma, at(0), at(1)]
        }
    }
}

fn sample(format: PixelFormat, picture: &Picture<'_>, plane: usize, column: usize, row: usize) -> i32 {
    let plane = &picture.planes[plane];
    let at = row * plane.stride + column * format.sample_bytes();
    if format.depth == 8 {
        return i32::from(plane.bytes[at]);
    }
    let word = u16::from_le_bytes([plane.bytes[at], plane.bytes[at + 1]]);
    i32::from(word >> format.shift) & ((1 << format.depth) - 1)
}

/// Section 4, the first pass: fewer or more rows.
fn filter_columns(rgb: &Rgb, rows: &Taps) -> Rgb {
    Rgb::from_fn(rgb.width, rows.len(), |x, y| weighed(rows, y, |row| rgb.at(x, row)))
}

/// Section 4, the second pass: fewer or more columns.
fn filter_rows(rgb: &Rgb, columns: &Taps) -> Rgb {
    Rgb::from_fn(columns.len(), rgb.height, |x, y| weighed(columns, x, |column| rgb.at(column, y)))
}

fn weighed(taps: &Taps, i: usize, source: impl Fn(usize) -> [u8; 3]) -> [u8; 3] {
    let (start, weights) = taps.of(i);
    let mut sums = [1_i32 << (taps.shift - 1); 3];
    for (t, &weight) in weights.iter().enumerate() {
        let pixel = source(start + t);
        for (sum, byte) in sums.iter_mut().zip(pixel) {
            *sum += i32::from(weight) * i32::from(byte);
        }
    }
    sums.map(|sum| clip(sum >> taps.shift))
}

/// Section 3: bars around the resized picture. Section 5: turned as it is to be shown.
fn on_canvas(plan: &Plan, resized: &Rgb) -> Rgb {
    let (width, height) = (plan.canvas.0 as usize, plan.canvas.1 as usize);
    let (left, top) = (plan.place.left as usize, plan.place.top as usize);
    let canvas = Rgb::from_fn(width, height, |x, y| {
        let inside = (left..left + resized.width).contains(&x) && (top..top + resized.height).contains(&y);
        if inside { resized.at(x - left, y - top) } else { plan.spec.pad }
    });
    Rgb::from_fn(plan.spec.width as usize, plan.spec.height as usize, |x, y| {
        let (from_x, from_y) = plan.shape.turn.source(x, y, width, height);
        canvas.at(from_x, from_y)
    })
}

/// Section 6.
fn write_numbers(plan: &Plan, result: &Rgb, tensor: &mut [u8]) {
    for y in 0..result.height {
        for x in 0..result.width {
            for (channel, byte) in result.at(x, y).into_iter().enumerate() {
                let place = &mut tensor[plan.index(x, y, channel) * plan.spec.element.size()..];
                match plan.spec.element {
                    Element::U8 => place[0] = byte,
                    Element::F16 => {
                        place[..2].copy_from_slice(&plan.values.f16[channel][usize::from(byte)].to_le_bytes());
                    }
                    Element::F32 => {
                        place[..4].copy_from_slice(&plan.values.f32[channel][usize::from(byte)].to_le_bytes());
                    }
                }
            }
        }
    }
}
