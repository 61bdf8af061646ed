//! Any bytes as options of an engine, a namespace and a claim. Building never panics; an error names
//! what is out of bounds, and with that brought to its bound comes the next one; and an engine that
//! is built works as its options say. Shared by `tests/configuration.rs` and `fuzz/`.

mod limits;
mod options;

use std::time::Duration;

use idem::{
    Claim, Clock, Completion, ConfigError, Engine, Key, Lease, Limit, ManualClock, Namespace,
    NoBody, OnEnd, OnError, Origin, Outcome, Ran, Reason, Scope, WaitOutcome,
};

use limits::Limits;
use options::{Bytes, Options, TEN_YEARS, Wish};

const NANO: Duration = Duration::from_nanos(1);
/// What rounding may add to a duration: to whole milliseconds, and to the next of the clock's.
const ROUNDING: Duration = Duration::from_millis(2);
/// Responses are no longer than this, whatever may be.
const RESPONSE_MAX: u64 = 64 * 1024;
/// Limits up to this are filled.
const FILLED_MAX: u64 = 24;

/// An engine, and the terms that hold for its key.
struct Lab {
    engine: Engine,
    clock: ManualClock,
    options: Options,
    namespace: Option<Namespace>,
    limits: Limits,
    key: Key,
    wish: Wish,
    lease: Duration,
    retention: Duration,
    on_abandon: OnEnd,
    on_expiry: OnEnd,
}

pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let what = bytes.next();
    let after_a_while = Duration::from_nanos(u64::from(bytes.next()) * 99_999);
    let size = u64::from(bytes.next()) * 64 + u64::from(bytes.next());
    let options = Options::decode(&mut bytes);
    let namespace = bytes.maybe(|bytes| (Wish::decode(bytes), Limits::decode(bytes)));
    let claim = Wish::decode(&mut bytes);
    let clock = ManualClock::new();
    let Some((engine, options)) = build(options, &clock) else { return };
    // Points in time between two of the engine's.
    clock.advance(after_a_while);
    let lab = Lab::new(engine, clock, options, namespace, claim);
    match what & 7 {
        0 | 1 => lab.stores_and_replays(size),
        2 => lab.a_lease_runs_out(),
        3 => lab.a_lease_is_dropped(),
        4 => lab.a_waiter_is_served(size),
        5 => lab.runs_and_fails(size),
        6 => lab.limits_hold(),
        _ => lab.stores_a_response_of_the_greatest_size(),
    }
    lab.ends_empty();
}

/// Builds an engine of these options, or of those that they become once each error is heeded. `None`
/// if there is no memory for it.
fn build(mut options: Options, clock: &ManualClock) -> Option<(Engine, Options)> {
    // One error for each option, and a second for `max_response` when `bytes` was mended.
    for _ in 0..16 {
        options.spare_the_sanitizer();
        match options.builder().clock(Clock::manual(clock)).build() {
            Ok(engine) => {
                assert!(!options.is_out_of_bounds(), "built all the same: {options:?}");
                return Some((engine, options));
            }
            Err(error) => {
                assert!(options.explains(error), "{error:?} is no fault of {options:?}");
                if error == ConfigError::NoMemory {
                    return None;
                }
                options.mend(error);
            }
        }
    }
    panic!("mended, and still refused: {options:?}");
}

/// Defines the model's namespace, with what is out of bounds taken back once it was refused.
fn define(engine: &Engine, wish: Wish, limits: Limits) -> Namespace {
    match engine.define_namespace("name", limits.set(wish.namespace())) {
        Err(error) => {
            let is_explained = wish.explains_namespace(error) || limits.explains(error);
            assert!(is_explained, "{error:?} is no fault of {wish:?}, {limits:?}");
        }
        Ok(_) => {
            let is_good = wish.is_good() && limits.is_good();
            assert!(is_good, "defined all the same: {wish:?}, {limits:?}");
        }
    }
    let defined = limits.mended().set(wish.mended().namespace());
    engine.define_namespace("name", defined).expect("what was wrong is mended")
}

