//! How long one claim takes: a tenth of them of new keys, the others of keys that are completed.
//!
//! Only the claim is timed. A thread that is preempted within one, by others or while it holds
//! what others need, has that time in its claim: so a caller would see it.

use std::ops::Range;

use parking_lot::Mutex;

use super::hand::{Hand, share};
use super::{BATCH, CHECK_EVERY, COUNTERS_PER_LANE, audit};
use crate::adapter::{Adapter, Tally};
use crate::keys::{self, Random};
use crate::sample::Sample;
use crate::steady::{self, Worker};
use crate::times::Times;
use crate::workload::{NEW_EVERY, Spec};

/// Times claims, one by one.
struct Timer<'a, A: Adapter> {
    hand: Hand<'a, A>,
    keys: usize,
    share: Range<u64>,
    /// The counters of this worker's new keys.
    new: Range<u64>,
    random: Random,
    steps: u64,
    times: Times,
    /// Where all workers put their times together.
    all: &'a Mutex<Times>,
}

impl<A: Adapter> Timer<'_, A> {
    fn step(&mut self) {
        let is_new = self.random.below(NEW_EVERY) == 0;
        let counter = if is_new {
            self.new.next().expect("a worker does not get to the end of its counters")
        } else {
            self.random.below(self.keys)
        };
        let fully = self.steps.is_multiple_of(CHECK_EVERY);
        let time = self.hand.timed(keys::key(counter), is_new, fully);
        self.times.record(time);
        self.steps += 1;
    }
}

impl<A: Adapter> Worker for Timer<'_, A> {
    fn prepare(&mut self) {
        for counter in self.share.clone() {
            self.hand.execute(keys::key(counter));
        }
    }

    fn batch(&mut self) -> u64 {
        for _ in 0..BATCH {
            self.step();
        }
        BATCH
    }

    fn begin(&mut self) {
        self.times.clear();
    }

    fn finish(&mut self) -> Tally {
        self.all.lock().add(&self.times);
        self.hand.tally
    }
}

/// Takes one sample of `A`.
pub(super) fn sample<A: Adapter>(spec: &Spec) -> Sample {
    let row = spec.row;
    let adapter = A::new(&spec.setup());
    let all = Mutex::new(Times::new());
    let timed = steady::steady(
        row.threads,
        spec.pin,
        (spec.time / 4, spec.time),
        |index| {
            let lane = index as u64 + 1;
            Timer {
                hand: Hand::new(&adapter, index, row.payload),
                keys: row.keys,
                share: share(spec, index),
                new: lane * COUNTERS_PER_LANE..(lane + 1) * COUNTERS_PER_LANE,
                random: Random::new(index as u64),
                steps: 0,
                times: Times::new(),
                all: &all,
            }
        },
        || row.keys,
    );
    let live = adapter.live() as u64;
    assert_eq!(live, timed.tally.executes, "{}: every key has a record", A::NAME);
    audit(&adapter, &timed.tally);
    std::mem::forget(adapter);
    let sample = Sample::of_times(&all.lock(), timed.time, live);
    Sample { fulls: timed.tally.fulls, ..sample }
}
