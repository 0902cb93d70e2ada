//! The trainer as a whole, on clips whose truth is known.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::ControlFlow;

mod going_on;
mod learning;
mod refusals;
mod same_bytes;
mod synthetic;

use super::{Dataset, Fitted, Settings, fit};

fn trained(dataset: &Dataset, settings: &Settings, threads: usize) -> Fitted {
    let threads = NonZeroUsize::new(threads).expect("tests ask for threads");
    fit(dataset, settings, threads, &mut |_| ControlFlow::Continue(())).expect("training ends well")
}

fn epochs(epochs: u32) -> NonZeroU32 {
    NonZeroU32::new(epochs).expect("tests ask for epochs")
}
