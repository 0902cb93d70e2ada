//! H.264 written bit by bit: streams that no encoder makes.

use std::fs;
use std::path::Path;

/// A stream of half a megabyte whose pictures have as many pixels as are permitted, of which each is kept for those to come.
/// H.264 lets a decoder keep one of that size; this one says 16.
pub(crate) fn bomb(path: &Path) {
    let [width, height] = [1024, 544];
    // 7.3.2.1.1 and 7.3.2.2: baseline, level 6.2, pictures in the order they are shown, and nothing else of note.
    let sps = Bits::default().fixed(&[66, 0, 62]).codes(&[0, 0, 2, 16]).bit(0).codes(&[width - 1, height - 1]);
    let pps = Bits::default().codes(&[0, 0]).bits(&[0; 2]).codes(&[0; 3]).bits(&[0; 3]).codes(&[0; 3]).bits(&[0; 3]);
    // 7.3.3: a whole key frame. 7.3.5: each block is the mean of its neighbours, and nothing is added to that.
    let head = Bits::default().codes(&[0, 7, 0]).bits(&[0; 4]).codes(&[0]).bits(&[0; 2]).codes(&[0]);
    let key = (0..width * height).fold(head, |bits, _| bits.codes(&[3, 0, 0]).bit(1));
    let mut units = vec![(0x67, sps.bits(&[1, 1, 0, 0])), (0x68, pps), (0x65, key)];
    for number in 1..10_u8 {
        // All blocks of a picture are those of the one before.
        let head = Bits::default().codes(&[0, 5, 0]).bits(&[3, 2, 1, 0].map(|place| number >> place & 1));
        units.push((0x61, head.bits(&[0; 3]).codes(&[0, width * height])));
    }
    let bytes: Vec<u8> =
        units.into_iter().flat_map(|(head, bits)| [vec![0, 0, 0, 1, head], bits.bytes()].concat()).collect();
    assert!(bytes.len() < 600_000, "{}", bytes.len());
    fs::write(path, bytes).unwrap();
}

/// Bits of a unit, as H.264 writes them.
#[derive(Default)]
pub(crate) struct Bits(Vec<bool>);

impl Bits {
    pub(crate) fn bit(self, bit: u8) -> Self {
        self.bits(&[bit])
    }

    pub(crate) fn bits(mut self, bits: &[u8]) -> Self {
        self.0.extend(bits.iter().map(|bit| *bit == 1));
        self
    }

    pub(crate) fn fixed(mut self, bytes: &[u8]) -> Self {
        bytes.iter().for_each(|byte| self.0.extend((0..8).rev().map(|bit| byte >> bit & 1 == 1)));
        self
    }

    /// Exponential Golomb codes: as many zeros as the number above the value has bits behind its first, and that number.
    pub(crate) fn codes(mut self, values: &[u32]) -> Self {
        for value in values {
            let length = (value + 1).ilog2();
            self.0.extend((0..length).map(|_| false));
            self.0.extend((0..=length).rev().map(|bit| (value + 1) >> bit & 1 == 1));
        }
        self
    }

    /// With the stop bit, filled up to whole bytes.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.push(true);
        self.0.resize(self.0.len().next_multiple_of(8), false);
        self.0.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
    }
}
