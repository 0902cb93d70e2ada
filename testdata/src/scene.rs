//! Draws a tiny pitch with players on it, in YUV 4:2:0, in limited-range BT.709.
//! Knows shapes and colours; knows nothing of plays or time.

use crate::dice::Dice;

/// A colour as red, green and blue.
pub(crate) type Rgb = [f32; 3];

pub(crate) const ORANGE: Rgb = [255.0, 140.0, 0.0];
pub(crate) const PLAYERS: [Rgb; 3] = [[240.0, 240.0, 240.0], [40.0, 70.0, 200.0], [190.0, 25.0, 45.0]];
const GRASS: [Rgb; 2] = [[46.0, 120.0, 52.0], [54.0, 132.0, 60.0]];
const CHALK: Rgb = [205.0, 225.0, 205.0];

/// How a game looks: the light and the cameras' colours of that day.
#[derive(Clone, Copy)]
pub(crate) struct Light {
    gain: Rgb,
}

impl Light {
    pub(crate) fn of_game(seed: u64, game: u32) -> Self {
        let mut dice = Dice::new(seed, [2, u64::from(game), 0]);
        let brightness = 0.95 + dice.around(15) as f32 / 100.0;
        Light { gain: std::array::from_fn(|_| brightness + dice.around(6) as f32 / 100.0) }
    }

    /// The colour in this light as Y, U, V; coefficients of ITU-R BT.709.
    fn yuv(self, rgb: Rgb) -> [u8; 3] {
        let [r, g, b] = std::array::from_fn(|c| (rgb[c] * self.gain[c]).min(255.0) / 255.0);
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let byte = |value: f32| (value + 0.5) as u8;
        [
            byte(16.0 + 219.0 * luma),
            byte(128.0 + 224.0 * (b - luma) / 1.8556),
            byte(128.0 + 224.0 * (r - luma) / 1.5748),
        ]
    }
}

/// A picture: `y` is `[height, width]`, `u` and `v` are `[height / 2, width / 2]`.
#[derive(Clone)]
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) y: Vec<u8>,
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

impl Canvas {
    /// The empty pitch: mown stripes, yard lines and the hash marks between them.
    pub(crate) fn pitch(width: u32, height: u32, light: Light) -> Self {
        let pixels = (width * height) as usize;
        let mut canvas = Canvas { width, height, y: vec![0; pixels], u: vec![0; pixels / 4], v: vec![0; pixels / 4] };
        let spacing = (width / 12).max(4);
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let along = (x + spacing / 2) % spacing;
            let hash = y % (height / 3).max(2) == height / 6 && along.is_multiple_of((spacing / 4).max(1));
            let side = y == height / 18 || y == height - 1 - height / 18;
            let color = if along == 0 || hash || side { CHALK } else { GRASS[(x / spacing % 2) as usize] };
            canvas.set(x, y, light.yuv(color));
        }
        canvas
    }

    pub(crate) fn copy_from(&mut self, other: &Canvas) {
        self.y.copy_from_slice(&other.y);
        self.u.copy_from_slice(&other.u);
        self.v.copy_from_slice(&other.v);
    }

    /// A filled disc. What lies outside the picture is left out.
    pub(crate) fn disc(&mut self, middle: (i32, i32), radius: i32, color: Rgb, light: Light) {
        let yuv = light.yuv(color);
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                let (x, y) = (middle.0 + dx, middle.1 + dy);
                let inside = dx * dx + dy * dy <= radius * radius;
                if inside && (0..self.width as i32).contains(&x) && (0..self.height as i32).contains(&y) {
                    self.set(x as u32, y as u32, yuv);
                }
            }
        }
    }

    /// Grain: brightness changes a little from pixel to pixel. `bytes`: one random byte a pixel.
    pub(crate) fn grain(&mut self, bytes: &[u8]) {
        for (pixel, byte) in self.y.iter_mut().zip(bytes) {
            // Two dice of 0..=15 make a bell of -15..=15.
            let change = i32::from(byte & 15) + i32::from(byte >> 4) - 15;
            *pixel = (i32::from(*pixel) + change).clamp(16, 235) as u8;
        }
    }

    fn set(&mut self, x: u32, y: u32, yuv: [u8; 3]) {
        self.y[(y * self.width + x) as usize] = yuv[0];
        let chroma = (y / 2 * (self.width / 2) + x / 2) as usize;
        self.u[chroma] = yuv[1];
        self.v[chroma] = yuv[2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_and_black_and_grey_have_no_colour() {
        let light = Light { gain: [1.0; 3] };
        assert_eq!(light.yuv([255.0; 3]), [235, 128, 128]);
        assert_eq!(light.yuv([0.0; 3]), [16, 128, 128]);
        // Pure red in BT.709: Y = 16 + 219 * 0.2126, U = 128 - 224 * 0.2126 / 1.8556, V = 128 + 224 * 0.7874 / 1.5748.
        assert_eq!(light.yuv([255.0, 0.0, 0.0]), [63, 102, 240]);
    }
}