impl Lab {
    fn new(
        engine: Engine,
        clock: ManualClock,
        options: Options,
        namespace: Option<(Wish, Limits)>,
        claim: Wish,
    ) -> Self {
        let mut terms = (options.lease, options.retention, options.on_abandon, options.on_expiry);
        let mut heed = |wish: Wish| {
            terms.0 = wish.lease.unwrap_or(terms.0);
            terms.1 = wish.retention.unwrap_or(terms.1);
            terms.2 = wish.on_abandon.unwrap_or(terms.2);
            terms.3 = wish.on_expiry.unwrap_or(terms.3);
        };
        let mut limits = Limits::default();
        let namespace = namespace.map(|(wish, set)| {
            heed(wish.mended());
            limits = set.mended();
            define(&engine, wish, set)
        });
        let key = match &namespace {
            None => engine.key(Scope::None, b"key"),
            Some(namespace) => namespace.key(limits.scope(), b"key"),
        };
        let key = key.expect("a good key");
        if !claim.is_good() {
            let error = engine.claim(claim.claim(key)).expect_err("its terms are out of bounds");
            assert!(claim.explains_claim(error), "{error:?} is no fault of {claim:?}");
        }
        let wish = claim.mended();
        heed(wish);
        let (lease, retention, on_abandon, on_expiry) = terms;
        Self {
            engine,
            clock,
            options,
            namespace,
            limits,
            key,
            wish,
            lease,
            retention,
            on_abandon,
            on_expiry,
        }
    }

    fn claim(&self) -> Outcome {
        self.engine.claim(self.wish.claim(self.key).wait(false)).expect("its terms are good")
    }

    /// A claim of a key that has no record.
    fn own(&self) -> Lease {
        match self.claim() {
            Outcome::Execute(lease) => lease,
            other => panic!("the key is free, but {other:?}"),
        }
    }

    /// Nothing has ended a moment before `time` is over, and all that takes that long has after it,
    /// whatever is rounded.
    fn pass(&self, time: Duration, holds: impl FnOnce()) {
        self.clock.advance(time - NANO);
        holds();
        self.clock.advance(NANO + ROUNDING);
    }

    fn is_free(&self) -> bool {
        match self.claim() {
            Outcome::Execute(lease) => {
                assert_eq!((lease.origin(), lease.attempt()), (Origin::Fresh, 1));
                // Let go of, so that it leaves no record; halted ones stay.
                drop(lease);
                true
            }
            _ => false,
        }
    }

    /// What is stored of a response of so many bytes.
    fn stored(&self, size: u64) -> Completion {
        let most = self.options.max_response.unwrap_or(1 << 20);
        if size > most.min(self.options.response_bound()) {
            Completion::Tombstone(NoBody::TooLarge)
        } else if self.limits.response_bound().is_some_and(|most| size > most) {
            Completion::Tombstone(NoBody::NoRoom)
        } else {
            Completion::Stored
        }
    }

    fn stores_and_replays(&self, size: u64) {
        let lease = self.own();
        let time_left = lease.time_left().expect("it holds");
        assert!(time_left >= self.lease && time_left < self.lease + ROUNDING);
        assert!(matches!(self.claim(), Outcome::InFlight(_)));
        let response = vec![b'r'; size as usize];
        let stored = self.stored(size);
        assert_eq!(lease.complete(&response), Ok(stored));
        if !self.retention.is_zero() {
            let is_there = || match self.claim() {
                Outcome::Replay(replay) => {
                    assert_eq!((&*replay, stored), (&*response, Completion::Stored));
                }
                Outcome::Done(_) => assert_ne!(stored, Completion::Stored),
                other => panic!("it was done, but {other:?}"),
            };
            is_there();
            self.pass(self.retention, is_there);
        }
        assert!(self.is_free());
    }

