//! Leases, responses and keys as plain integers; and draining.

use core::time::Duration;

use super::{LEASE, Lab, shared, small, under_every_geometry};
use crate::{
    Claim, Completion, HaltToken, Lease, NamespaceOptions, Outcome, OutcomeVisitor, Reason, Replay,
    Scope, Status, Token, TokenError, WaitOutcome,
};

/// Tells the token of a lease, or what else it is.
struct Either;

impl OutcomeVisitor for Either {
    type Output = Result<Token, Outcome>;

    fn visit_execute(&mut self, token: Token) -> Self::Output {
        Ok(token)
    }

    fn visit_replay(&mut self, replay: Replay) -> Self::Output {
        Err(Outcome::Replay(replay))
    }

    fn visit_other(&mut self, outcome: Outcome) -> Self::Output {
        Err(outcome)
    }
}

/// All of a batch, in turn.
#[derive(Default)]
struct All(Vec<Result<Token, Outcome>>);

impl OutcomeVisitor for All {
    type Output = ();

    fn visit_execute(&mut self, token: Token) {
        self.0.push(Either.visit_execute(token));
    }

    fn visit_replay(&mut self, replay: Replay) {
        self.0.push(Either.visit_replay(replay));
    }

    fn visit_other(&mut self, outcome: Outcome) {
        self.0.push(Either.visit_other(outcome));
    }
}

fn claim_raw(lab: &Lab, number: u128) -> Result<Token, Outcome> {
    lab.engine.claim_raw(&Claim::new(lab.key(number)), &mut Either).unwrap()
}

fn own_raw(lab: &Lab, number: u128) -> Token {
    claim_raw(lab, number).unwrap()
}

