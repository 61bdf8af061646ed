//! Claims while very many records of one deadline expire: of libidem alone, beside the same with
//! nothing expiring.
//!
//! One thread claims and times each claim; another ticks, all the time while there is something to
//! do and every millisecond else, as an owner of the engine would. The clock is manual, so that
//! all records but those that the claims are about can be given one deadline, and be made due at
//! one instant. Expiry is quick: it is done again and again, with the table filled anew while
//! nobody claims, until as much time was measured as in other workloads.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use idem::{Claim, Clock, Completion, Engine, Fingerprint, Lease, ManualClock, Outcome};

use crate::keys::{self, Key, Random};
use crate::sample::Sample;
use crate::steady;
use crate::times::Times;
use crate::workload::{NEW_EVERY, Row, Spec, bytes_for, new_keys_max};

/// When the mass of records is due.
const RETENTION: Duration = Duration::from_hours(1);

/// For how long nothing else ends.
const EVER: Duration = Duration::from_hours(1000);

/// One lasting key for so many that expire.
const LASTING_EVERY: usize = 10;

/// How long the expiry may take before there is no room for the new keys that are claimed
/// meanwhile.
const EXPIRY_MAX: Duration = Duration::from_secs(5);

/// Where the counters of lasting keys, and those of new ones, begin.
const LASTING: u64 = 1 << 40;
const NEW: u64 = 1 << 41;

// What the thread that claims is to do: rest, claim, claim and keep the times, stop.
const RESTING: u8 = 0;
const WARMING: u8 = 1;
const RUNNING: u8 = 2;
const STOPPED: u8 = 3;

/// While they expire: from the moment they are due until the last has left.
pub(crate) fn during(spec: &Spec) -> Sample {
    sample(spec, true)
}

/// Without anything expiring, for as long as other workloads run.
pub(crate) fn without(spec: &Spec) -> Sample {
    sample(spec, false)
}

/// An engine and its time.
struct Bed {
    engine: Engine,
    clock: ManualClock,
    row: Row,
    phase: AtomicU8,
    /// The phase that the thread which claims has seen.
    seen: AtomicU8,
}

impl Bed {
    fn new(spec: &Spec) -> Self {
        let (row, clock) = (spec.row, ManualClock::new());
        let room = row.keys / LASTING_EVERY + new_keys_max(1, spec.time + EXPIRY_MAX);
        let engine = Engine::builder()
            .records(row.keys + room)
            .bytes(bytes_for(row.keys + room, row.payload))
            .retention(RETENTION)
            .lease(EVER)
            .clock(Clock::manual(&clock))
            .helper_thread(false)
            .build()
            .expect("the configuration is valid");
        let (phase, seen) = (AtomicU8::new(RESTING), AtomicU8::new(RESTING));
        let bed = Self { engine, clock, row, phase, seen };
        bed.fill(LASTING..LASTING + bed.lasting() as u64, EVER);
        bed
    }

    /// New keys that are completed for `retention`.
    fn fill(&self, counters: Range<u64>, retention: Duration) {
        let mut response = vec![0; self.row.payload.range().1];
        for counter in counters {
            let key = keys::key(counter);
            match self.claim(key) {
                Outcome::Execute(lease) => self.complete(key, lease, retention, &mut response),
                other => panic!("a new key is to be executed, not {other:?}"),
            }
        }
    }

    fn lasting(&self) -> usize {
        self.row.keys.div_ceil(LASTING_EVERY)
    }

    fn claim(&self, key: Key) -> Outcome {
        let fingerprint = Fingerprint::from_u128(keys::fingerprint(key));
        let claim = Claim::new(self.engine.raw_key(key)).fingerprint(fingerprint);
        self.engine.claim(claim).expect("the claim is valid")
    }

    fn complete(&self, key: Key, lease: Lease, retention: Duration, response: &mut [u8]) {
        let response = &mut response[..self.row.payload.length(key)];
        keys::write_response(key, response);
        let completed = lease.complete_for(response, retention);
        assert_eq!(completed, Ok(Completion::Stored));
    }

