//! Turns one seed into the random numbers of a training run: first weights, order of clips, shifts of frames.
//! Candle's own generator on a CPU cannot be seeded, so nothing here or elsewhere in the trainer uses it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are for. Each purpose has its own stream, so switching augmentation on or off leaves the first
/// weights and the order of the clips as they were.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Weights = 0,
    Order = 1,
    Shifts = 2,
}

/// A stream of random numbers that is decided by a seed and a purpose alone.
pub(super) struct Stream(ChaCha8Rng);

impl Stream {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// A whole number in `0..bound`. The bias of the multiplication is below `bound / 2^64`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let scaled = (u128::from(self.0.next_u64()) * bound as u128) >> 64;
        usize::try_from(scaled).expect("a number below a usize is a usize")
    }

    /// A number in `-bound..bound`, in steps of `bound / 2^23`: exact in f32, so every platform agrees.
    pub(super) fn uniform(&mut self, bound: f32) -> f32 {
        let fraction = (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        (fraction * 2.0 - 1.0) * bound
    }

    /// Brings the items into a random order, each order equally likely (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}
