//! Any bytes as a video out of which clips are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipe_fuzz::clips(bytes));
