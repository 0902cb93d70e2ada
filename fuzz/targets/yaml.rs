//! Any bytes as a spec in YAML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipe_fuzz::yaml(bytes));
