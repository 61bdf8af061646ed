//! Claims, and what claims and waits come to, on both sides.

use idem::{Claim, InFlight, Lease, OnceError, Outcome, Replay, WaitOutcome};

use super::waiting::Waiting;
use super::{SideBySide, millis, place_of, times};
use crate::reference::grammar::Wish;
use crate::reference::machine::{Ask, Body, Id, Said, What};

impl SideBySide {
    pub(super) fn claim(&mut self, wish: Wish) {
        let (claim, ask, id) = self.ask(wish);
        let expected = self.machine.claim(ask, id);
        let outcome = self.engine.claim(claim).expect("a good claim");
        self.claimed(outcome, id, &expected);
    }

    /// K2, K9: each comes to what it comes to alone, in turn.
    pub(super) fn claim_batch(&mut self, wishes: &[Wish]) {
        self.make_roomy(wishes.len() as u64, wishes.len() as u64);
        let asked: Vec<_> = wishes.iter().map(|wish| self.ask(*wish)).collect();
        let claims: Vec<_> = asked.iter().map(|(claim, ..)| *claim).collect();
        let outcomes = self.engine.claim_batch(&claims).expect("good claims");
        assert_eq!(outcomes.len(), claims.len());
        for (outcome, (_, ask, id)) in outcomes.into_iter().zip(asked) {
            let expected = self.machine.claim(ask, id);
            self.claimed(outcome, id, &expected);
        }
    }

    /// K8: a claim that does not wait, and a completion without bytes.
    pub(super) fn once(&mut self, key: u8, retention: u64) {
        let wish = Wish::plain(key);
        let (claim, ask, id) = self.ask(wish);
        let once = self.engine.once(claim, millis(retention));
        let expected = match self.machine.claim(Ask { wait: false, ..ask }, id) {
            Said::Execute { .. } => {
                let ended = self.machine.complete(id, What::Response, &[], Some(retention), false);
                assert!(ended.is_ok(), "no time has passed");
                Ok(true)
            }
            Said::Mismatch(state) => Err(OnceError::Mismatch(state)),
            Said::Halted(reason) => Err(OnceError::Halted(reason)),
            Said::Full(limit) => Err(OnceError::Full(limit)),
            Said::Closed => Err(OnceError::Closed),
            _ => Ok(false),
        };
        assert_eq!(once, expected, "once, on the left the engine's answer");
    }

    /// A claim for either side; the id is what comes of it.
    fn ask(&mut self, wish: Wish) -> (Claim, Ask, Id) {
        let id = self.next_id;
        let mut claim = Claim::new(self.key(wish.key))
            .owner(id.into())
            .wait(wish.wait)
            .may_execute(wish.may_execute);
        let mut ask = Ask {
            key: wish.key,
            place: place_of(wish.key),
            fingerprint: wish.fingerprint,
            terms: self.setup.terms_of(wish.key),
            owner: id.into(),
            wait: wish.wait,
            may_execute: wish.may_execute,
        };
        self.next_id += 1;
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
        (claim, ask, id)
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

    pub(super) fn waited(&mut self, outcome: WaitOutcome, id: Id, expected: &Said) {
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
        self.waiters.extend(waiter.map(|waiter| Waiting::new(waiter, id)));
        Said::InFlight { waits, info }
    }

    fn replays(&mut self, replay: Replay, expected: &Said) -> Said {
        let (is_error, info) = (replay.is_error(), times(replay.info()));
        let body = Body::seen(&replay);
        if let Said::Replay { body, .. } = expected {
            self.replays.push((replay, body.clone()));
        }
        Said::Replay { body, is_error, info }
    }
}
