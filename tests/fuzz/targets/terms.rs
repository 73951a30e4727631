//! libFuzzer's door to [`chancery_fuzz::terms::terms`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::terms::terms(input));
