//! K9, K2: batches of claims and completions.

use super::{LEASE, Lab, look, seconds, shared, under_every_geometry};
use crate::{Claim, ClaimError, Completion, Info, Lease, Limit, Outcome, Stale, State};

#[test]
fn k9_the_second_of_one_key_in_a_batch_is_in_flight() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let claim = Claim::new(lab.key(1)).owner(5).wait(false);
        let mut outcomes = lab.engine.claim_batch(&[claim, claim]).unwrap();
        let Some(Outcome::InFlight(other)) = outcomes.pop() else { panic!("the second waits") };
        let info = Info { age: seconds(0), left: seconds(LEASE), owner: 5 };
        assert_eq!(other.info(), info);
        assert!(matches!(outcomes.pop(), Some(Outcome::Execute(_))));
    });
}

#[test]
fn k2_a_batch_comes_to_what_its_claims_come_to_alone() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().records(9));
        lab.store(lab.key(1), b"one");
        lab.own(lab.key(2)).complete(&[0; 20_000]).unwrap();
        lab.own(lab.key(3)).halt(crate::Reason::Owner).unwrap();
        let owner = lab.own(lab.key(4));
        let fingerprint = crate::Fingerprint::from_u128;
        lab.own(Claim::new(lab.key(5)).fingerprint(fingerprint(1))).complete(b"").unwrap();
        let mut claims: Vec<_> = (1..=5).map(|key| Claim::new(lab.key(key))).collect();
        claims[4] = claims[4].fingerprint(fingerprint(2));
        // As many as there is room for, over more than one window, and one too many.
        claims.extend((10..15).map(|key| Claim::new(lab.key(key))));
        claims.extend((1..=20).map(|_| Claim::new(lab.key(1))));
        let outcomes = lab.engine.claim_batch(&claims).unwrap();
        assert_eq!(outcomes.len(), claims.len());
        let mut outcomes = outcomes.into_iter();
        assert!(matches!(outcomes.next(), Some(Outcome::Replay(bytes)) if &*bytes == b"one"));
        assert!(matches!(outcomes.next(), Some(Outcome::Done(_))));
        assert!(matches!(outcomes.next(), Some(Outcome::Halted(_))));
        let Some(Outcome::InFlight(other)) = outcomes.next() else { panic!("it has an owner") };
        assert!(matches!(outcomes.next(), Some(Outcome::Mismatch(State::Completed))));
        let leases: Vec<_> = outcomes
            .by_ref()
            .take(4)
            .map(|outcome| match outcome {
                Outcome::Execute(lease) => (lease, &b"done"[..]),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(matches!(outcomes.next(), Some(Outcome::Full(Limit::Records))));
        assert!(outcomes.all(|outcome| matches!(outcome, Outcome::Replay(_))));
        let mut done = vec![(owner, &b"four"[..])];
        done.extend(leases);
        let results = Lease::complete_batch(done);
        assert_eq!(results, [Ok(Completion::Stored); 5]);
        assert_eq!(&*shared(other.wait()), b"four");
        assert_eq!(&*lab.replay(lab.key(13)), b"done");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k2_a_batch_with_a_wrong_claim_claims_nothing() {
    let (lab, other) = (Lab::new(super::small()), Lab::new(super::small()));
    let claims = [Claim::new(lab.key(1)), Claim::new(other.key(2))];
    assert_eq!(lab.engine.claim_batch(&claims).map(drop), Err(ClaimError::WrongEngine));
    assert_eq!(lab.engine.stats().executes, 0);
    assert!(lab.engine.claim_batch(&[]).unwrap().is_empty());
    assert!(Lease::complete_batch([]).is_empty());
    lab.assert_ticks_empty_it();
}

#[test]
fn l2_each_completion_of_a_batch_is_fenced_also_of_several_engines() {
    let (lab, other) = (Lab::new(super::small()), Lab::new(super::small()));
    let late = lab.own(lab.key(1));
    lab.pass(LEASE + 1);
    let taker = lab.own(lab.key(1));
    let waiter = lab.queue(lab.key(1));
    let apart = other.own(other.key(1));
    let leases = [(late, &b"late"[..]), (apart, b"apart"), (taker, b"taker")];
    let results = Lease::complete_batch(leases);
    assert_eq!(results, [Err(Stale), Ok(Completion::Stored), Ok(Completion::Stored)]);
    assert_eq!(&*shared(look(waiter)), b"taker");
    assert_eq!(&*other.replay(other.key(1)), b"apart");
}
