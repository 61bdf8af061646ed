//! Random operations on the engine and on the reference machine, side by side.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test reference` runs more of them. `make fuzz`
//! runs the same operations, chosen by what they reach.
#![cfg(not(idem_loom))]

#[path = "reference/mod.rs"]
mod reference;

use std::time::Duration;

use idem::{Clock, Engine, ManualClock, Outcome};
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

    /// T, K2 to K4, K8, K9, L1 to L8, W1 to W3, R1 to R5, P4, as one thread sees them.
    #[test]
    fn engine_and_machine_agree(case in cases(200)) {
        run(&case);
    }
}

/// What the random operations have found, as they printed it. A change to the grammar makes other
/// operations of them: then break the engine again, as each says, and put in what that prints.
#[test]
fn what_was_found_before_stays_mended() {
    let found: [&[Code]; 3] = [
        // An engine without waiters could not be built.
        &[[0, 0, 0, 0]],
        // L1, L2: a late complete that made room ended its own lease for its age, and was stale.
        &[[116, 0, 0, 0], [0, 162, 0, 0], [0, 151, 0, 0], [215, 0, 28, 0], [95, 0, 255, 0]],
        // R2: a claim held the expired response whose room it needed, and said Full.
        &[
            [48, 0, 0, 8],
            [0, 0, 0, 5],
            [95, 0, 216, 40],
            [0, 0, 0, 0],
            [237, 0, 0, 0],
            [0, 0, 0, 1],
            [95, 0, 0, 32],
            [215, 0, 0, 0],
            [0, 0, 0, 0],
        ],
    ];
    for codes in found {
        run(&Case::decode(codes[0], codes[1..].iter().copied()));
    }
}

/// Beyond what random operations reach: a slot counts its replays up to a point, and then moves the
/// count. When the look that removes the record was the one to move it, the record stayed.
#[test]
fn r3_a_record_ends_however_often_it_was_replayed() {
    let retention = Duration::from_secs(1);
    for replays in (1 << 17) - 4..(1 << 17) + 2 {
        let clock = ManualClock::new();
        let engine = Engine::builder().clock(Clock::manual(&clock)).retention(retention);
        let engine = engine.build().unwrap();
        let key = engine.raw_key(1);
        let Outcome::Execute(lease) = engine.claim(key).unwrap() else { panic!("a new key") };
        lease.complete(b"done").unwrap();
        for _ in 0..replays {
            assert!(matches!(engine.claim(key).unwrap(), Outcome::Replay(_)));
        }
        clock.advance(retention);
        while engine.tick() {}
        let stats = engine.stats();
        assert_eq!((stats.records, stats.bytes), (0, 0), "after {replays} replays");
    }
}
