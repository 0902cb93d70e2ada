//! A seeded stream of numbers, the same on every machine. Each thing that is made has a stream of its own, so that
//! making more of one thing changes nothing about another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub(crate) struct Dice {
    stream: ChaCha8Rng,
}

impl Dice {
    /// The stream of one thing. `path`: numbers that name it, such as a purpose, a game and an angle.
    pub(crate) fn new(seed: u64, path: [u64; 3]) -> Self {
        let mut key = [0; 32];
        for (part, number) in key.chunks_exact_mut(8).zip([seed, path[0], path[1], path[2]]) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        Dice { stream: ChaCha8Rng::from_seed(key) }
    }

    /// A number from `low` up to, and without, `high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let wide = u64::from(self.stream.next_u32()) * u64::from(high - low);
        low + (wide >> 32) as u32
    }

    /// A number in `-reach..=reach`.
    pub(crate) fn around(&mut self, reach: u32) -> i32 {
        self.between(0, 2 * reach + 1) as i32 - reach as i32
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.fill_bytes(bytes);
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.between(0, last as u32 + 1) as usize);
        }
    }
}
