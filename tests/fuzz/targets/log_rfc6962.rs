//! libFuzzer's door to [`chancery_fuzz::logs::log_rfc6962`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chancery_fuzz::logs::log_rfc6962(input));
