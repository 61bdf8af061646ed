//! K8, L8, O2: looking at keys and acting on them from outside.

use super::{HALTED, LEASE, Lab, RETENTION, handed, look, seconds, shared, under_every_geometry};
use crate::{
    Claim, Completion, HaltToken, Info, Limit, OnEnd, OnceError, Origin, Outcome, Reason, Removal,
    Resolution, ResolveError, Resolved, Stale, Status, WaitOutcome,
};

fn status(lab: &Lab, key: u128) -> Status {
    lab.engine.peek(lab.key(key)).unwrap()
}

/// Halts the key, and says what settles it.
fn halted(lab: &Lab, key: u128) -> HaltToken {
    lab.own(lab.key(key)).halt(Reason::Code(7)).unwrap();
    match status(lab, key) {
        Status::Halted(reason, _, token) => {
            assert_eq!(reason, Reason::Code(7));
            token
        }
        other => panic!("not halted, but {other:?}"),
    }
}

#[test]
fn k8_peek_tells_every_state_and_changes_nothing() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().cancelled_retention(seconds(5)));
        assert_eq!(status(&lab, 1), Status::Vacant);
        let lease = lab.own(Claim::new(lab.key(1)).owner(9));
        lab.pass(2);
        let info = Info { age: seconds(2), left: seconds(LEASE - 2), owner: 9 };
        assert_eq!(status(&lab, 1), Status::InFlight(info));
        let before = lab.engine.stats();
        lease.complete(b"abc").unwrap();
        lab.pass(1);
        let info = Info { age: seconds(1), left: seconds(RETENTION - 1), owner: 0 };
        let completed = Status::Completed { info, length: Some(3), is_error: false };
        assert_eq!(status(&lab, 1), completed);
        lab.own(lab.key(2)).fail(b"no", seconds(10)).unwrap();
        assert!(matches!(
            status(&lab, 2),
            Status::Completed { length: Some(2), is_error: true, .. }
        ));
        lab.own(lab.key(3)).complete(&[1; 20_000]).unwrap();
        assert!(matches!(status(&lab, 3), Status::Completed { length: None, .. }));
        lab.own(lab.key(4)).cancel(Reason::Code(4)).unwrap();
        let info = Info { age: seconds(0), left: seconds(5), owner: 0 };
        assert_eq!(status(&lab, 4), Status::Cancelled(Reason::Code(4), info));
        halted(&lab, 5);
        let after = lab.engine.stats();
        assert_eq!(after.executes - before.executes, 4, "peeks are not counted");
        assert_eq!((after.replays, after.in_flight, after.waiters), (0, 0, 0));
        lab.pass(RETENTION);
        assert_eq!(status(&lab, 1), Status::Vacant, "past its retention");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k8_peek_of_a_lease_that_ran_out_does_not_act_on_it() {
    let lab = Lab::new(super::small());
    let lease = lab.own(lab.key(1));
    lab.pass(LEASE + 1);
    let info = Info { age: seconds(LEASE + 1), left: seconds(0), owner: 0 };
    assert_eq!(status(&lab, 1), Status::InFlight(info));
    assert_eq!(lease.complete(b"late"), Ok(Completion::Stored), "nobody has acted on the expiry");
}

#[test]
fn k8_peek_copies_the_bytes_and_leaves_the_rest_alone() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let mut body = b"before ".to_vec();
        for length in [0, 1, 63, 64, 65, 128, 1000] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            let key = lab.key(length as u128);
            lab.store(key, &bytes);
            body.truncate(7);
            let status = lab.engine.peek_into(key, &mut body).unwrap();
            assert!(matches!(status, Status::Completed { length: Some(n), .. } if n == length));
            assert_eq!((&body[..7], &body[7..]), (&b"before "[..], &bytes[..]));
        }
        let lease = lab.own(lab.key(7777));
        body.truncate(7);
        assert!(matches!(lab.engine.peek_into(lab.key(7777), &mut body), Ok(Status::InFlight(_))));
        assert!(matches!(lab.engine.peek_into(lab.key(8888), &mut body), Ok(Status::Vacant)));
        assert_eq!(body, b"before ");
        drop(lease);
    });
}

