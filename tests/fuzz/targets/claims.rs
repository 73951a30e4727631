//! libFuzzer's door to [`chancery_fuzz::tokens::claims`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::tokens::claims(input));
