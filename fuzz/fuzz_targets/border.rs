//! Any bytes as calls of the C functions: what `ffi/tests/calls.rs` does, with the bytes chosen by the code
//! they reach.
#![no_main]

#[path = "../../ffi/tests/border/mod.rs"]
mod border;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| border::run(data));
