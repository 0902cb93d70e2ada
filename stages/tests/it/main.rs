//! Stage kinds from outside: an attempt goes in, an outcome comes out, as a worker does it.

mod bench;
#[cfg(feature = "video")]
mod clips;
mod dataset;
mod export;
