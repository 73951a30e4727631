//! libFuzzer's door to [`chancery_fuzz::repository::tuf_metadata`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::repository::tuf_metadata(input));
