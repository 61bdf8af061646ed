//! Any bytes as insertions into the timer wheel and passages of time, beside sorted lists: what the
//! tests of `engine/src/wheel/side_by_side.rs` do, with the operations chosen by the code they reach.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| idem::fuzzing::wheel(data));
