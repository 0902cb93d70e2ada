//! Facts about cutting, sampling and writing, read from decoded pixels of videos that carry their frame numbers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod arithmetic;
mod bad;
mod bomb;
mod clap;
mod corpus;
mod counting;
mod cutting;
mod decoding;
mod devices;
mod film;
mod formats;
mod golden;
#[cfg(feature = "cuda")]
mod gpu;
mod hostile;
mod made;
mod pictures;
mod ranges;
mod refusing;
mod sampling;
mod shaping;
mod sheets;
mod smart;
mod sound;
mod stills;
