//! Runs operations on the engine and on the machine, and compares everything that can be seen.

use std::rc::Rc;
use std::time::Duration;

use idem::{
    Claim, Clock, Completion, Engine, Fingerprint, InFlight, Info, Key, Lease, ManualClock,
    NamespaceOptions, NoBody, OnEnd, Outcome, Reason, Replay, Scope, Token, TokenError,
    WaitOutcome, Waiter,
};

use crate::reference::grammar::{Case, Op, Pick, Setup, Wish};
use crate::reference::machine::{Ask, Body, Id, Machine, Said, What};

/// The sides, and the handles the operations choose from.
struct SideBySide {
    setup: Setup,
    clock: ManualClock,
    engine: Engine,
    machine: Machine,
    leases: Vec<(Lease, Id)>,
    tokens: Vec<(Token, Id)>,
    waiters: Vec<(Waiter, Id)>,
    replays: Vec<(Replay, Rc<Body>)>,
    next_id: Id,
    written: u8,
}

/// Runs them all, then lets go of everything and sees the engine empty.
pub(crate) fn run(case: &Case) {
    let mut sides = SideBySide::new(&case.setup);
    for op in &case.ops {
        sides.apply(*op);
        sides.settle();
    }
    sides.end();
}

impl SideBySide {
    fn new(setup: &Setup) -> Self {
        let clock = ManualClock::new();
        let (limits, terms) = (setup.limits, setup.terms);
        let engine = Engine::builder()
            .clock(Clock::manual(&clock))
            // The same run again has the same keys in the same places.
            .secret([7; 16])
            .records(limits.records)
            .bytes(limits.granules * 64)
            .max_response(limits.max_response)
            .waiters(limits.waiters)
            .waiters_per_key(limits.waiters_per_key)
            .cancelled_retention(millis(limits.cancelled_retention))
            .halted_retention(millis(limits.halted_retention))
            .accept_timeout(millis(limits.accept_timeout))
            .lease(millis(terms.lease))
            .retention(millis(terms.retention))
            .on_abandon(terms.on_abandon)
            .on_expiry(terms.on_expiry)
            .build()
            .expect("limits within bounds");
        Self {
            setup: setup.clone(),
            clock,
            engine,
            machine: Machine::new(limits),
            leases: Vec::new(),
            tokens: Vec::new(),
            waiters: Vec::new(),
            replays: Vec::new(),
            next_id: 0,
            written: 0,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Claim(wish) => self.claim(wish),
            Op::Complete { lease, size, retention } => {
                self.complete(lease, size.of(&self.setup.limits), retention, What::Response);
            }
            Op::Fail { lease, size, retention } => {
                self.complete(lease, size.of(&self.setup.limits), Some(retention), What::Error);
            }
            Op::GiveUp { lease, policy, reason } => {
                let Some((lease, id)) = take(&mut self.leases, lease) else { return };
                let ended = match policy {
                    OnEnd::HandOver => lease.cancel(reason),
                    OnEnd::FailWaiters => lease.cancel_all(reason),
                    OnEnd::Halt => lease.halt(reason),
                };
                assert_eq!(ended, self.machine.give_up(id, Some(policy), reason));
            }
            Op::Renew { lease, time } => {
                let Some((lease, id)) = pick(&self.leases, lease) else { return };
                assert_eq!(lease.renew(millis(time)), self.machine.renew(*id, time));
            }
            Op::DropLease { lease } => {
                let Some((lease, id)) = take(&mut self.leases, lease) else { return };
                drop(lease);
                let _ = self.machine.give_up(id, None, Reason::Dropped);
            }
            Op::IntoToken { lease } => {
                let Some((lease, id)) = take(&mut self.leases, lease) else { return };
                self.tokens.push((lease.into_token(), id));
            }
            Op::FromToken { token } => {
                // The token stays: two leases of one token are the same lease.
                let Some(&(token, id)) = pick(&self.tokens, token) else { return };
                let lease = self.engine.lease(token);
                assert_eq!(lease.is_ok(), self.machine.lease_until(id).is_some());
                match lease {
                    Ok(lease) => self.leases.push((lease, id)),
                    Err(error) => assert_eq!(error, TokenError::Stale),
                }
            }
            Op::Wait { waiter } => {
                let Some((waiter, id)) = take(&mut self.waiters, waiter) else { return };
                let expected = self.machine.poll(id);
                self.waited(waiter.wait_for(Duration::ZERO), id, &expected);
            }
            Op::DropWaiter { waiter } => {
                let Some((waiter, id)) = take(&mut self.waiters, waiter) else { return };
                drop(waiter);
                self.machine.leave(id);
            }
            Op::CloneReplay { replay } => {
                let Some((replay, body)) = pick(&self.replays, replay) else { return };
                let cloned = (replay.clone(), body.clone());
                self.replays.push(cloned);
            }
            Op::DropReplay { replay } => {
                let Some((replay, body)) = take(&mut self.replays, replay) else { return };
                assert_eq!(*replay, *body.bytes, "a replay that is held does not change");
            }
            Op::AdvanceTo { deadline, early } => {
                let Some(&until) = pick(&self.machine.deadlines(), deadline) else { return };
                self.advance(until.saturating_sub(self.machine.now + early));
            }
            Op::Advance { time } => self.advance(time),
            Op::Tick => self.tick(),
            Op::Close => {
                self.engine.close();
                self.machine.close();
            }
        }
    }

