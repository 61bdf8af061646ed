//! R4, R5: clearing namespaces, and limits of namespaces and scopes.

use std::sync::{Arc, OnceLock, Weak};

use super::{LEASE, Lab, RETENTION, handed, look, seconds, shared, small, under_every_geometry};
use crate::{
    Claim, Completion, ConfigError, Key, Limit, Namespace, NamespaceOptions, NoBody, OnEnd, Origin,
    Outcome, Reason, Scope, Stale, Status, WaitOutcome, What,
};

fn key(lab: &Lab, namespace: &str, scope: &str, key: u64) -> Key {
    let namespace = lab.engine.namespace(namespace).unwrap();
    namespace.key(Scope::Of(scope.as_bytes()), &key.to_le_bytes()).unwrap()
}

fn is_full(lab: &Lab, key: Key) -> Option<Limit> {
    match lab.ask(key) {
        Outcome::Full(limit) => Some(limit),
        _ => None,
    }
}

#[test]
fn r4_a_cleared_namespace_has_no_records_and_the_others_keep_theirs() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (a, b) = (key(&lab, "a", "s", 1), key(&lab, "b", "s", 1));
        [a, b, lab.key(1)].iter().for_each(|key| lab.store(*key, b"abc"));
        let held = lab.replay(a);
        lab.engine.namespace("a").unwrap().clear();
        // The key that was made before, and one made after, are the same.
        assert_eq!(lab.engine.peek(a), Ok(Status::Vacant));
        let lease = lab.own(a);
        assert_eq!(lease.origin(), Origin::Fresh);
        assert!(lab.is_in_flight(key(&lab, "a", "s", 1)));
        lease.complete(b"new").unwrap();
        assert_eq!(&*lab.replay(a), b"new");
        assert_eq!((&*lab.replay(b), &*lab.replay(lab.key(1))), (&b"abc"[..], &b"abc"[..]));
        assert_eq!(&*held, b"abc", "who holds the response keeps it");
        lab.engine.clear();
        assert_eq!(lab.engine.peek(lab.key(1)), Ok(Status::Vacant));
        assert_eq!(&*lab.replay(b), b"abc");
        drop(held);
        lab.settle();
        assert_eq!(lab.engine.stats().records, 2, "ticks remove what was cleared");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r4_owners_of_cleared_keys_finish_for_their_own_waiters() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (space, key) = (lab.engine.namespace("a").unwrap(), key(&lab, "a", "s", 1));
        let old = lab.own(key);
        let waiter = lab.queue(key);
        space.clear();
        let new = lab.own(key);
        old.renew(seconds(60)).unwrap();
        assert_eq!(old.complete(b"old"), Ok(Completion::Detached));
        assert_eq!(&*shared(look(waiter)), b"old");
        assert_eq!(new.complete(b"new"), Ok(Completion::Stored));
        assert_eq!(&*lab.replay(key), b"new");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r4_no_hand_over_into_the_old_epoch() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (space, key) = (lab.engine.namespace("a").unwrap(), key(&lab, "a", "s", 1));
        // Given up, or run out, after it was cleared.
        for expires in [false, true] {
            let old = lab.own(key);
            let waiter = lab.queue(key);
            space.clear();
            let reason = if expires {
                lab.pass(LEASE + 1);
                Reason::LeaseExpired
            } else {
                old.cancel(Reason::Owner).unwrap();
                Reason::Owner
            };
            assert!(matches!(look(waiter), WaitOutcome::Cancelled(r) if r == reason));
        }
        // Cleared while it is being handed over.
        drop(lab.own(key));
        let old = lab.own(key);
        let waiter = lab.queue(key);
        old.cancel(Reason::Owner).unwrap();
        space.clear();
        assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Cleared)));
        drop(lab.own(key));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r4_a_batch_and_everything_else_find_a_cleared_key_vacant() {
    let lab = Lab::new(small());
    let (space, key) = (lab.engine.namespace("a").unwrap(), key(&lab, "a", "s", 1));
    lab.own(key).halt(Reason::Owner).unwrap();
    space.clear();
    assert_eq!(lab.engine.listing().count(), 0);
    assert_eq!(lab.engine.forget(key), Ok(crate::Removal::Vacant));
    assert_eq!(lab.engine.force_end(key, OnEnd::HandOver), Ok(false));
    let outcomes = lab.engine.claim_batch(&[Claim::new(key), Claim::new(lab.key(1))]).unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Execute(_))));
    let listed: Vec<_> = lab.engine.listing().collect();
    assert_eq!((listed.len(), listed.iter().any(|record| record.is_detached)), (2, false));
    space.clear();
    assert_eq!(lab.engine.listing().filter(|record| record.is_detached).count(), 1);
    drop(outcomes);
    lab.assert_ticks_empty_it();
}

