//! libFuzzer's door to [`chancery_fuzz::kinds::alpine`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::kinds::alpine(input));
