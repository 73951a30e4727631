//! libFuzzer's door to [`chancery_fuzz::cases::case`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::cases::case(input));
