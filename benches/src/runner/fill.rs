//! New keys into an empty table: how fast, or how much memory they take.

use std::time::Duration;

use super::audit;
use super::hand::{Hand, share};
use crate::adapter::{Adapter, Tally};
use crate::keys;
use crate::machine;
use crate::sample::Sample;
use crate::steady;
use crate::times::nanos;
use crate::workload::{Spec, Workload};

/// Takes one sample of `A`.
pub(super) fn sample<A: Adapter>(spec: &Spec) -> Sample {
    let weigh = || match spec.row.workload {
        Workload::Bytes => machine::resident_bytes(),
        _ => 0,
    };
    let before = weigh();
    let adapter = A::new(&spec.setup());
    let (hands, time) = fill_up(&adapter, spec);
    if spec.row.workload == Workload::Bytes {
        adapter.settle();
    }
    let after = weigh();
    let fulls = hands.iter().map(|hand| hand.tally.fulls).sum();
    check(&adapter, spec, hands);
    std::mem::forget(adapter);
    Sample {
        operations: spec.row.keys as u64,
        nanos: nanos(time),
        live: spec.row.keys as u64,
        fulls,
        resident: after.saturating_sub(before),
        ..Sample::default()
    }
}

/// Fills `adapter`, and says how long that took.
fn fill_up<'a, A: Adapter>(adapter: &'a A, spec: &Spec) -> (Vec<Hand<'a, A>>, Duration) {
    let row = spec.row;
    steady::together(row.threads, spec.pin, |index| {
        let mut hand = Hand::new(adapter, index, row.payload);
        for counter in share(spec, index) {
            hand.execute(keys::key(counter));
        }
        hand
    })
}

/// Replays every key in full.
fn check<A: Adapter>(adapter: &A, spec: &Spec, hands: Vec<Hand<'_, A>>) {
    assert_eq!(adapter.live(), spec.row.keys, "{}: every key has a record", A::NAME);
    let mut tally = Tally::default();
    for (index, mut hand) in hands.into_iter().enumerate() {
        for counter in share(spec, index) {
            hand.replay(keys::key(counter), true);
        }
        tally.add(&hand.tally);
    }
    audit(adapter, &tally);
}