#[test]
fn k8_forget_removes_what_is_finished_and_nothing_else() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let forget = |key| lab.engine.forget(lab.key(key)).unwrap();
        assert_eq!(forget(1), Removal::Vacant);
        lab.store(lab.key(1), b"abc");
        let held = lab.replay(lab.key(1));
        assert_eq!(forget(1), Removal::Removed);
        assert_eq!((forget(1), status(&lab, 1)), (Removal::Vacant, Status::Vacant));
        assert_eq!(&*held, b"abc", "who holds the response keeps it");
        let lease = lab.own(lab.key(1));
        assert_eq!((lease.origin(), forget(1)), (Origin::Fresh, Removal::InFlight));
        lease.complete(b"again").unwrap();
        halted(&lab, 2);
        assert_eq!(forget(2), Removal::Halted);
        lab.pass(RETENTION);
        assert_eq!(forget(1), Removal::Vacant, "its retention is over");
        assert_eq!(lab.engine.forget_forced(lab.key(2)), Ok(Removal::Removed));
        assert_eq!(lab.engine.stats().forgotten, 2);
        drop(held);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k8_forget_by_force_ends_the_lease_and_tells_the_waiters() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().cancelled_retention(seconds(5)));
        let lease = lab.own(lab.key(1));
        let waiters = [lab.queue(lab.key(1)), lab.queue(lab.key(1))];
        assert_eq!(lab.engine.forget_forced(lab.key(1)), Ok(Removal::Removed));
        assert_eq!(status(&lab, 1), Status::Vacant, "also where cancellations are kept");
        assert_eq!(lab.own(lab.key(1)).origin(), Origin::Fresh);
        assert_eq!(lease.complete(b"abc"), Err(Stale));
        for waiter in waiters {
            assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Forgotten)));
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k8_forget_by_force_ends_a_hand_over() {
    let lab = Lab::new(super::small());
    let lease = lab.own(lab.key(1));
    let (first, second) = (lab.queue(lab.key(1)), lab.queue(lab.key(1)));
    lease.cancel(Reason::Owner).unwrap();
    assert_eq!(lab.engine.forget_forced(lab.key(1)), Ok(Removal::Removed));
    for waiter in [first, second] {
        assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Forgotten)));
    }
    lab.assert_ticks_empty_it();
}

#[test]
fn k8_a_detached_owner_finishes_for_its_own_waiters() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let old = lab.own(lab.key(1));
        let (early, later) = (lab.queue(lab.key(1)), lab.queue(lab.key(1)));
        assert_eq!(lab.engine.detach(lab.key(1)), Ok(true));
        assert_eq!(lab.engine.detach(lab.key(1)), Ok(false), "it has no owner any more");
        assert_eq!(status(&lab, 1), Status::Vacant);
        let new = lab.own(lab.key(1));
        assert_eq!(new.origin(), Origin::Fresh);
        let other = lab.queue(lab.key(1));
        old.renew(seconds(60)).unwrap();
        assert_eq!(old.complete(b"old"), Ok(Completion::Detached));
        assert_eq!(&*shared(look(early)), b"old");
        assert!(matches!(status(&lab, 1), Status::InFlight(_)), "the new owner is not disturbed");
        assert_eq!(new.complete(b"new"), Ok(Completion::Stored));
        assert_eq!(&*shared(look(later)), b"old", "also after the new one");
        assert_eq!(&*shared(look(other)), b"new");
        assert_eq!(lab.engine.stats().detached, 1);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k8_a_detached_owner_hands_over_to_nobody() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for end in 0..4 {
            let old = lab.own(lab.key(1));
            let waiter = lab.queue(lab.key(1));
            assert_eq!(lab.engine.detach(lab.key(1)), Ok(true));
            let reason = match end {
                0 => {
                    old.cancel(Reason::Code(3)).unwrap();
                    Reason::Code(3)
                }
                1 => {
                    drop(old);
                    Reason::Dropped
                }
                2 => {
                    old.halt(Reason::Owner).unwrap();
                    assert!(matches!(look(waiter), WaitOutcome::Halted(Reason::Owner)));
                    continue;
                }
                _ => {
                    lab.pass(LEASE + 1);
                    lab.settle();
                    assert_eq!(old.complete(b"late"), Err(Stale));
                    Reason::LeaseExpired
                }
            };
            assert!(matches!(look(waiter), WaitOutcome::Cancelled(r) if r == reason));
            assert_eq!(status(&lab, 1), Status::Vacant);
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k8_a_detached_record_takes_no_place_and_leaves_no_memory() {
    let lab = Lab::new(super::small());
    for _ in 0..100 {
        let lease = lab.own(lab.key(1));
        assert_eq!(lab.engine.detach(lab.key(1)), Ok(true));
        assert_eq!(lab.engine.stats().records, 0);
        lease.complete(b"alone").unwrap();
    }
    let lease = lab.own(lab.key(1));
    let waiter = lab.queue(lab.key(1));
    lease.cancel(Reason::Owner).unwrap();
    assert_eq!(lab.engine.detach(lab.key(1)), Ok(true), "between two owners");
    assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Owner)));
    lab.assert_ticks_empty_it();
}

