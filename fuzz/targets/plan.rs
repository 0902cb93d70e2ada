//! Any bytes as a spec of which a plan is made.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipe_fuzz::plan(bytes));