    /// R2 leaves open whether a call on one key acts on what is due on others, when there is little
    /// room. So then both sides act on all of it. After that nothing is open any more.
    fn settle(&mut self) {
        if self.machine.take_pressed() {
            self.tick();
        }
        let stats = self.engine.stats();
        let used = [stats.records, stats.bytes, stats.waiters];
        assert_eq!(used, self.machine.used(), "records, bytes, waiters");
        assert_eq!((stats.late, stats.stale), (self.machine.late, self.machine.stale));
        for (lease, id) in &self.leases {
            let until = self.machine.lease_until(*id);
            let left = until.map(|until| millis(until.saturating_sub(self.machine.now)));
            assert_eq!(lease.time_left(), left);
        }
    }

    fn claim(&mut self, wish: Wish) {
        let terms = self.setup.terms_of(wish.key);
        let mut claim = Claim::new(self.key(wish.key))
            .owner(self.next_id.into())
            .wait(wish.wait)
            .may_execute(wish.may_execute);
        let mut ask = Ask {
            key: wish.key,
            fingerprint: wish.fingerprint,
            terms,
            owner: self.next_id.into(),
            wait: wish.wait,
            may_execute: wish.may_execute,
        };
        if let Some(number) = wish.fingerprint {
            claim = claim.fingerprint(self.fingerprint(number));
        }
        if let Some(time) = wish.lease {
            claim = claim.lease(millis(time));
            ask.terms.lease = time;
        }
        if let Some(time) = wish.retention {
            claim = claim.retention(millis(time));
            ask.terms.retention = time;
        }
        if let Some(policy) = wish.on_abandon {
            claim = claim.on_abandon(policy);
            ask.terms.on_abandon = policy;
        }
        if let Some(policy) = wish.on_expiry {
            claim = claim.on_expiry(policy);
            ask.terms.on_expiry = policy;
        }
        let id = self.next_id;
        self.next_id += 1;
        let expected = self.machine.claim(ask, id);
        let outcome = self.engine.claim(claim).expect("a good claim");
        self.claimed(outcome, id, &expected);
    }

    fn claimed(&mut self, outcome: Outcome, id: Id, expected: &Said) {
        let said = match outcome {
            Outcome::Execute(lease) => self.executes(lease, id),
            Outcome::InFlight(in_flight) => self.in_flight(in_flight, id, expected),
            Outcome::Replay(replay) => self.replays(replay, expected),
            Outcome::Done(info) => Said::Done { info: times(info) },
            Outcome::Mismatch(state) => Said::Mismatch(state),
            Outcome::Cancelled(reason) => Said::Cancelled(reason),
            Outcome::Halted(reason) => Said::Halted(reason),
            Outcome::Full(limit) => Said::Full(limit),
            Outcome::Closed => Said::Closed,
            other => panic!("no outcome of the memory engine: {other:?}"),
        };
        assert_eq!(said, *expected, "claim, on the left the engine's outcome");
    }

    fn waited(&mut self, outcome: WaitOutcome, id: Id, expected: &Said) {
        let said = match outcome {
            WaitOutcome::Execute(lease) => self.executes(lease, id),
            WaitOutcome::Replay(replay) => self.replays(replay, expected),
            WaitOutcome::Done(info) => Said::Done { info: times(info) },
            WaitOutcome::Cancelled(reason) => Said::Cancelled(reason),
            WaitOutcome::Halted(reason) => Said::Halted(reason),
            WaitOutcome::TimedOut => Said::TimedOut,
            WaitOutcome::Closed => Said::Closed,
            other => panic!("no outcome of the memory engine: {other:?}"),
        };
        assert_eq!(said, *expected, "wait, on the left the engine's outcome");
    }

    fn executes(&mut self, lease: Lease, id: Id) -> Said {
        let (origin, attempt) = (lease.origin(), lease.attempt());
        self.leases.push((lease, id));
        Said::Execute { origin, attempt }
    }