/// A batch is no one step: what happens between two of its claims is seen by the second.
#[test]
fn r4_a_clear_within_a_batch_counts_for_the_claims_after_it() {
    // Weak: a hook that holds its engine would keep it for ever.
    let cleared = Arc::new(OnceLock::<Weak<Namespace>>::new());
    let seen = cleared.clone();
    let lab = Lab::new(small().hook(move |event| {
        if event.what == What::Executes {
            seen.get().and_then(Weak::upgrade).iter().for_each(|space| space.clear());
        }
    }));
    let space = Arc::new(lab.engine.namespace("a").unwrap());
    let stored = key(&lab, "a", "s", 1);
    lab.store(stored, b"old");
    cleared.set(Arc::downgrade(&space)).unwrap();
    let claims = [Claim::new(lab.key(9)), Claim::new(stored)];
    let outcomes = lab.engine.claim_batch(&claims).unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Execute(_))));
    drop(outcomes);
    lab.assert_ticks_empty_it();
}

#[test]
fn r4_r2_a_claim_makes_room_of_what_was_cleared() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().retention(seconds(1_000)));
        let space = lab.engine.namespace("a").unwrap();
        for round in 0..20 {
            for number in 0..super::RECORDS as u64 {
                lab.store(key(&lab, "a", "s", number), &[round; 1000]);
            }
            space.clear();
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r5_a_namespace_has_its_own_limit_of_records() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let space = lab.engine.define_namespace("a", NamespaceOptions::default().records(3));
        let space = space.unwrap();
        let stored = |number| lab.store(key(&lab, "a", "s", number), b"abc");
        (0..2).for_each(stored);
        let lease = lab.own(key(&lab, "a", "s", 2));
        let over = |number| is_full(&lab, key(&lab, "a", "s", number));
        assert_eq!(over(3), Some(Limit::Namespace));
        assert_eq!(over(0), None, "of an existing record no more is asked (K9)");
        lab.store(lab.key(3), b"others are not concerned");
        lease.cancel(Reason::Owner).unwrap();
        assert_eq!(over(3), None);
        lab.pass(RETENTION);
        (0..3).for_each(|number| lab.store(key(&lab, "a", "s", number), b"as the old ones end"));
        assert_eq!(over(3), Some(Limit::Namespace));
        space.clear();
        (10..13).for_each(stored);
        assert_eq!(over(3), Some(Limit::Namespace), "clearing counts anew");
        assert_eq!(lab.engine.stats().full_namespace, 3);
        lab.assert_ticks_empty_it();
        (0..3).for_each(stored);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r5_a_namespace_has_its_own_limit_of_bytes() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let options = NamespaceOptions::default().bytes(1024);
        lab.engine.define_namespace("a", options).unwrap();
        let complete = |number, length| {
            lab.own(key(&lab, "a", "s", number)).complete(&vec![7; length]).unwrap()
        };
        assert_eq!(complete(1, 512), Completion::Stored);
        assert_eq!(complete(2, 512), Completion::Tombstone(NoBody::NoRoom));
        assert_eq!(complete(3, 256), Completion::Stored);
        let held = lab.replay(key(&lab, "a", "s", 1));
        lab.pass(RETENTION);
        lab.settle();
        assert_eq!(complete(4, 512), Completion::Tombstone(NoBody::NoRoom), "replays held count");
        drop(held);
        assert_eq!(complete(5, 512), Completion::Stored);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r5_each_scope_has_its_own_limit() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let options = NamespaceOptions::default().records(5).records_per_scope(2);
        let space = lab.engine.define_namespace("a", options).unwrap();
        let store = |scope, number| lab.store(key(&lab, "a", scope, number), b"abc");
        let over = |scope, number| is_full(&lab, key(&lab, "a", scope, number));
        (0..2).for_each(|number| store("s", number));
        assert_eq!(over("s", 2), Some(Limit::Scope));
        (0..2).for_each(|number| store("t", number));
        store("u", 0);
        assert_eq!(over("u", 1), Some(Limit::Namespace));
        // Keys without a scope have only the namespace's limit.
        let unscoped = space.key(Scope::None, b"k").unwrap();
        assert_eq!(is_full(&lab, unscoped), Some(Limit::Namespace));
        lab.settle();
        assert_eq!(lab.engine.core().realms.used(), 4, "the namespace and three scopes");
        assert_eq!(over("s", 2), Some(Limit::Scope), "ticks give up no scope that is used");
        space.clear();
        (5..7).for_each(|number| store("s", number));
        assert_eq!(over("s", 2), Some(Limit::Scope), "clearing counts anew");
        lab.assert_ticks_empty_it();
        assert_eq!(lab.engine.core().realms.used(), 1, "scopes that are not used are given up");
        (0..2).for_each(|number| store("s", number));
        assert_eq!(over("s", 2), Some(Limit::Scope));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r5_owners_of_cleared_keys_are_not_counted() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let options = NamespaceOptions::default().records(2);
        let space = lab.engine.define_namespace("a", options).unwrap();
        let own = |number| lab.own(key(&lab, "a", "s", number));
        let over = || is_full(&lab, key(&lab, "a", "s", 4));
        let old = [own(0), own(1)];
        space.clear();
        // No room can be made of those, which are still at work.
        let new = [own(2), own(3)];
        assert_eq!(over(), Some(Limit::Namespace));
        drop(old);
        assert_eq!(over(), Some(Limit::Namespace), "they give nothing back to the new epoch");
        drop(new);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r5_limits_are_set_once_and_within_bounds() {
    let lab = Lab::new(small());
    let define = |options| lab.engine.define_namespace("a", options).map(drop);
    let options = NamespaceOptions::default;
    assert_eq!(define(options().records(0)), Err(ConfigError::Zero("records")));
    assert_eq!(define(options().bytes(63)), Err(ConfigError::TooSmall("bytes", 64)));
    let most = (1 << 26) - 1;
    let too_large = Err(ConfigError::TooLarge("records_per_scope", most));
    assert_eq!(define(options().records_per_scope(most + 1)), too_large);
    let too_large = Err(ConfigError::TooLarge("bytes_per_scope", most * 64));
    assert_eq!(define(options().bytes_per_scope(1 << 32)), too_large);
    assert_eq!(define(options().records(3)), Ok(()));
    assert_eq!(define(options().records(3).lease(seconds(5))), Ok(()), "terms may change");
    assert_eq!(define(options().records(4)), Err(ConfigError::LimitsSet));
    assert_eq!(lab.own(key(&lab, "a", "s", 1)).time_left(), Some(seconds(5)));
}

#[test]
fn r5_a_tiny_engine_runs_out_of_scopes_and_gets_them_back() {
    let lab = Lab::new(small().shape(|built| crate::geometry::Geometry { realms: 4, ..built }));
    let options = NamespaceOptions::default().records_per_scope(2);
    lab.engine.define_namespace("a", options).unwrap();
    let leases = ["s", "t"].map(|scope| lab.own(key(&lab, "a", scope, 1)));
    assert_eq!(is_full(&lab, key(&lab, "a", "u", 1)), Some(Limit::Scope));
    assert!(lab.engine.namespace("b").is_err(), "nor is there room for a namespace");
    drop(leases);
    lab.settle();
    lab.store(key(&lab, "a", "u", 1), b"abc");
    lab.assert_ticks_empty_it();
}

#[test]
fn r5_a_stale_owner_of_a_cleared_scope_gives_back_what_it_counted() {
    let lab = Lab::new(small());
    let options = NamespaceOptions::default().records_per_scope(2);
    let space = lab.engine.define_namespace("a", options).unwrap();
    let (old, key) = (lab.own(key(&lab, "a", "s", 1)), key(&lab, "a", "s", 1));
    space.clear();
    let new = lab.own(key);
    let waiter = lab.queue(key);
    lab.pass(LEASE + 1);
    lab.settle();
    assert_eq!((old.complete(b"old"), new.complete(b"new")), (Err(Stale), Err(Stale)));
    handed(look(waiter)).complete(b"newest").unwrap();
    lab.assert_ticks_empty_it();
    assert_eq!(lab.engine.core().realms.used(), 1);
}
