//! Tests of the contract, named by its rules, under every geometry.
//!
//! Goal: each rule of `engine/DESIGN.md` holds for what a caller can see, and for what lies in
//! memory afterwards. Method: the public face, on a manual clock; the structures behind it made
//! tiny in turn, so that lines overflow, generations wrap and wheels turn over. Nothing sleeps:
//! where a thread has to be asleep first, the manual clock tells when it is.
#![expect(
    clippy::disallowed_methods,
    reason = "tests wait for other threads, and must not hang when these do"
)]

mod batch;
mod callback;
mod claim;
mod close;
mod completions;
mod drops;
mod hand_over;
mod identity;
mod input;
mod lease;
mod namespaces;
mod operate;
#[cfg(idem_pause)]
mod pause;
mod raw;
mod room;
mod stats;
mod time;
mod values;
mod waiter;

use core::time::Duration;
use std::time::Instant;

use crate::geometry::Geometry;
use crate::wheel::Shape;
use crate::{
    Builder, Claim, Clock, Engine, Key, Lease, ManualClock, Outcome, Replay, WaitOutcome, Waiter,
};

/// Retention, in seconds, of the engines that `make` makes.
const RETENTION: u64 = 10;
/// Lease time, in seconds.
const LEASE: u64 = 30;
/// Time to accept an offer, in seconds.
const ACCEPT: u64 = 1;
/// How long halted records are kept, in seconds.
const HALTED: u64 = 100;
/// Records.
const RECORDS: usize = 16;

type Reshape = fn(Geometry) -> Geometry;

const SHAPES: [(&str, Reshape); 9] = [
    ("as built", |built| built),
    ("one line", |built| Geometry { lines_for: 1, ..built }),
    ("three-bit generations", |built| Geometry { generation_mask: 7, ..built }),
    ("tiny wheel", |built| Geometry { wheel: Shape { slot_bits: 1, level_count: 2 }, ..built }),
    ("small wheel", |built| Geometry { wheel: Shape { slot_bits: 1, level_count: 3 }, ..built }),
    ("pins move at two", |built| Geometry { pins_high: 2, ..built }),
    ("one shard", |built| Geometry { shards: 1, ..built }),
    ("as many flights as records", |built| Geometry { flights: RECORDS as u32, ..built }),
    ("all of it tiny", tiny),
];

fn tiny(built: Geometry) -> Geometry {
    Geometry {
        shards: 1,
        lines_for: 1,
        flights: RECORDS as u32,
        wheel: Shape { slot_bits: 1, level_count: 2 },
        generation_mask: 7,
        pins_high: 2,
        ..built
    }
}

/// Runs a test once for each geometry; `make` begins an engine of that geometry.
fn under_every_geometry(test: impl Fn(&dyn Fn() -> Builder)) {
    for (name, shape) in SHAPES {
        let _told = Told(name);
        test(&|| small().shape(shape));
    }
}

/// Says which geometry it was that a test failed under.
struct Told(&'static str);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("under the geometry: {}", self.0);
        }
    }
}

