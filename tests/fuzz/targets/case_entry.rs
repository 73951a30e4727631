//! libFuzzer's door to [`chancery_fuzz::cases::case_entry`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::cases::case_entry(input));
