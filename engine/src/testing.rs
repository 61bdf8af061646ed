//! For tests of code that uses an engine: a clock that the test moves, keys in any state that is
//! wanted, and a record of what happened.
//!
//! ```
//! use idem::testing::Harness;
//! use idem::{Outcome, Scope, What};
//! use std::time::Duration;
//!
//! let harness = Harness::new();
//! let key = harness.engine.key(Scope::None, b"order-17")?;
//!
//! // How does the code under test take a response from an earlier life?
//! harness.seed_completed(key, b"charged");
//! assert!(matches!(harness.engine.claim(key)?, Outcome::Replay(bytes) if &*bytes == b"charged"));
//!
//! // And an owner that is at work, and whose lease runs out?
//! harness.engine.forget(key)?;
//! let _owner = harness.seed_in_flight(key);
//! harness.pass(Duration::from_secs(31));
//! assert!(matches!(harness.engine.claim(key)?, Outcome::Execute(_)));
//! assert!(harness.happened(key).contains(&What::Replayed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    not(idem_loom),
    expect(clippy::disallowed_types, reason = "tests record what they see; nothing waits for it")
)]

use core::time::Duration;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::builder::Builder;
use crate::claim::Claim;
use crate::clock::{Clock, ManualClock};
use crate::engine::Engine;
use crate::hook::{Event, What};
use crate::key::Key;
use crate::lease::Lease;
use crate::outcome::{Outcome, Reason};
use crate::record::response::Kind;

/// An engine of few records on a manual clock, without a helper thread, that records what happens.
///
/// Its methods panic where they cannot do what they are asked for, as a test should.
#[derive(Debug)]
pub struct Harness {
    /// The engine under the test's hands.
    pub engine: Engine,
    /// Its clock, for what waits on it; [`pass`](Self::pass) moves it and ticks.
    pub clock: ManualClock,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl Harness {
    /// An engine of 1024 records and a mebibyte, everything else at its default.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Engine::builder().records(1024).bytes(1 << 20).waiters(1024))
    }

    /// An engine with these options, but for its clock, hook and helper thread.
    ///
    /// # Panics
    /// If the options are out of bounds.
    #[must_use]
    pub fn with(builder: Builder) -> Self {
        let clock = ManualClock::new();
        let events = Arc::new(Mutex::new(Vec::new()));
        let recorder = events.clone();
        let engine = builder
            .clock(Clock::manual(&clock))
            .helper_thread(false)
            .hook(move |event| recorder.lock().push(event))
            .build()
            .expect("the options are in bounds");
        Self { engine, clock, events }
    }

    /// Lets time pass, and does all that is due then.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        while self.engine.tick() {}
    }

    /// Gives the key an owner that is at work: the lease is the test's.
    ///
    /// # Panics
    /// If the key has a record.
    #[must_use = "a dropped lease is abandoned"]
    pub fn seed_in_flight(&self, claim: impl Into<Claim>) -> Lease {
        match self.engine.claim(claim) {
            Ok(Outcome::Execute(lease)) => lease,
            other => panic!("the key is not free: {other:?}"),
        }
    }

    /// Gives the key a response, kept for the retention. With a fingerprint in the claim, claims with
    /// another one are mismatches.
    ///
    /// # Panics
    /// If the key has a record.
    pub fn seed_completed(&self, claim: impl Into<Claim>, response: &[u8]) {
        self.seed(claim, Kind::Response, Reason::Owner, response);
    }

    /// Makes the key done without its bytes: claims get [`Outcome::Done`].
    ///
    /// # Panics
    /// If the key has a record.
    pub fn seed_done(&self, claim: impl Into<Claim>) {
        self.seed(claim, Kind::Tombstone, Reason::Owner, &[]);
    }

    /// Makes the key cancelled, for the retention: claims get [`Outcome::Cancelled`].
    ///
    /// # Panics
    /// If the key has a record.
    pub fn seed_cancelled(&self, claim: impl Into<Claim>, reason: Reason) {
        self.seed(claim, Kind::Cancelled, reason, &[]);
    }

    /// Makes the key halted, for the retention: claims get [`Outcome::Halted`].
    ///
    /// # Panics
    /// If the key has a record.
    pub fn seed_halted(&self, claim: impl Into<Claim>, reason: Reason) {
        self.seed(claim, Kind::Halted, reason, &[]);
    }

    /// Takes all room that there is: claims of new keys get [`Outcome::Full`] until what is returned is
    /// dropped.
    #[must_use = "the room is given back when this is dropped"]
    pub fn seed_full(&self) -> Vec<Lease> {
        let keys = (0..).map(|number| self.engine.raw_key(u128::MAX - number));
        keys.map_while(|key| match self.engine.claim(Claim::new(key).wait(false)) {
            Ok(Outcome::Full(_)) => None,
            Ok(Outcome::Execute(lease)) => Some(Some(lease)),
            _ => Some(None),
        })
        .flatten()
        .collect()
    }

    /// What has happened so far, the oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().clone()
    }

    /// What has happened to one key.
    #[must_use]
    pub fn happened(&self, key: Key) -> Vec<What> {
        let hash = key.hash();
        self.events().iter().filter(|event| event.key_hash == hash).map(|e| e.what).collect()
    }

    /// Forgets what has happened so far.
    pub fn clear_events(&self) {
        self.events.lock().clear();
    }

    fn seed(&self, claim: impl Into<Claim>, kind: Kind, reason: Reason, bytes: &[u8]) {
        let ended = self.seed_in_flight(claim).end_as(kind, reason, bytes);
        assert!(ended.is_ok(), "the lease was taken a moment ago");
    }
}
