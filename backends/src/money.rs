//! Prices as lists have them, in dollars and fractions of a dollar -> amounts, and time in the steps it is charged in.

use pipe_engine::backend;
use pipe_engine::units::{Millis, Usd};
use serde::Deserialize;

/// How long an attempt waits before its work begins, as a table has it.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Startup {
    seconds: u64,
    charged: bool,
}

impl Startup {
    pub(crate) fn told(self) -> backend::Startup {
        backend::Startup { time: Millis(self.seconds * 1000), is_charged: self.charged }
    }
}

/// To the nearest millionth of a dollar.
pub(crate) fn usd(amount: f64) -> Usd {
    Usd((amount * 1e6).round() as u64)
}

/// Seconds that are charged for a time, in steps of so many milliseconds.
pub(crate) fn charged(time: Millis, step: u64) -> f64 {
    time.0.div_ceil(step).saturating_mul(step) as f64 / 1000.0
}
