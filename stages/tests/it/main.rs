//! Stage kinds from outside: an attempt goes in, an outcome comes out, as a worker does it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod bench;
#[cfg(feature = "video")]
mod clips;
mod dataset;
mod export;
#[cfg(feature = "video")]
mod far;
mod formats;
#[cfg(feature = "video")]
mod lost;
#[cfg(feature = "video")]
mod memory;
#[cfg(feature = "video")]
mod pixels;
#[cfg(feature = "video")]
mod tensors;
