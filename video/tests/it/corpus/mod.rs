//! Hard videos are cut into exactly the frames that a full decode of them gives, or refused with a reason that counts.

pub(crate) mod input;
mod pictures;

pub(crate) mod alike;
mod expected;
mod judge;
mod structure;
mod table;

mod hard;
