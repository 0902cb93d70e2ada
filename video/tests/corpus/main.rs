//! Hard videos are cut into exactly the frames that a full decode of them gives, or refused with a reason that counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod input;
mod pictures;

mod expected;
mod judge;
mod structure;
mod table;

mod hard;
