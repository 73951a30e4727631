//! libFuzzer's door to [`chancery_fuzz::registry::manifest`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::registry::manifest(input));
