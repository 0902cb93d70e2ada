//! The binary as a person or a program meets it: its command line, its exit codes, what it says, and what it leaves.

mod bench;
mod output;
#[cfg(all(feature = "video", feature = "trainer"))]
mod quickstart;
mod refusing;
mod running;
#[cfg(all(feature = "video", feature = "trainer"))]
mod sample;
mod stopping;
