//! Any bytes as a spec in TOML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipe_fuzz::toml(bytes));