    fn stores_a_response_of_the_greatest_size(&self) {
        let most = self.options.max_response.unwrap_or(1 << 20).min(self.options.response_bound());
        if most < RESPONSE_MAX {
            self.stores_and_replays(most);
            // A policy of halting may have left a record there.
            self.clock.advance(self.options.halted_retention + ROUNDING);
            self.clock.advance(self.options.cancelled_retention);
            assert_eq!(self.own().complete(&vec![0; most as usize + 1]), {
                Ok(Completion::Tombstone(NoBody::TooLarge))
            });
        }
    }

    fn a_lease_runs_out(&self) {
        let lease = self.own();
        self.pass(self.lease, || assert!(matches!(self.claim(), Outcome::InFlight(_))));
        self.ended(self.on_expiry, Reason::LeaseExpired, Origin::AfterExpiry);
        drop(lease);
    }

    fn a_lease_is_dropped(&self) {
        drop(self.own());
        self.ended(self.on_abandon, Reason::Dropped, Origin::Fresh);
    }

    /// What claims find when a lease that nobody waited for has ended without a result.
    fn ended(&self, policy: OnEnd, reason: Reason, origin: Origin) {
        let Options { cancelled_retention, halted_retention, .. } = self.options;
        let (kept, what) = match policy {
            OnEnd::Halt => (halted_retention, "halted"),
            _ => (cancelled_retention, "cancelled"),
        };
        let is_kept = || match (self.claim(), what) {
            (Outcome::Halted(why), "halted") | (Outcome::Cancelled(why), "cancelled") => {
                assert_eq!(why, reason);
            }
            (other, _) => panic!("it is {what}, but {other:?}"),
        };
        if kept.is_zero() {
            match self.claim() {
                Outcome::Execute(lease) => assert_eq!(lease.origin(), origin),
                other => panic!("nothing is kept, but {other:?}"),
            }
        } else {
            is_kept();
            self.pass(kept, is_kept);
            assert!(self.is_free());
        }
    }

    fn a_waiter_is_served(&self, size: u64) {
        let lease = self.own();
        let outcome = self.engine.claim(self.wish.claim(self.key)).expect("its terms are good");
        let waiter = match outcome {
            Outcome::InFlight(other) => other.into_waiter().expect("the claim waits"),
            Outcome::Full(limit) => {
                let Options { waiters, waiters_per_key, .. } = self.options;
                return assert!(limit == Limit::Waiters && waiters.min(waiters_per_key) == 0);
            }
            other => panic!("somebody owns it, but {other:?}"),
        };
        if size & 1 == 0 {
            let response = vec![b'w'; size as usize];
            let stored = lease.complete(&response).expect("the lease holds");
            match waiter.wait_for(Duration::ZERO) {
                WaitOutcome::Replay(replay) => assert_eq!(&*replay, &*response),
                WaitOutcome::Done(_) => assert_ne!(stored, Completion::Stored),
                other => panic!("it was done, but {other:?}"),
            }
        } else {
            lease.cancel(Reason::Code(9)).expect("the lease holds");
            self.clock.advance(self.options.accept_timeout - NANO);
            match waiter.wait_for(Duration::ZERO) {
                WaitOutcome::Execute(lease) => assert_eq!(lease.origin(), Origin::AfterCancel),
                WaitOutcome::Cancelled(Reason::Code(9)) => {
                    assert!(!self.options.cancelled_retention.is_zero());
                }
                other => panic!("it was handed over, but {other:?}"),
            }
        }
    }

    fn runs_and_fails(&self, size: u64) {
        let Options { on_error, max_run, .. } = self.options;
        let error = vec![b'e'; size as usize];
        let claim = || self.wish.claim(self.key).wait(false);
        let ran = self.engine.run(claim(), || {
            self.clock.advance(max_run - NANO);
            assert!(matches!(self.claim(), Outcome::InFlight(_)), "it holds up to max_run");
            Err::<&[u8], _>(&error)
        });
        assert!(matches!(ran, Ok(Ran::Failed(_))), "{ran:?}");
        match on_error {
            OnError::Share => assert!(self.is_free()),
            OnError::HandOver => self.ended(OnEnd::HandOver, Reason::Owner, Origin::Fresh),
            OnError::Halt => self.ended(OnEnd::Halt, Reason::Owner, Origin::Fresh),
            OnError::Keep(time) => {
                self.pass(time, || match self.claim() {
                    Outcome::Replay(replay) => assert!(replay.is_error() && *replay == *error),
                    Outcome::Done(_) => assert_ne!(self.stored(size), Completion::Stored),
                    other => panic!("the error is kept, but {other:?}"),
                });
                assert!(self.is_free());
            }
        }
    }

