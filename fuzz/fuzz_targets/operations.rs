//! Any bytes as operations on the engine and on the reference machine, side by side: what
//! `engine/tests/reference.rs` does, with the operations chosen by the code they reach.
#![no_main]

#[path = "../../engine/tests/reference/mod.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;

use reference::grammar::Case;
use reference::side_by_side::run;

/// Longer inputs show nothing new, only slower.
const OPS_MAX: usize = 300;

fuzz_target!(|data: &[u8]| {
    let (codes, _) = data.as_chunks::<4>();
    if let Some((setup, ops)) = codes.split_first() {
        run(&Case::decode(*setup, ops.iter().copied().take(OPS_MAX)));
    }
});
