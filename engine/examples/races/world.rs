//! One engine, what is done with it in a round, and what must be true of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use idem::{Builder, Clock, Engine, Fingerprint, Key, ManualClock, Scope, Stats};

use crate::ledger::Ledger;
use crate::random::Random;

/// Of the engine and the work of a round; every number of it from the seed.
pub(crate) struct Shape {
    records: usize,
    bytes: u64,
    waiters: usize,
    waiters_per_key: usize,
    pub(crate) key_count: usize,
    /// Milliseconds that a response is kept, at most.
    pub(crate) retention: u64,
    /// Bytes of most responses, and of some, at most.
    pub(crate) lengths: [u64; 2],
    cancelled_retention: Duration,
    is_manual: bool,
    pub(crate) closes: bool,
}

impl Shape {
    /// Rounds take turns, so that few of them see every shape.
    pub(crate) const COUNT: u64 = 8;

    pub(crate) fn new(round: u64, random: &mut Random) -> Self {
        let is_manual = round.is_multiple_of(2);
        let few = random.below(4) as usize + 2;
        let (records, key_count, bytes, retention, lengths) = match round / 2 % 4 {
            // Every thread at the same keys.
            0 => (16, few, 64 << 10, 4, [300, 8100]),
            // As many keys as records, kept for long: lines run over into pairs.
            1 => (60, 80, 64 << 10, 20, [100, 300]),
            // More keys than records.
            2 => (few, 2 * few, 64 << 10, 4, [100, 300]),
            // Responses in each other's way: runs are missing, and are made.
            _ => (60, 60, 32 << 10, 20, [1500, 8100]),
        };
        let waiters = if random.below(2) == 0 { 3 } else { 64 };
        Self {
            records,
            bytes,
            waiters,
            waiters_per_key: random.below(4) as usize + 1,
            key_count,
            retention,
            lengths,
            cancelled_retention: Duration::from_millis(random.below(2) * 3),
            is_manual,
            closes: round / Self::COUNT % 2 == 1,
        }
    }

    fn builder(&self) -> Builder {
        Engine::builder()
            .records(self.records)
            .bytes(self.bytes)
            .max_response(World::RESPONSE_MAX)
            .waiters(self.waiters)
            .waiters_per_key(self.waiters_per_key)
            .cancelled_retention(self.cancelled_retention)
            .halted_retention(Duration::from_millis(4))
            .accept_timeout(Duration::from_millis(3))
            // Its thread is the standard library's; one of ours ticks.
            .helper_thread(false)
    }
}

/// What the threads of a round share.
pub(crate) struct World {
    pub(crate) engine: Engine,
    clock: Option<ManualClock>,
    keys: Vec<Key>,
    pub(crate) ledger: Ledger,
    /// Workers that are not done.
    working: AtomicUsize,
}

impl World {
    /// Longer ones leave a tombstone.
    const RESPONSE_MAX: usize = 8000;
    /// What is still there after this time stays.
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(crate) fn new(shape: &Shape, worker_count: usize) -> Self {
        let clock = shape.is_manual.then(ManualClock::new);
        let builder = match &clock {
            Some(clock) => shape.builder().clock(Clock::manual(clock)),
            None => shape.builder(),
        };
        let engine = builder.build().expect("the options are in bounds");
        let keys = (0..shape.key_count).map(|key| make_key(&engine, key)).collect();
        let ledger = Ledger::new(shape.key_count);
        Self { engine, clock, keys, ledger, working: AtomicUsize::new(worker_count) }
    }

    pub(crate) fn key(&self, key: usize) -> Key {
        self.keys[key]
    }

    /// Whether leases of the key last until their owner ends them. Only those are in the ledger:
    /// one that ran out has an owner that nobody waits for.
    pub(crate) fn lasts(key: usize) -> bool {
        key.is_multiple_of(2)
    }