    fn in_flight(&mut self, in_flight: InFlight, id: Id, expected: &Said) -> Said {
        let info = in_flight.info();
        let (age, left) = times(info);
        // The contract does not say what the info is between two owners.
        let between = matches!(expected, Said::InFlight { info: None, .. });
        let info = (!between).then_some((age, left, info.owner));
        let waiter = in_flight.into_waiter();
        let waits = waiter.is_some();
        self.waiters.extend(waiter.map(|waiter| (waiter, id)));
        Said::InFlight { waits, info }
    }

    fn replays(&mut self, replay: Replay, expected: &Said) -> Said {
        let (is_error, info) = (replay.is_error(), times(replay.info()));
        let body = Rc::new(Body { granules: 0, bytes: replay.to_vec() });
        if let Said::Replay { body, .. } = expected {
            self.replays.push((replay, body.clone()));
        }
        Said::Replay { body, is_error, info }
    }

    fn complete(&mut self, lease: Pick, size: usize, retention: Option<u64>, what: What) {
        let Some((lease, id)) = take(&mut self.leases, lease) else { return };
        self.written = self.written.wrapping_add(1);
        // Unlike any other response, and each granule unlike its neighbours.
        let mut bytes = vec![self.written; size];
        for (at, granule) in bytes.chunks_mut(64).enumerate() {
            granule[0] = at as u8;
        }
        let ended = match (what, retention) {
            (What::Error, Some(time)) => lease.fail(&bytes, millis(time)),
            (_, Some(time)) => lease.complete_for(&bytes, millis(time)),
            (_, None) => lease.complete(&bytes),
        };
        let is_refused = ended == Ok(Completion::Tombstone(NoBody::NoRoom));
        let expected = self.machine.complete(id, what, &bytes, retention, is_refused);
        assert_eq!(ended, expected, "{size} bytes, on the left the engine's answer");
    }

    fn advance(&mut self, time: u64) {
        self.clock.advance(millis(time));
        self.machine.now += time;
    }

    fn tick(&mut self) {
        // After a jump over weeks a distant reminder is put off, three days at a time.
        let slices = (0..10_000).take_while(|_| self.engine.tick()).count();
        assert!(slices < 10_000, "ticking comes to an end");
        self.machine.tick();
    }

    /// W1, R3: all handles are dropped, all time passes, and nothing is left.
    fn end(mut self) {
        self.tokens.clear();
        let all =
            [Op::Wait { waiter: 0 }, Op::DropReplay { replay: 0 }, Op::DropLease { lease: 0 }];
        while self.replays.len() + self.waiters.len() + self.leases.len() > 0 {
            for op in all {
                self.apply(op);
                self.settle();
            }
        }
        // A lease that only a token named ends first, and may leave a halted record.
        for _ in 0..2 {
            let last = self.machine.deadlines().last().copied().unwrap_or(0);
            self.advance(last.saturating_sub(self.machine.now));
            self.tick();
            self.settle();
        }
        let stats = self.engine.stats();
        assert_eq!([stats.records, stats.bytes, stats.waiters], [0; 3], "nothing is left");
    }

    /// Every way to name a key, and the same bytes in different ways.
    fn key(&self, number: u8) -> Key {
        let engine = &self.engine;
        let name = [number / 4 + 1; 3];
        let key = match number {
            1 => {
                let terms = self.setup.terms_of(1);
                let options = NamespaceOptions::default()
                    .lease(millis(terms.lease))
                    .retention(millis(terms.retention))
                    .on_abandon(terms.on_abandon)
                    .on_expiry(terms.on_expiry);
                let namespace = engine.define_namespace("other", options).expect("good options");
                namespace.key(Scope::None, &name)
            }
            _ if number % 4 == 1 => engine.key(Scope::Of(&name), &name),
            _ if number % 4 == 2 => engine.fingerprint_key(Scope::None, self.fingerprint(number)),
            _ if number % 4 == 3 => Ok(engine.raw_key(number.into())),
            _ => engine.key(Scope::None, &name),
        };
        key.expect("a good key")
    }

    fn fingerprint(&self, number: u8) -> Fingerprint {
        self.engine.fingerprint().http("POST", "/charge", [number])
    }
}

fn millis(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn times(info: Info) -> (u64, u64) {
    let millis = |time: Duration| time.as_millis() as u64;
    (millis(info.age), millis(info.left))
}

fn pick<T>(all: &[T], at: Pick) -> Option<&T> {
    all.get(usize::from(at).checked_rem(all.len())?)
}

fn take<T>(all: &mut Vec<T>, at: Pick) -> Option<T> {
    let at = usize::from(at).checked_rem(all.len())?;
    Some(all.swap_remove(at))
}