#[test]
fn k8_of_another_engines_key_nothing_is_said() {
    let (lab, other) = (Lab::new(super::small()), Lab::new(super::small()));
    let (engine, key) = (&lab.engine, other.key(1));
    assert!(engine.peek(key).is_err() && engine.forget(key).is_err());
    assert!(engine.forget_forced(key).is_err() && engine.detach(key).is_err());
    assert!(engine.force_end(key, OnEnd::Halt).is_err());
    let token = halted(&other, 1);
    let resolved = engine.resolve(key, token, Resolution::Release);
    assert_eq!(resolved, Err(ResolveError::WrongEngine));
}

#[test]
fn l8_a_halted_record_is_settled_by_its_token() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let resolve = |token, how| lab.engine.resolve(lab.key(1), token, how);
        let token = halted(&lab, 1);
        let done = Resolution::Complete(b"found it", seconds(RETENTION));
        assert_eq!(resolve(HaltToken(token.0 + 1), done), Err(ResolveError::Stale));
        assert_eq!(resolve(token, done), Ok(Resolved::Completed(Completion::Stored)));
        assert_eq!(&*lab.replay(lab.key(1)), b"found it");
        assert_eq!(resolve(token, Resolution::Release), Err(ResolveError::Stale));
        lab.pass(RETENTION);

        let token = halted(&lab, 1);
        assert_eq!(resolve(token, Resolution::Release), Ok(Resolved::Released));
        let again = halted(&lab, 1);
        assert_ne!(token, again);
        assert_eq!(resolve(token, Resolution::Release), Err(ResolveError::Stale), "another halt");

        lab.pass(HALTED - 1);
        assert_eq!(resolve(again, Resolution::Keep), Ok(Resolved::Kept));
        lab.pass(HALTED - 1);
        assert!(matches!(lab.ask(lab.key(1)), Outcome::Halted(Reason::Code(7))));
        lab.pass(1);
        assert_eq!(resolve(again, Resolution::Keep), Err(ResolveError::Stale), "it is over");
        assert_eq!(lab.engine.stats().resolved, 3);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l8_settling_keeps_the_fingerprint_and_the_limits() {
    let lab = Lab::new(super::small().bytes(4096).max_response(1024));
    let fingerprint = |bits| crate::Fingerprint::from_u128(bits);
    let claim = |bits| Claim::new(lab.key(1)).fingerprint(fingerprint(bits));
    lab.own(claim(5)).halt(Reason::Owner).unwrap();
    let Status::Halted(_, _, token) = status(&lab, 1) else { panic!("halted") };
    let large = Resolution::Complete(&[1; 1025], seconds(5));
    let resolved = lab.engine.resolve(lab.key(1), token, large);
    let Ok(Resolved::Completed(Completion::Tombstone(_))) = resolved else {
        panic!("{resolved:?}")
    };
    assert!(matches!(lab.ask(claim(6)), Outcome::Mismatch(crate::State::Completed)));
    assert!(matches!(lab.ask(claim(5)), Outcome::Done(_)));
    // Every granule in use: what is to take the halted record's place has none.
    let token = halted(&lab, 2);
    (10..13).for_each(|key| lab.store(lab.key(key), &[3; 1024]));
    let leases: Vec<_> = (20..31).map(|key| lab.own(lab.key(key))).collect();
    assert_eq!(lab.engine.stats().bytes, 4096);
    let resolve = |how| lab.engine.resolve(lab.key(2), token, how);
    assert_eq!(resolve(Resolution::Keep), Err(ResolveError::Full(Limit::Bytes)));
    assert!(matches!(status(&lab, 2), Status::Halted(..)), "as it was");
    assert_eq!(resolve(Resolution::Release), Ok(Resolved::Released), "needs none");
    drop(leases);
    lab.assert_ticks_empty_it();
}