    /// A response for a key: each byte says whose it is, where it stands and which one it is of.
    pub(crate) fn response(key: usize, stamp: u8, length: usize) -> Vec<u8> {
        (0..length.max(1)).map(|at| if at == 0 { stamp } else { byte(key, stamp, at) }).collect()
    }

    /// Reads a response, byte by byte: it must be the key's, one piece, and an error if it says so.
    pub(crate) fn check(key: usize, response: &[u8], is_error: bool) {
        // Of `once`.
        let Some(stamp) = response.first().copied() else { return };
        for (at, found) in response.iter().enumerate().skip(1) {
            let expected = byte(key, stamp, at);
            assert_eq!(*found, expected, "byte {at} of a response of key {key}, stamp {stamp}");
        }
        assert_eq!(is_error, Self::is_error(stamp), "key {key}, stamp {stamp}");
    }

    /// Whether a response with this stamp was shared as an error.
    pub(crate) fn is_error(stamp: u8) -> bool {
        stamp.is_multiple_of(4)
    }

    pub(crate) fn worker_is_done(&self) {
        // Relaxed: it must order nothing.
        self.working.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.working.load(Ordering::Relaxed) == 0
    }

    /// Moves the clock until the workers are done. Nothing else is done here: whoever reads the
    /// time comes after what the thread that moved it has done, and that would order what should
    /// race.
    pub(crate) fn run_clock(&self) {
        let Some(clock) = &self.clock else { return };
        while !self.is_over() {
            clock.advance(Duration::from_millis(1));
            std::thread::yield_now();
        }
    }

    /// Ticks until the workers are done.
    pub(crate) fn run_ticks(&self) {
        while !self.is_over() {
            self.engine.tick();
            std::thread::yield_now();
        }
    }

    /// When all threads are gone: time brings everything back to nothing, and all adds up.
    pub(crate) fn finish(self, executes: &[Vec<u64>]) -> Stats {
        let begin = Instant::now();
        let mut stats = self.engine.stats();
        let left = |stats: &Stats| (stats.records, stats.bytes, stats.waiters);
        while left(&stats) != (0, 0, 0) && begin.elapsed() < Self::PATIENCE {
            if let Some(clock) = &self.clock {
                clock.advance(Duration::from_millis(1));
            }
            self.engine.tick();
            stats = self.engine.stats();
        }
        assert_eq!(left(&stats), (0, 0, 0), "records, bytes, waiters left: {stats:?}");
        // Forced are also records that were being handed over, when nobody had a lease.
        let ends = stats.completes + stats.cancels + stats.halts + stats.lease_expiries;
        let is_even = (ends..=ends + stats.forced).contains(&stats.executes);
        assert!(is_even, "every lease ends exactly once: {stats:?}");
        for (key, noted) in self.ledger.into_counts().into_iter().enumerate() {
            let by_worker = executes.iter().map(|counts| counts[key]);
            assert_eq!(noted, by_worker.sum(), "key {key}: executions beside each other");
        }
        stats
    }
}

/// Keys of every kind. Namespaces are looked up here, before there are threads: the map of their
/// names has a lock of the standard library for its thread numbers, and orders what it frees by
/// fences.
fn make_key(engine: &Engine, key: usize) -> Key {
    let name = [b'k', key as u8];
    match key % 4 {
        0 => engine.raw_key(key as u128),
        1 => engine.key(Scope::Of(b"scope"), &name).expect("a good key"),
        2 => engine.namespace("few").expect("a good name").raw_key(key as u128),
        _ => {
            let fingerprint = Fingerprint::from_u128(key as u128);
            engine.fingerprint_key(Scope::None, fingerprint).expect("a good key")
        }
    }
}

fn byte(key: usize, stamp: u8, at: usize) -> u8 {
    (key as u8).wrapping_mul(37) ^ stamp.wrapping_mul(5) ^ (at as u8) ^ (at >> 8) as u8
}
