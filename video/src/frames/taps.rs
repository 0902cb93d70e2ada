//! Sizes and a filter -> the table of weights that resizes one axis. `docs/frames.md`, section 4.

/// How pixels become fewer or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    /// Bilinear, antialiased: a triangle as wide as what is shrunk.
    #[default]
    Triangle,
    /// Keys' cubic with a = -0.5, antialiased.
    Bicubic,
    /// The mean of what a pixel covers.
    Area,
    /// The pixel at the centre.
    Nearest,
}

/// What one axis is resized with. Result place `i` is
/// `clip((2^(shift-1) + sum over t < counts[i] of weights[i * width + t] * in[starts[i] + t]) >> shift)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taps {
    /// The first source place of each result place.
    pub starts: Vec<u32>,
    /// How many source places each looks at.
    pub counts: Vec<u32>,
    /// Weights kept for each result place; those past its count are 0.
    pub width: usize,
    /// All weights.
    pub weights: Vec<i16>,
    /// How many bits of a weight are its fraction.
    pub shift: u32,
}

/// 1 as a weight of the identity.
const ONE: i16 = 1 << ONE_SHIFT;
const ONE_SHIFT: u32 = 14;
/// Weights are 16 bits with sign, and sums 32: 8 bits of a pixel and 2 for lobes below 0 leave 22.
const MAX_SHIFT: u32 = 21;

impl Taps {
    /// The table that makes `to` places of the places `from`, which begin at `at`, of an axis of `size`. None is 0.
    pub(super) fn new(size: u32, at: u32, from: u32, to: u32, filter: Filter) -> Self {
        if from == to {
            return Self::picking((at..at + to).collect());
        }
        match filter {
            Filter::Nearest => {
                let centre = |i: u32| (2 * u64::from(i) + 1) * u64::from(from) / (2 * u64::from(to));
                Self::picking((0..to).map(|i| at + centre(i) as u32).collect())
            }
            Filter::Triangle => Self::weighing(size, at, from, to, 1.0, triangle),
            Filter::Bicubic => Self::weighing(size, at, from, to, 2.0, cubic),
            Filter::Area => Self::weighing(size, at, from, to, 0.5, shared),
        }
    }

    fn picking(starts: Vec<u32>) -> Self {
        let count = starts.len();
        Taps { starts, counts: vec![1; count], width: 1, weights: vec![ONE; count], shift: ONE_SHIFT }
    }

    /// `support`: how far the filter reaches when nothing is shrunk. `weight`: of the place that begins at x.
    fn weighing(size: u32, at: u32, from: u32, to: u32, support: f64, weight: fn(f64, &Window) -> f64) -> Self {
        let (first, last) = (f64::from(at), f64::from(at) + f64::from(from));
        let scale = (last - first) / f64::from(to);
        let wide = scale.max(1.0);
        let (radius, recip) = (support * wide, 1.0 / wide);
        let mut rows: Vec<(u32, Vec<f64>)> = Vec::with_capacity(to as usize);
        for i in 0..to {
            let centre = first + (f64::from(i) + 0.5) * scale;
            let begin = (centre - radius).floor().max(0.0) as u32;
            let end = (centre + radius).ceil().min(f64::from(size)) as u32;
            let window = Window { centre, radius, recip };
            let weights = (begin..end).map(|x| weight(f64::from(x), &window)).collect();
            rows.push(trimmed(begin, weights));
        }
        Self::quantised(rows)
    }

    fn quantised(rows: Vec<(u32, Vec<f64>)>) -> Self {
        let all = rows.iter().flat_map(|(_, weights)| weights.iter().copied());
        let shift = shift_for(all.fold(0.0, f64::max));
        let width = rows.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let mut weights = vec![0; width * rows.len()];
        for ((_, exact), place) in rows.iter().zip(weights.chunks_exact_mut(width.max(1))) {
            for (weight, to) in exact.iter().zip(place) {
                *to = (weight * f64::from(1 << shift)).round() as i16;
            }
        }
        let starts = rows.iter().map(|(start, _)| *start).collect();
        let counts = rows.iter().map(|(_, weights)| weights.len() as u32).collect();
        Taps { starts, counts, width, weights, shift }
    }

    /// The weights of a result place.
    pub(super) fn of(&self, i: usize) -> (usize, &[i16]) {
        (self.starts[i] as usize, &self.weights[i * self.width..][..self.counts[i] as usize])
    }

    /// How many result places there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }
}