/// An engine of few records, with every limit within reach.
fn small() -> Builder {
    Engine::builder()
        .records(RECORDS)
        .bytes(64 * 1024)
        .max_response(16 * 1024)
        .waiters(12)
        .waiters_per_key(8)
        .lease(Duration::from_secs(LEASE))
        .retention(Duration::from_secs(RETENTION))
        .accept_timeout(Duration::from_secs(ACCEPT))
        .halted_retention(Duration::from_secs(HALTED))
        .max_run(Duration::from_secs(600))
        .secret([7; 16])
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// An engine and its clock.
struct Lab {
    engine: Engine,
    clock: ManualClock,
}

impl Lab {
    fn new(builder: Builder) -> Self {
        let clock = ManualClock::new();
        let engine =
            builder.clock(Clock::manual(&clock)).build().expect("the options are in bounds");
        Self { engine, clock }
    }

    fn key(&self, number: u128) -> Key {
        self.engine.raw_key(number)
    }

    fn ask(&self, claim: impl Into<Claim>) -> Outcome {
        self.engine.claim(claim).expect("the claim is in bounds")
    }

    /// A claim that must get the lease.
    #[track_caller]
    fn own(&self, claim: impl Into<Claim>) -> Lease {
        match self.ask(claim) {
            Outcome::Execute(lease) => lease,
            other => panic!("no lease, but {other:?}"),
        }
    }

    /// A claim that must find an owner at work, and gets a place in the queue.
    #[track_caller]
    fn queue(&self, claim: impl Into<Claim>) -> Waiter {
        match self.ask(claim) {
            Outcome::InFlight(other) => other.into_waiter().expect("the claim waits"),
            other => panic!("no owner, but {other:?}"),
        }
    }

    /// A claim that must find a response.
    #[track_caller]
    fn replay(&self, claim: impl Into<Claim>) -> Replay {
        match self.ask(claim) {
            Outcome::Replay(response) => response,
            other => panic!("no response, but {other:?}"),
        }
    }

    /// Whether somebody owns the key; registers nobody.
    fn is_in_flight(&self, key: Key) -> bool {
        matches!(self.ask(Claim::new(key).wait(false)), Outcome::InFlight(_))
    }

    /// Claims the key and stores a response.
    #[track_caller]
    fn store(&self, key: Key, response: &[u8]) {
        let stored = self.own(key).complete(response);
        assert_eq!(stored, Ok(crate::Completion::Stored));
    }

    fn pass(&self, time: u64) {
        self.clock.advance(seconds(time));
    }

    /// Ticks until there is nothing more to do.
    fn settle(&self) {
        let mut ticks = 0;
        while self.engine.tick() {
            ticks += 1;
            assert!(ticks < 10_000_000, "ticks come to no end");
        }
    }

    /// Whether there still is something to do after so many ticks.
    fn is_more_after(&self, ticks: u32) -> bool {
        (0..ticks).all(|_| self.engine.tick())
    }

    /// Nothing is remembered, and nothing lies in memory.
    #[track_caller]
    fn assert_empty(&self) {
        let stats = self.engine.stats();
        assert_eq!((stats.records, stats.bytes, stats.waiters), (0, 0, 0), "{stats:?}");
        assert_eq!(self.engine.core().memory_used(), [0; 3], "granules, pairs, wheel chunks");
    }

    /// Ticks alone, once everything is over, must leave nothing.
    #[track_caller]
    fn assert_ticks_empty_it(&self) {
        self.pass(1_000);
        self.settle();
        self.assert_empty();
    }

    /// Whether another thread gets there: at once if it works, given up after a second if not.
    fn is_over_soon(&self, over: impl Fn() -> bool) -> bool {
        let begin = Instant::now();
        while !over() && begin.elapsed() < seconds(1) {
            std::thread::yield_now();
        }
        over()
    }

    /// Returns when `count` threads are really asleep.
    fn until_asleep(&self, count: u64) {
        let begin = Instant::now();
        while self.clock.sleepers() != count {
            assert!(begin.elapsed() < seconds(20), "{} asleep", self.clock.sleepers());
            std::thread::yield_now();
        }
    }
}

/// What the waiter finds when it looks once; its place is given back.
fn look(waiter: Waiter) -> WaitOutcome {
    waiter.wait_for(Duration::ZERO)
}

/// A wait that must end in a lease.
#[track_caller]
fn handed(outcome: WaitOutcome) -> Lease {
    match outcome {
        WaitOutcome::Execute(lease) => lease,
        other => panic!("no lease, but {other:?}"),
    }
}

/// A wait that must end in a response.
#[track_caller]
fn shared(outcome: WaitOutcome) -> Replay {
    match outcome {
        WaitOutcome::Replay(response) => response,
        other => panic!("no response, but {other:?}"),
    }
}