    fn is_replayed(&self, key: Key, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Replay(replay) => keys::is_response(key, replay, self.row.payload.length(key)),
            _ => false,
        }
    }

    /// Ticks until `time` is over.
    fn tick_for(&self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            if !self.engine.tick() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Ticks until as many have left in all; gives up when there may be no room for new keys.
    fn tick_away(&self, expired: u64) {
        let start = Instant::now();
        // What a claim is at just then is not left for a tick to do: so count.
        while self.engine.tick() || self.engine.stats().expired < expired {
            if start.elapsed() >= EXPIRY_MAX {
                break;
            }
        }
    }

    /// Lets the thread that claims do something else, and waits until it does.
    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        while self.seen.load(Ordering::Relaxed) != phase {
            thread::yield_now();
        }
    }

    /// The thread that ticks. Returns the time measured, and how many have expired.
    fn ticks(&self, time: Duration, expire: bool) -> (Duration, u64) {
        let mass = 0..self.row.keys as u64;
        let (mut measured, mut expired) = (Duration::ZERO, 0);
        while measured < time {
            self.enter(RESTING);
            self.fill(mass.clone(), RETENTION);
            self.enter(WARMING);
            self.tick_for(time / 4);
            self.enter(RUNNING);
            let start = Instant::now();
            if expire {
                expired += mass.end;
                self.clock.advance(RETENTION);
                self.tick_away(expired);
            } else {
                self.tick_for(time);
            }
            measured += start.elapsed();
        }
        self.enter(STOPPED);
        (measured, expired)
    }

    /// The thread that claims. Returns how long the claims took that were measured, and how many
    /// new keys there are.
    fn claims(&self) -> (Times, u64) {
        let mut times = Times::new();
        let mut random = Random::new(0);
        let mut response = vec![0; self.row.payload.range().1];
        let (mut new, mut before) = (0, RESTING);
        loop {
            let phase = self.phase.load(Ordering::Relaxed);
            if phase != before {
                self.seen.store(phase, Ordering::Relaxed);
                before = phase;
            }
            match phase {
                STOPPED => return (times, new),
                RESTING => {
                    thread::sleep(Duration::from_micros(100));
                    continue;
                }
                _ => {}
            }
            let is_new = random.below(NEW_EVERY) == 0;
            let key = if is_new {
                new += 1;
                keys::key(NEW + new)
            } else {
                keys::key(LASTING + random.below(self.lasting()))
            };
            let start = Instant::now();
            let outcome = self.claim(key);
            let time = start.elapsed();
            if phase == RUNNING {
                times.record(time);
            }
            match outcome {
                Outcome::Execute(lease) if is_new => self.complete(key, lease, EVER, &mut response),
                other => assert!(!is_new && self.is_replayed(key, &other), "{other:?}"),
            }
        }
    }

    /// Everything that was to leave has left, and nothing else. Returns how many records are left.
    fn check(&self, expired: u64, new: u64) -> u64 {
        let mass = self.row.keys as u64;
        let left = if expired > 0 { 0 } else { mass };
        let stats = self.engine.stats();
        assert_eq!(stats.expired, expired, "records that were to expire");
        assert_eq!(stats.records, self.lasting() as u64 + new + left, "records that were to stay");
        for counter in (0..mass).step_by(1000) {
            let key = keys::key(counter);
            match self.claim(key) {
                Outcome::Execute(_) if expired > 0 => {}
                other => assert!(expired == 0 && self.is_replayed(key, &other), "{other:?}"),
            }
        }
        stats.records
    }
}

/// What one of the two threads returns.
enum Done {
    Claims(Times, u64),
    Ticks(Duration, u64),
}

fn sample(spec: &Spec, expire: bool) -> Sample {
    let bed = Bed::new(spec);
    let (done, _) = steady::together(2, spec.pin, |index| {
        if index == 0 {
            let (times, new) = bed.claims();
            Done::Claims(times, new)
        } else {
            let (time, expired) = bed.ticks(spec.time, expire);
            Done::Ticks(time, expired)
        }
    });
    let [Done::Claims(times, new), Done::Ticks(time, expired)] = &done[..] else {
        unreachable!("in the order of their indices");
    };
    Sample::of_times(times, *time, bed.check(*expired, *new))
}
