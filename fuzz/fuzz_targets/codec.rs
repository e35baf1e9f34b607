#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kvs_zoo_fuzz::codec(data));
