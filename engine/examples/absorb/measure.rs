//! Claim latencies, measured apart from the play: 1.2 million claims over the log's keys by two
//! threads that do nothing else.
//!
//! Three claims in four name a line of the log, so all but the first of each key are replays;
//! one in four names a key that no claim has named before, gets the lease and completes. The
//! clock runs from before the key is hashed until the claim returns; completing is not in it.
//! The engine starts empty, so the first touch of its memory is in it: about one claim in a hundred
//! waits for the system to map a page.

use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;

use idem::{Claim, ConfigError, Engine, Outcome, Scope};

use crate::log::Line;
use crate::random::Random;
use crate::upstream::response;

const THREAD_COUNT: usize = 2;
const CLAIMS_PER_THREAD: usize = 600_000;
const CLAIMS_PER_NEW_KEY: u64 = 4;

pub(crate) struct Measured {
    pub(crate) claims: Latencies,
    pub(crate) counts: Counts,
    pub(crate) records: u64,
    /// Stored responses with their headers and rounding.
    pub(crate) stored_bytes: u64,
}

/// What the claims came to.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) new_keys: u64,
    pub(crate) replays: u64,
    pub(crate) in_flight: u64,
    /// Replays of another key's response.
    pub(crate) wrong: u64,
    pub(crate) unexpected: u64,
    /// Responses that were completed with, nothing else included.
    pub(crate) response_bytes: u64,
}

/// Latencies in ascending order. One above 4.29 s counts as 4.29 s.
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The least latency that at least `per_10_000` in 10 000 claims do not exceed.
    pub(crate) fn quantile_ns(&self, per_10_000: usize) -> u32 {
        let rank = (self.0.len() * per_10_000).div_ceil(10_000).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0)
    }
}

pub(crate) fn measure(lines: &[Line<'_>], seed: u64) -> Result<Measured, ConfigError> {
    // Room for the case that every claim brings a new key: nothing is to be Full here.
    let engine =
        Engine::builder().records(THREAD_COUNT * CLAIMS_PER_THREAD).bytes(1 << 30).build()?;

    let mut counts = Counts::default();
    let mut latencies_ns = Vec::with_capacity(THREAD_COUNT * CLAIMS_PER_THREAD);
    thread::scope(|scope| {
        let sample = |number| sample(&engine, lines, number, seed);
        let threads: Vec<_> =
            (0..THREAD_COUNT).map(|number| scope.spawn(move || sample(number))).collect();
        for thread in threads {
            let (more, latencies) = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            counts.add(&more);
            latencies_ns.extend(latencies);
        }
    });
    latencies_ns.sort_unstable();

    let stats = engine.stats();
    Ok(Measured {
        claims: Latencies(latencies_ns),
        counts,
        records: stats.records,
        stored_bytes: stats.bytes,
    })
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.new_keys += more.new_keys;
        self.replays += more.replays;
        self.in_flight += more.in_flight;
        self.wrong += more.wrong;
        self.unexpected += more.unexpected;
        self.response_bytes += more.response_bytes;
    }
}

/// The claims of one thread, and how long each took.
fn sample(engine: &Engine, lines: &[Line<'_>], thread: usize, seed: u64) -> (Counts, Vec<u32>) {
    // Each thread has its own sequence, and both differ from the plan's.
    let mut random = Random::new(seed ^ ((thread as u64 + 1) << 32));
    let mut counts = Counts::default();
    let mut latencies_ns = Vec::with_capacity(CLAIMS_PER_THREAD);
    for number in 0..CLAIMS_PER_THREAD {
        let identity = lines[random.below(lines.len() as u64) as usize].identity;
        let mut operation = identity.operation();
        if random.below(CLAIMS_PER_NEW_KEY) == 0 {
            // No target holds a space, so no line of the log has this name.
            operation.extend_from_slice(format!(" {thread} {number}").as_bytes());
        }
        let expected = response(identity, b"");

        let start = Instant::now();
        let outcome = engine
            .key(Scope::Of(identity.client), &operation)
            .map(|key| engine.claim(Claim::new(key).wait(false)));
        let latency = start.elapsed();

        latencies_ns.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
        match outcome {
            Ok(Ok(Outcome::Execute(lease))) => {
                counts.new_keys += 1;
                counts.response_bytes += expected.len() as u64;
                counts.unexpected += u64::from(lease.complete(&expected).is_err());
            }
            Ok(Ok(Outcome::Replay(replay))) => {
                counts.replays += 1;
                counts.wrong += u64::from(*replay != *expected);
            }
            Ok(Ok(Outcome::InFlight(_))) => counts.in_flight += 1,
            _ => counts.unexpected += 1,
        }
    }
    (counts, latencies_ns)
}