#[test]
fn o2_the_listing_has_what_is_in_flight_and_what_is_halted() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        assert_eq!(lab.engine.listing().count(), 0);
        let lease = lab.own(Claim::new(lab.key(1)).owner(4));
        let waiter = lab.queue(lab.key(1));
        lab.store(lab.key(2), b"not listed");
        let token = halted(&lab, 3);
        let detached = lab.own(lab.key(5));
        lab.engine.detach(lab.key(5)).unwrap();
        let mut listed: Vec<_> = lab.engine.listing().collect();
        listed.sort_by_key(|record| (record.attempt, record.is_detached));
        let [at_rest, in_flight, alone] = &listed[..] else { panic!("{listed:?}") };
        assert!(matches!(at_rest.status, Status::Halted(Reason::Code(7), _, t) if t == token));
        assert!(matches!(in_flight.status, Status::InFlight(info) if info.owner == 4));
        assert_eq!((in_flight.attempt, in_flight.waiters, in_flight.is_detached), (1, 1, false));
        assert_eq!((alone.is_detached, alone.waiters), (true, 0));
        assert_eq!(in_flight.key.hash(), lab.key(1).hash());
        // What is listed can be acted on.
        assert_eq!(lab.engine.force_end(in_flight.key, OnEnd::HandOver), Ok(true));
        assert_eq!(lease.complete(b"abc"), Err(Stale));
        drop(handed(look(waiter)));
        let resolved = lab.engine.resolve(at_rest.key, token, Resolution::Release);
        assert_eq!(resolved, Ok(Resolved::Released));
        drop(detached);
        assert_eq!(lab.engine.listing().count(), 0);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn o2_a_forced_end_follows_the_policy_it_names() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let force = |policy| lab.engine.force_end(lab.key(1), policy).unwrap();
        assert!(!force(OnEnd::HandOver), "nobody has a lease");
        for is_vacated in [false, true] {
            for policy in [OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt] {
                let lease = lab.own(lab.key(1));
                let waiter = lab.queue(lab.key(1));
                if is_vacated {
                    drop(lease);
                    assert_eq!(force(policy), policy != OnEnd::HandOver);
                } else {
                    assert!(force(policy));
                    assert_eq!(lease.cancel(Reason::Owner), Err(Stale));
                }
                match (policy, look(waiter)) {
                    (OnEnd::HandOver, WaitOutcome::Execute(lease)) => {
                        lease.cancel(Reason::Owner).unwrap();
                    }
                    (OnEnd::FailWaiters, WaitOutcome::Cancelled(Reason::Forced)) => {}
                    (OnEnd::Halt, WaitOutcome::Halted(Reason::Forced)) => {
                        assert!(!force(OnEnd::FailWaiters), "a halt is settled, not ended");
                        assert_eq!(lab.engine.forget_forced(lab.key(1)), Ok(Removal::Removed));
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(status(&lab, 1), Status::Vacant);
            }
        }
        let stats = lab.engine.stats();
        assert_eq!((stats.forced, stats.halts), (3, 2), "forced: leases only");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k8_once_is_true_the_first_time_until_its_retention_ends_or_it_is_forgotten() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let once = || lab.engine.once(lab.key(1), seconds(5));
        assert_eq!((once(), once()), (Ok(true), Ok(false)));
        lab.pass(5);
        assert_eq!((once(), once()), (Ok(true), Ok(false)));
        assert_eq!(lab.engine.forget(lab.key(1)), Ok(Removal::Removed));
        assert_eq!((once(), once()), (Ok(true), Ok(false)));
        halted(&lab, 2);
        let halted = lab.engine.once(lab.key(2), seconds(5));
        assert_eq!(halted, Err(OnceError::Halted(Reason::Code(7))));
        lab.engine.close();
        assert_eq!(lab.engine.once(lab.key(3), seconds(5)), Err(OnceError::Closed));
        lab.assert_ticks_empty_it();
    });
}
