//! Duplicates of completed keys, one by one or by the batch; or looks at them.

use std::ops::Range;

use super::hand::{Hand, share};
use super::{BATCH, CHECK_EVERY, audit};
use crate::adapter::{Adapter, Tally};
use crate::keys::{self, Key, Random};
use crate::sample::Sample;
use crate::steady::{self, Worker};
use crate::workload::Spec;

/// Claims of one batch.
pub(super) const CLAIMS: usize = 16;

/// What is done to a completed key.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// It is claimed.
    Replay,
    /// It is only looked at, and its bytes are copied.
    Peek,
    /// It is claimed together with others.
    Batch,
}

/// Does that to keys that are all completed.
struct Replayer<'a, A: Adapter> {
    hand: Hand<'a, A>,
    mode: Mode,
    keys: usize,
    share: Range<u64>,
    random: Random,
    steps: u64,
}

impl<A: Adapter> Replayer<'_, A> {
    fn key(&mut self) -> Key {
        keys::key(self.random.below(self.keys))
    }

    /// Counts so many steps. True if their responses are to be compared fully.
    fn count(&mut self, steps: usize) -> bool {
        let fully = self.steps.is_multiple_of(CHECK_EVERY);
        self.steps += steps as u64;
        fully
    }
}

impl<A: Adapter> Worker for Replayer<'_, A> {
    fn prepare(&mut self) {
        for counter in self.share.clone() {
            self.hand.execute(keys::key(counter));
        }
    }

    fn batch(&mut self) -> u64 {
        match self.mode {
            Mode::Replay => {
                for _ in 0..BATCH {
                    let (key, fully) = (self.key(), self.count(1));
                    self.hand.replay(key, fully);
                }
            }
            Mode::Peek => {
                for _ in 0..BATCH {
                    let (key, fully) = (self.key(), self.count(1));
                    self.hand.peek(key, fully);
                }
            }
            Mode::Batch => {
                for _ in 0..BATCH as usize / CLAIMS {
                    let keys: [Key; CLAIMS] = std::array::from_fn(|_| self.key());
                    let fully = self.count(CLAIMS);
                    self.hand.replay_batch(&keys, fully);
                }
            }
        }
        BATCH
    }

    fn finish(&mut self) -> Tally {
        self.hand.tally
    }
}

/// Takes one sample of `A`.
pub(super) fn sample<A: Adapter>(spec: &Spec, mode: Mode) -> Sample {
    let row = spec.row;
    let adapter = A::new(&spec.setup());
    let timed = steady::steady(
        row.threads,
        spec.pin,
        (spec.time / 4, spec.time),
        |index| Replayer {
            hand: Hand::new(&adapter, index, row.payload),
            mode,
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