/// Without zeros at its ends, and with a sum of 1.
fn trimmed(begin: u32, mut weights: Vec<f64>) -> (u32, Vec<f64>) {
    let leading = weights.iter().take_while(|weight| **weight == 0.0).count();
    weights.drain(..leading);
    let trailing = weights.iter().rev().take_while(|weight| **weight == 0.0).count();
    weights.truncate(weights.len() - trailing);
    let mut sum = 0.0;
    weights.iter().for_each(|weight| sum += weight);
    if sum != 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    (begin + leading as u32, weights)
}

fn shift_for(max: f64) -> u32 {
    let full = |shift: &u32| (max * f64::from(1_u32 << (shift + 1))).round() >= f64::from(1 << 15);
    (0..MAX_SHIFT).find(full).unwrap_or(MAX_SHIFT)
}

/// What one result place looks through.
struct Window {
    centre: f64,
    radius: f64,
    /// One over how many source pixels become one; at most 1.
    recip: f64,
}

impl Window {
    /// How far the middle of the place x is from the centre, in result pixels.
    fn distance(&self, x: f64) -> f64 {
        ((x - (self.centre - 0.5)) * self.recip).abs()
    }
}

fn triangle(x: f64, window: &Window) -> f64 {
    let x = window.distance(x);
    if x < 1.0 { 1.0 - x } else { 0.0 }
}

fn cubic(x: f64, window: &Window) -> f64 {
    const A: f64 = -0.5;
    let x = window.distance(x);
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The length that `[x, x + 1)` and the window share.
fn shared(x: f64, window: &Window) -> f64 {
    let (begin, end) = (window.centre - window.radius, window.centre + window.radius);
    (end.min(x + 1.0) - begin.max(x)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_size_with_a_triangle_is_1_3_3_1() {
        // Centre 3 of 8 places, radius 2: places 1 to 4 lie 1.5, 0.5, 0.5, 1.5 from it, so their weights are as 1, 3, 3, 1.
        // The largest of the table is at its edge: 3 of 7. 3/7 * 2^16 = 28087 is below 2^15, 2^17 is not: the shift is 16.
        let taps = Taps::new(8, 0, 8, 4, Filter::Triangle);
        assert_eq!(taps.shift, 16);
        assert_eq!(taps.of(1), (1, [8192, 24576, 24576, 8192].as_slice()));
        assert_eq!(taps.of(0), (0, [28087, 28087, 9362].as_slice()));
    }

    #[test]
    fn the_area_of_a_third_is_the_mean_of_three() {
        let taps = Taps::new(9, 0, 9, 3, Filter::Area);
        assert_eq!((taps.of(1).0, taps.of(1).1.len()), (3, 3));
        // 5 to 2: the first result covers places 0 and 1 and half of place 2.
        let taps = Taps::new(5, 0, 5, 2, Filter::Area);
        let (start, weights) = taps.of(0);
        assert_eq!(start, 0);
        assert_eq!(weights[0], weights[1]);
        assert!(weights[0].abs_diff(2 * weights[2]) <= 1, "{weights:?}");
    }

    #[test]
    fn nearest_takes_the_pixel_at_the_centre() {
        assert_eq!(Taps::new(10, 0, 10, 3, Filter::Nearest).starts, [1, 5, 8]);
        assert_eq!(Taps::new(10, 4, 4, 8, Filter::Nearest).starts, [4, 4, 5, 5, 6, 6, 7, 7]);
    }

    #[test]
    fn equal_sizes_change_nothing() {
        for filter in [Filter::Triangle, Filter::Bicubic, Filter::Area, Filter::Nearest] {
            let taps = Taps::new(9, 2, 5, 5, filter);
            assert_eq!(taps.starts, [2, 3, 4, 5, 6]);
            assert_eq!((taps.width, taps.weights, taps.shift), (1, vec![1 << 14; 5], 14));
        }
    }

    #[test]
    fn taps_stay_inside_the_picture_and_weigh_one_together() {
        for (size, at, from, to) in
            [(1, 0, 1, 7), (7, 3, 2, 5), (1920, 0, 1920, 224), (33, 5, 20, 31), (500, 0, 500, 1)]
        {
            for filter in [Filter::Triangle, Filter::Bicubic, Filter::Area, Filter::Nearest] {
                let taps = Taps::new(size, at, from, to, filter);
                for i in 0..taps.len() {
                    let (start, weights) = taps.of(i);
                    assert!(start + weights.len() <= size as usize && !weights.is_empty());
                    let sum: i32 = weights.iter().map(|&k| i32::from(k)).sum();
                    let off = (sum - (1 << taps.shift)).unsigned_abs() as usize;
                    assert!(off <= weights.len(), "{filter:?} {size} {to}: {sum} of {}", 1 << taps.shift);
                }
            }
        }
    }
}
