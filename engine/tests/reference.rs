//! Random operations on the engine and on the reference machine, side by side.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test reference` runs more of them. `make fuzz` runs
//! the same operations, chosen by what they reach.
#![cfg(not(idem_loom))]

#[path = "reference/mod.rs"]
mod reference;

use proptest::collection::vec;
use proptest::prelude::*;

use reference::grammar::{Case, Code};
use reference::side_by_side::run;

fn cases(op_count: usize) -> impl Strategy<Value = Case> {
    (any::<Code>(), vec(any::<Code>(), 0..op_count))
        .prop_map(|(setup, ops)| Case::decode(setup, ops))
}

/// The seed is new each time, so a failure prints all there is to know: the shortest operations.
fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap());
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(2048))]

    /// T, K2 to K4, L1 to L7, W1 to W3, R1 to R3, as one thread sees them.
    #[test]
    fn engine_and_machine_agree(case in cases(200)) {
        run(&case);
    }
}