#[test]
fn l2_a_token_survives_as_words_and_a_changed_one_is_nobodys() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let token = own_raw(&lab, 1);
        let words = token.to_words();
        assert_eq!(Token::from_words(words), token);
        for word in 0..3 {
            for bit in 0..64 {
                let mut changed = words;
                changed[word] ^= 1 << bit;
                let changed = Token::from_words(changed);
                let expected = match (word, bit) {
                    (0, _) => Some(TokenError::WrongEngine),
                    // The attempt names nothing.
                    (1, 32..) => None,
                    _ => Some(TokenError::Stale),
                };
                let lease = lab.engine.lease(changed).map(Lease::into_token);
                assert_eq!(lease.err(), expected, "word {word}, bit {bit}");
                if let Some(expected) = expected {
                    assert_eq!(lab.engine.complete_raw(changed, b"x", None), Err(expected));
                }
            }
        }
        assert_eq!(lab.engine.complete_raw(token, b"abc", None), Ok(Completion::Stored));
        assert_eq!(lab.engine.complete_raw(token, b"x", None), Err(TokenError::Stale));
        assert_eq!(&*lab.replay(lab.key(1)), b"abc");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k2_a_raw_claim_comes_to_what_a_claim_does() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let first = own_raw(&lab, 1);
        assert_eq!(first.attempt(), 1);
        let other = claim_raw(&lab, 1);
        let Err(Outcome::InFlight(other)) = other else { panic!("{other:?}") };
        let later = Duration::from_secs(1);
        assert_eq!(lab.engine.complete_raw(first, b"abc", Some(later)), Ok(Completion::Stored));
        assert_eq!(&*shared(other.wait()), b"abc");
        let replay = claim_raw(&lab, 1);
        let Err(Outcome::Replay(replay)) = replay else { panic!("{replay:?}") };
        assert_eq!(&*replay, b"abc");
        drop(replay);
        lab.pass(2);
        let again = own_raw(&lab, 1);
        assert_ne!(again, first);
        // Nothing is abandoned if it is lost; the lease runs out.
        assert!(lab.is_in_flight(lab.key(1)));
        lab.pass(LEASE + 1);
        let last = own_raw(&lab, 1);
        assert_eq!(lab.engine.abandon_raw(again), Err(TokenError::Stale));
        assert_eq!(lab.engine.abandon_raw(last), Ok(()));
        assert_eq!(lab.engine.abandon_raw(last), Err(TokenError::Stale));
        let stale = lab.engine.stats().stale;
        let lease = lab.engine.lease_raw(last).unwrap();
        assert!(lease.cancel(Reason::Owner).is_err());
        assert_eq!(lab.engine.stats().stale, stale + 1, "it is counted");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k9_a_raw_batch_is_in_the_order_of_its_claims() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        lab.store(lab.key(2), b"two");
        let claims = [1, 2, 1].map(|number| Claim::new(lab.key(number)).wait(false));
        let mut all = All::default();
        lab.engine.claim_batch_raw(&claims, &mut all).unwrap();
        let [Ok(token), Err(second), Err(third)] = &all.0[..] else { panic!("{:?}", all.0) };
        assert!(matches!(second, Outcome::Replay(_)) && matches!(third, Outcome::InFlight(_)));
        assert!(lab.engine.complete_raw(*token, b"one", None).is_ok());
        // Keys of a namespace that was cleared since.
        lab.engine.clear();
        drop(all);
        let mut all = All::default();
        lab.engine.claim_batch_raw(&claims[..2], &mut all).unwrap();
        assert!(all.0.iter().all(Result::is_ok) && all.0.len() == 2);
        let (stranger, mut none) = (Lab::new(make()), All::default());
        assert!(stranger.engine.claim_batch_raw(&claims, &mut none).is_err());
        assert!(stranger.engine.claim_raw(&claims[0], &mut none).is_err());
        assert!(none.0.is_empty(), "none is claimed");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r1_a_replay_that_was_taken_apart_holds_its_bytes() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        lab.store(lab.key(1), b"abc");
        let raw = lab.replay(lab.key(1)).into_raw();
        assert_ne!(raw[0], 0);
        lab.pass(1_000);
        lab.settle();
        assert!(lab.engine.stats().bytes > 0, "it is held");
        // SAFETY: it was taken apart above, and is put together once.
        let replay = unsafe { Replay::from_raw(raw) };
        assert_eq!(&*replay, b"abc");
        drop(replay);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn o2_a_listed_key_survives_as_words() {
    let lab = Lab::new(small());
    let options = NamespaceOptions::default().records_per_scope(3);
    let orders = lab.engine.define_namespace("orders", options).unwrap();
    let key = orders.key(Scope::Of(b"tenant"), b"order").unwrap();
    lab.own(key).halt(Reason::Owner).unwrap();
    let listed = lab.engine.listing().next().expect("it is halted");
    let again = lab.engine.listed_key(listed.key.to_words()).unwrap();
    let Ok(Status::Halted(_, _, token)) = lab.engine.peek(again) else { panic!("it is halted") };
    assert_eq!(HaltToken::from_u32(token.to_u32()), token);
    let mut words = listed.key.to_words();
    words[3] = u64::MAX;
    assert!(lab.engine.listed_key(words).is_err(), "no such namespace");
    assert!(Lab::new(small()).engine.listed_key(listed.key.to_words()).is_err());
    lab.assert_ticks_empty_it();
}

#[test]
fn o2_a_lease_says_whose_it_is() {
    let lab = Lab::new(small());
    let key = lab.key(1);
    let lease = lab.own(key);
    assert_eq!(lease.key_hash(), Some(key.hash()));
    lab.pass(LEASE + 1);
    let next = lab.own(key);
    assert_eq!((lease.key_hash(), next.key_hash()), (None, Some(key.hash())));
}

#[test]
fn p4_draining_waits_for_those_at_work() {
    let lab = Lab::new(small());
    assert!(lab.engine.drain(Duration::ZERO), "nobody is");
    let lab = Lab::new(small());
    let leases: Vec<_> = (1..4).map(|number| lab.own(lab.key(number))).collect();
    let parked = lab.queue(lab.key(1));
    assert!(!lab.engine.drain(Duration::ZERO));
    assert!(matches!(lab.ask(lab.key(9)), Outcome::Closed), "it is closed by that");
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| lab.engine.drain(Duration::from_secs(1_000)));
        for lease in leases {
            lab.until_asleep(1);
            lease.complete(b"abc").unwrap();
        }
        assert!(drained.join().unwrap());
    });
    assert!(matches!(parked.wait(), WaitOutcome::Replay(_)));
    lab.assert_ticks_empty_it();
}

#[test]
fn p4_draining_ends_with_its_time() {
    let lab = Lab::new(small());
    let lease = lab.own(lab.key(1));
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| lab.engine.drain(Duration::from_secs(5)));
        lab.until_asleep(1);
        lab.pass(6);
        assert!(!drained.join().unwrap());
    });
    lease.complete(b"abc").unwrap();
    lab.assert_ticks_empty_it();
}
