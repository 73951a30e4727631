//! libFuzzer's door to [`chancery_fuzz::questions::question`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::questions::question(input));
