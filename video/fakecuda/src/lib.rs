//! A CUDA driver for tests: the driver's C functions -> the shipped PTX, run on the CPU.
//!
//! It is stricter than a GPU: memory is known to the byte, work on a stream is done at the last moment at which it must
//! be done, races and barriers that not all threads reach are errors, and an instruction that it does not know refuses
//! the module. It knows nothing of frames. It cannot tell how fast anything is, nor whether NVIDIA's assembler and
//! hardware do as the manual says. Its decoder has been told what it decodes.

mod ptx;

mod decoding;
mod driver;
mod faults;
mod memory;
mod streams;

mod api;
mod control;
mod nvcuvid;
mod unknown;

mod alias;
mod steer;

pub use steer::{FakeDriver, Stats};
