//! libFuzzer's door to [`chancery_fuzz::targets::policy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::targets::policy(input));
