//! Random calls of the exported functions; `fuzz/fuzz_targets/border.rs` chooses them by the code they reach.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions, one after the other"
)]

mod border;

/// A stream of bytes; splitmix64.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn random_calls_do_what_they_say_and_leave_nothing() {
    for seed in 0..1500 {
        border::run(&bytes(seed, 1200));
    }
}
