//! Packs RGB bytes as normalised floats, one channel after the other.

use super::FrameSpec;

/// The float of each byte, for each channel: a byte has 256 values, so a table is exact and needs no arithmetic later.
pub(super) struct Normalise {
    table: [[f32; 256]; 3],
}

impl Normalise {
    pub(super) fn new(spec: &FrameSpec) -> Self {
        let value = |c: usize, byte: usize| (byte as f32 / 255.0 - spec.mean[c]) / spec.std[c];
        Normalise { table: std::array::from_fn(|c| std::array::from_fn(|byte| value(c, byte))) }
    }

    /// Appends one frame. `rgb`: `[h, w, 3]`; appended: `[3, h, w]`.
    pub(super) fn append(&self, rgb: &[u8], to: &mut Vec<f32>) {
        for (channel, table) in self.table.iter().enumerate() {
            to.extend(rgb.iter().skip(channel).step_by(3).map(|&byte| table[usize::from(byte)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_normalised_and_lie_one_after_the_other() {
        let spec = FrameSpec { mean: [0.5, 0.0, 0.2], std: [0.5, 1.0, 0.2], ..FrameSpec::plain(2, 1) };
        let mut tensor = Vec::new();
        Normalise::new(&spec).append(&[255, 0, 51, 0, 255, 102], &mut tensor);
        let expected = [1.0, -1.0, 0.0, 1.0, 0.0, 1.0];
        assert!(tensor.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{tensor:?}");
    }
}
