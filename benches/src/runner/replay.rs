//! Duplicates of completed keys, or looks at them.

use std::ops::Range;

use super::hand::{Hand, share};
use super::{BATCH, CHECK_EVERY, audit};
use crate::adapter::{Adapter, Tally};
use crate::keys::{self, Random};
use crate::sample::Sample;
use crate::steady::{self, Worker};
use crate::workload::Spec;

/// Claims keys that are all completed; or only looks at them and copies their bytes.
struct Replayer<'a, A: Adapter, const PEEK: bool> {
    hand: Hand<'a, A>,
    keys: usize,
    share: Range<u64>,
    random: Random,
    steps: u64,
}

impl<A: Adapter, const PEEK: bool> Worker for Replayer<'_, A, PEEK> {
    fn prepare(&mut self) {
        for counter in self.share.clone() {
            self.hand.execute(keys::key(counter));
        }
    }

    fn batch(&mut self) -> u64 {
        for _ in 0..BATCH {
            let key = keys::key(self.random.below(self.keys));
            let fully = self.steps.is_multiple_of(CHECK_EVERY);
            if PEEK {
                self.hand.peek(key, fully);
            } else {
                self.hand.replay(key, fully);
            }
            self.steps += 1;
        }
        BATCH
    }

    fn finish(&mut self) -> Tally {
        self.hand.tally
    }
}

/// Takes one sample of `A`.
pub(super) fn sample<A: Adapter, const PEEK: bool>(spec: &Spec) -> Sample {
    let row = spec.row;
    let adapter = A::new(&spec.setup());
    let timed = steady::steady(
        row.threads,
        spec.pin,
        (spec.time / 4, spec.time),
        |index| Replayer::<A, PEEK> {
            hand: Hand::new(&adapter, index, row.payload),
            keys: row.keys,
            share: share(spec, index),
            random: Random::new(index as u64),
            steps: 0,
        },
        || row.keys,
    );
    assert_eq!(adapter.live(), row.keys, "{}: every key still has a record", A::NAME);
    audit(&adapter, &timed.tally);
    std::mem::forget(adapter);
    Sample::of(&timed)
}
