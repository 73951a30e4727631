//! libFuzzer's door to [`chancery_fuzz::registry::referrers_index`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::registry::referrers_index(input));
