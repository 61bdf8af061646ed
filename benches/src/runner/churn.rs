//! New keys in steady state: each pushes out the oldest.

use std::thread;
use std::time::{Duration, Instant};

use super::hand::Hand;
use super::retention::{Found, Search, warm_up};
use super::{BATCH, CHECK_EVERY, COUNTERS_PER_LANE, audit, give_up};
use crate::adapter::{Adapter, Setup, Tally};
use crate::keys::{self, Key, Name};
use crate::sample::Sample;
use crate::steady::{self, Worker};
use crate::workload::Spec;

/// Takes one sample of `A`.
pub(super) fn sample<A: Adapter>(spec: &Spec) -> Sample {
    if A::LEAVES_BY_TIME {
        by_time::<A>(spec)
    } else {
        once::<A>(spec, &spec.setup(), || thread::sleep(spec.time / 4)).0
    }
}

/// Claims and completes new keys.
struct Churner<'a, A: Adapter> {
    hand: Hand<'a, A>,
    spec: &'a Spec,
    first: u64,
    steps: u64,
    /// How many keys of this worker, and of all workers, live at once.
    live: (u64, u64),
    retention: Duration,
    begun: Instant,
}

impl<A: Adapter> Churner<'_, A> {
    fn key(&self, step: u64) -> Key {
        keys::key(self.first + step)
    }

    fn step(&mut self) {
        let key = self.key(self.steps);
        if self.steps.is_multiple_of(CHECK_EVERY) {
            let since = Instant::now();
            self.hand.execute(key);
            self.claim_again(key, since);
        } else {
            self.hand.execute(key);
        }
        self.hand.adapter.leave(&mut self.hand.lane, A::Name::of(key));
        self.steps += 1;
    }

    /// A key just completed is replayed, unless the thread was stopped until it had expired.
    fn claim_again(&mut self, key: Key, since: Instant) {
        if A::LEAVES_EXACTLY {
            return self.hand.replay(key, true);
        }
        let anew = self.hand.replay_or_execute(key);
        assert!(
            !anew || !A::LEAVES_BY_TIME || since.elapsed() >= self.retention,
            "{}: a key was new again before its retention had ended",
            A::NAME
        );
    }

    /// A key of this worker whose time is surely over.
    fn long_due(&self) -> Option<u64> {
        if A::LEAVES_EXACTLY {
            return (self.steps > self.live.0).then(|| self.steps - self.live.0 - 1);
        }
        let over = if A::LEAVES_BY_TIME {
            self.begun.elapsed() >= 2 * self.retention
        } else {
            // The clock has advanced at least as far as this worker has moved it.
            self.steps >= 2 * self.live.1
        };
        over.then_some(0)
    }
}

impl<A: Adapter> Worker for Churner<'_, A> {
    fn prepare(&mut self) {
        // Where keys leave by time, the warm-up fills the table.
        if !A::LEAVES_BY_TIME {
            for _ in 0..self.live.0 {
                self.step();
            }
        }
    }

    fn batch(&mut self) -> u64 {
        for _ in 0..BATCH {
            self.step();
        }
        BATCH
    }

    fn finish(&mut self) -> Tally {
        if A::LEAVES_EXACTLY {
            for step in self.steps.saturating_sub(self.live.0.min(256))..self.steps {
                self.hand.replay(self.key(step), true);
            }
            let left = self.first..self.first + self.steps.saturating_sub(self.live.0);
            self.hand.tally.stored -= self.spec.row.payload.total(left);
        }
        if let Some(step) = self.long_due() {
            self.hand.execute(self.key(step));
            self.hand.tally.extras += 1;
        }
        self.hand.tally
    }
}

/// One engine. Also whether keys were refused since the measured time began.
fn once<A: Adapter>(spec: &Spec, setup: &Setup, warm_up: impl FnOnce()) -> (Sample, bool) {
    let row = spec.row;
    let adapter = A::new(setup);
    let each = row.keys / row.threads;
    let live = each * row.threads;
    let timed = steady::warmed(
        row.threads,
        spec.pin,
        (warm_up, spec.time),
        |index| Churner {
            hand: Hand::new(&adapter, index, row.payload),
            spec,
            first: index as u64 * COUNTERS_PER_LANE,
            steps: 0,
            live: (each as u64, live as u64),
            retention: setup.retention,
            begun: Instant::now(),
        },
        // Counting may take locks; where the count is known it is not asked for while time runs.
        || if A::LEAVES_EXACTLY { live } else { adapter.live() },
    );
    if A::LEAVES_EXACTLY {
        let extras = usize::try_from(timed.tally.extras).expect("one for each worker");
        assert_eq!(adapter.live(), live + extras, "{}: the oldest keys have left", A::NAME);
    }
    audit(&adapter, &timed.tally);
    if !A::LEAVES_BY_TIME {
        // The process is about to end. The others may try again and must not leave a thread.
        std::mem::forget(adapter);
    }
    // A worker that was being refused all the time has taken no step and says no more than this.
    let refused = timed.tally.last_full.is_some_and(|last| last >= timed.start);
    (Sample::of(&timed), refused)
}

/// Where keys leave as real time passes: finds the retention at which the wanted number lives. What
/// was measured while keys were refused is no sample: they waited, and the number that lives is then
/// the engine's limit, however long the retention.
fn by_time<A: Adapter>(spec: &Spec) -> Sample {
    let wanted = real(spec.row.keys as u64);
    let mut setup = spec.setup();
    let mut search = Search::new(wanted);
    let mut tried = Vec::new();
    for _ in 0..Search::ATTEMPTS_MAX {
        setup.retention = search.retention();
        let (sample, refused) = once::<A>(spec, &setup, || warm_up(setup.retention));
        let share = real(sample.live) / wanted;
        let found = if refused { Found::Refused } else { Found::Lived(share) };
        if found.is_good() {
            return sample;
        }
        tried.push(format!("{:.0?}: {found:.2?}", setup.retention));
        search.go_on(found);
    }
    give_up(&format!("no retention was found at which {wanted} live; {}", tried.join(", ")))
}

#[expect(clippy::cast_precision_loss, reason = "counts of one sample are below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}