    /// So many records, and so many waiters, as there may be, and not one more.
    fn limits_hold(&self) {
        let Options { records, waiters, waiters_per_key, .. } = self.options;
        let lease = self.own();
        let ask = |number| self.engine.claim(Claim::new(self.engine.raw_key(number)));
        let mut leases = vec![lease];
        self.limits_of_its_realms_hold(&mut leases);
        for number in leases.len() as u64..records.min(FILLED_MAX) {
            match ask(number.into()).expect("a good claim") {
                Outcome::Execute(lease) => leases.push(lease),
                other => panic!("record {number} of {records}, but {other:?}"),
            }
        }
        if records <= FILLED_MAX {
            let outcome = ask(records.into()).expect("a good claim");
            assert!(matches!(outcome, Outcome::Full(Limit::Records)), "{outcome:?}");
        }
        let most = waiters.min(waiters_per_key);
        let wait = || self.engine.claim(self.wish.claim(self.key)).expect("a good claim");
        let queue: Vec<_> = (0..most.min(FILLED_MAX)).map(|_| wait()).collect();
        assert!(queue.iter().all(|outcome| matches!(outcome, Outcome::InFlight(_))));
        if most <= FILLED_MAX {
            let outcome = wait();
            assert!(matches!(outcome, Outcome::Full(Limit::Waiters)), "{outcome:?}");
        }
    }

    /// The same of records of the key's scope, and of its namespace.
    fn limits_of_its_realms_hold(&self, leases: &mut Vec<Lease>) {
        let Some(namespace) = &self.namespace else { return };
        let ask = |scope, number: u64| {
            let key = namespace.key(scope, &number.to_le_bytes()).expect("a good key");
            self.engine.claim(Claim::new(key).wait(false)).expect("a good claim")
        };
        let room = self.options.records.min(FILLED_MAX);
        let [scope, whole] = self.limits.in_flight().map(|most| most.unwrap_or(u64::MAX));
        for number in 1..room.min(scope).min(whole) {
            match ask(self.limits.scope(), number) {
                Outcome::Execute(lease) => leases.push(lease),
                other => panic!("record {number} of {scope} and {whole}, but {other:?}"),
            }
        }
        let used = leases.len() as u64;
        let full = |outcome| match outcome {
            Outcome::Full(limit) => Some(limit),
            _ => None,
        };
        if used == scope {
            assert_eq!(full(ask(self.limits.scope(), used)), Some(Limit::Scope));
        }
        if used == whole {
            // Whatever its scope is.
            assert_eq!(full(ask(Scope::None, used)), Some(Limit::Namespace));
        } else if used < room {
            match ask(Scope::Of(b"another"), used) {
                Outcome::Execute(lease) => leases.push(lease),
                other => panic!("other scopes have their own limit, but {other:?}"),
            }
        }
    }

    /// R3: time and ticks alone bring everything back to nothing.
    fn ends_empty(&self) {
        self.clock.advance(TEN_YEARS + ROUNDING);
        for _ in 0..2 {
            // After a jump over years a distant reminder is put off, three days at a time.
            let slices = (0..10_000).take_while(|_| self.engine.tick()).count();
            assert!(slices < 10_000, "ticking comes to an end");
            // What halted or was cancelled only now.
            self.clock.advance(self.options.halted_retention + ROUNDING);
            self.clock.advance(self.options.cancelled_retention);
        }
        let stats = self.engine.stats();
        assert_eq!([stats.records, stats.bytes, stats.waiters], [0; 3], "nothing is left");
    }
}
