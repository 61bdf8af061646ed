//! States (T) and the claim (K1 to K4).

use super::{ACCEPT, LEASE, Lab, RETENTION, handed, look, seconds, under_every_geometry};
use crate::{
    Claim, Completion, Fingerprint, NamespaceOptions, NoBody, OnEnd, Origin, Outcome, Reason,
    Scope, State, WaitOutcome,
};

#[test]
fn t1_a_completed_key_is_vacant_after_its_retention() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        assert!(lab.is_in_flight(key));
        assert_eq!(lease.complete(b"done"), Ok(Completion::Stored));
        assert_eq!(&*lab.replay(key), b"done");
        lab.pass(RETENTION);
        assert_eq!(lab.own(key).origin(), Origin::Fresh);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn t1_a_cancelled_key_is_vacant_at_once_when_nobody_waits() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        lab.own(lab.key(1)).cancel(Reason::Owner).expect("the lease is ours");
        lab.assert_empty();
        assert_eq!(lab.own(lab.key(1)).attempt(), 1, "the key had no record any more");
    });
}

#[test]
fn t1_a_handed_over_key_stays_in_flight() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert!(lab.is_in_flight(key), "offered, not accepted yet");
        let lease = handed(look(waiter));
        assert!(lab.is_in_flight(key));
        lease.complete(b"").expect("the lease is ours");
        assert!(lab.replay(key).is_empty());
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn t2_a_response_over_the_limit_leaves_a_tombstone() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().max_response(100));
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        assert_eq!(lease.complete(&[1; 101]), Ok(Completion::Tombstone(NoBody::TooLarge)));
        assert!(matches!(look(waiter), WaitOutcome::Done(_)));
        assert!(matches!(lab.ask(key), Outcome::Done(info) if info.left == seconds(RETENTION)));
        lab.pass(RETENTION);
        lab.store(key, &[1; 100]);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn t2_a_response_without_room_leaves_a_tombstone() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(8192).max_response(4096));
        lab.store(lab.key(1), &[1; 4096]);
        let lease = lab.own(lab.key(2));
        let waiter = lab.queue(lab.key(2));
        assert_eq!(lease.complete(&[2; 4096]), Ok(Completion::Tombstone(NoBody::NoRoom)));
        assert!(matches!(look(waiter), WaitOutcome::Done(_)));
        assert!(matches!(lab.ask(lab.key(2)), Outcome::Done(_)), "blocks another execution");
        assert_eq!(lab.replay(lab.key(1)).len(), 4096);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn t3_a_kept_cancellation_answers_claims_and_fails_the_waiters() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().cancelled_retention(seconds(5)));
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters = [lab.queue(key), lab.queue(key)];
        lease.cancel(Reason::Code(42)).expect("the lease is ours");
        for waiter in waiters {
            assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Code(42))));
        }
        lab.pass(4);
        assert!(matches!(lab.ask(key), Outcome::Cancelled(Reason::Code(42))));
        lab.pass(1);
        lab.store(key, b"second try");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn t3_the_reason_says_how_the_lease_ended() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().cancelled_retention(seconds(5)));
        let reason = |number| match lab.ask(lab.key(number)) {
            Outcome::Cancelled(reason) => reason,
            other => panic!("not cancelled, but {other:?}"),
        };
        drop(lab.own(lab.key(1)));
        assert_eq!(reason(1), Reason::Dropped);
        let lease = lab.own(lab.key(2));
        let panicked = std::panic::catch_unwind(core::panic::AssertUnwindSafe(move || {
            let _lease = lease;
            std::panic::resume_unwind(Box::new("the owner's own trouble"));
        }));
        assert!(panicked.is_err());
        assert_eq!(reason(2), Reason::Panicked);
        let forgotten = lab.own(lab.key(3)).into_token();
        lab.pass(LEASE);
        assert_eq!(reason(3), Reason::LeaseExpired);
        assert!(lab.engine.lease(forgotten).is_err());
        for code in [0, 1, u16::MAX] {
            let key = lab.key(10 + u128::from(code));
            lab.own(key).cancel_all(Reason::Code(code)).expect("the lease is ours");
            assert_eq!(reason(10 + u128::from(code)), Reason::Code(code));
        }
        // What the engine alone can know is not an owner's to say.
        lab.own(lab.key(4)).cancel(Reason::LeaseExpired).expect("the lease is ours");
        assert_eq!(reason(4), Reason::Owner);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn t4_a_halted_key_does_not_run_until_its_retention_is_over() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().halted_retention(seconds(100)));
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        lease.halt(Reason::Code(3)).expect("the lease is ours");
        assert!(matches!(look(waiter), WaitOutcome::Halted(Reason::Code(3))));
        lab.pass(99);
        lab.settle();
        assert!(matches!(lab.ask(key), Outcome::Halted(Reason::Code(3))));
        lab.pass(1);
        assert_eq!(lab.own(key).origin(), Origin::Fresh);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k1_the_owners_terms_govern() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(Claim::new(key).lease(seconds(3)).retention(seconds(5)).owner(77));
        assert_eq!(lease.time_left(), Some(seconds(3)));
        let other = Claim::new(key).wait(false).lease(seconds(90)).retention(seconds(90)).owner(5);
        let Outcome::InFlight(found) = lab.ask(other) else { panic!("the key is owned") };
        assert_eq!((found.info().left, found.info().owner), (seconds(3), 77));
        lease.complete(b"").expect("the lease is ours");
        let Outcome::Replay(response) = lab.ask(other) else { panic!("the key is done") };
        assert_eq!(response.info().left, seconds(5), "a replayer's retention is ignored");
    });
}

#[test]
fn k1_retention_is_the_nearest_one_said() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let options = NamespaceOptions::default().retention(seconds(20)).lease(seconds(7));
        let space = lab.engine.define_namespace("orders", options).expect("in bounds");
        let kept = |key| lab.replay(key).info().left;
        let key = |name: &[u8]| space.key(Scope::None, name).expect("a good key");

        lab.store(lab.key(1), b"");
        assert_eq!(kept(lab.key(1)), seconds(RETENTION), "the engine's");
        let lease = lab.own(key(b"a"));
        assert_eq!(lease.time_left(), Some(seconds(7)));
        lease.complete(b"").expect("the lease is ours");
        assert_eq!(kept(key(b"a")), seconds(20), "the namespace's");
        let claim = Claim::new(key(b"b")).retention(seconds(30));
        lab.own(claim).complete(b"").expect("the lease is ours");
        assert_eq!(kept(key(b"b")), seconds(30), "the claim's");
        let claim = Claim::new(key(b"c")).retention(seconds(30));
        lab.own(claim).complete_for(b"", seconds(40)).expect("the lease is ours");
        assert_eq!(kept(key(b"c")), seconds(40), "the completion's");
    });
}

#[test]
fn k1_policies_are_the_nearest_ones_said() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().on_abandon(OnEnd::Halt).on_expiry(OnEnd::Halt));
        let options = NamespaceOptions::default().on_abandon(OnEnd::HandOver);
        let space = lab.engine.define_namespace("orders", options).expect("in bounds");
        drop(lab.own(lab.key(1)));
        assert!(matches!(lab.ask(lab.key(1)), Outcome::Halted(Reason::Dropped)));
        drop(lab.own(space.raw_key(1)));
        assert_eq!(lab.own(space.raw_key(1)).attempt(), 1, "the namespace's policy");
        drop(lab.own(Claim::new(lab.key(2)).on_abandon(OnEnd::FailWaiters)));
        assert_eq!(lab.own(lab.key(2)).attempt(), 1, "the claim's policy");
        let _lost = lab.own(Claim::new(lab.key(3)).on_expiry(OnEnd::HandOver)).into_token();
        let _lost = lab.own(space.raw_key(3)).into_token();
        lab.pass(LEASE);
        assert_eq!(lab.own(lab.key(3)).origin(), Origin::AfterExpiry);
        assert!(matches!(lab.ask(space.raw_key(3)), Outcome::Halted(Reason::LeaseExpired)));
    });
}

#[test]
fn k2_origin_and_attempt_tell_what_went_before() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let first = lab.own(key);
        assert_eq!((first.origin(), first.attempt()), (Origin::Fresh, 1));
        let (a, b) = (lab.queue(key), lab.queue(key));
        first.cancel(Reason::Owner).expect("the lease is ours");
        let second = handed(look(a));
        assert_eq!((second.origin(), second.attempt()), (Origin::AfterCancel, 2));
        lab.pass(LEASE);
        let third = handed(look(b));
        assert_eq!((third.origin(), third.attempt()), (Origin::AfterExpiry, 3));
        lab.pass(LEASE);
        let fourth = lab.own(key);
        assert_eq!((fourth.origin(), fourth.attempt()), (Origin::AfterExpiry, 4));
    });
}

#[test]
fn k2_info_tells_age_time_left_and_owner() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(Claim::new(key).owner(9));
        lab.pass(4);
        let Outcome::InFlight(found) = lab.ask(key) else { panic!("the key is owned") };
        assert_eq!(found.info().age, seconds(4));
        assert_eq!(found.info().left, seconds(LEASE - 4));
        assert_eq!(found.info().owner, 9);
        drop(found);
        lease.complete(b"").expect("the lease is ours");
        lab.pass(3);
        let info = lab.replay(key).info();
        assert_eq!((info.age, info.left, info.owner), (seconds(3), seconds(RETENTION - 3), 0));
    });
}

#[test]
fn k2_the_claim_itself_takes_the_place_in_the_queue() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let Outcome::InFlight(found) = lab.ask(Claim::new(key).wait(false)) else {
            panic!("the key is owned");
        };
        assert_eq!(lab.engine.stats().waiters, 0);
        assert!(matches!(found.wait(), WaitOutcome::TimedOut), "it has no place");
        let (first, second) = (lab.queue(key), lab.queue(key));
        assert_eq!(lab.engine.stats().waiters, 2);
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert!(matches!(look(second), WaitOutcome::TimedOut));
        handed(look(first)).complete(b"").expect("the lease is ours");
    });
}

#[test]
fn k3_of_many_claims_at_once_one_executes() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for round in 0..50 {
            let key = lab.key(round);
            let claim = || lab.ask(Claim::new(key).wait(false));
            let leases: Vec<_> = std::thread::scope(|scope| {
                let claims: Vec<_> = (0..3).map(|_| scope.spawn(claim)).collect();
                claims.into_iter().map(|claim| claim.join().expect("no panic")).collect()
            });
            let owners = leases.iter().filter(|o| matches!(o, Outcome::Execute(_))).count();
            assert_eq!(owners, 1, "{leases:?}");
        }
        lab.assert_empty();
    });
}

#[test]
fn k3_nobody_else_executes_while_the_lease_holds() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        lab.clock.advance(seconds(LEASE) - core::time::Duration::from_nanos(1));
        lab.settle();
        assert!(lab.is_in_flight(key));
        assert!(matches!(look(waiter), WaitOutcome::TimedOut));
        assert!(lease.complete(b"").is_ok());
        assert_eq!(lab.engine.stats().late, 0);
    });
}

fn says(bits: u128) -> Fingerprint {
    Fingerprint::from_u128(bits)
}

#[test]
fn k4_another_fingerprint_is_a_mismatch_in_every_state() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().cancelled_retention(seconds(5)));
        let claim = |number, bits| Claim::new(lab.key(number)).fingerprint(says(bits)).wait(false);
        let state = |number| match lab.ask(claim(number, 2)) {
            Outcome::Mismatch(state) => state,
            other => panic!("no mismatch, but {other:?}"),
        };
        let lease = lab.own(claim(1, 1));
        assert_eq!(state(1), State::InFlight);
        assert!(matches!(lab.ask(claim(1, 1)), Outcome::InFlight(_)));
        lease.complete(b"").expect("the lease is ours");
        assert_eq!(state(1), State::Completed);
        assert!(matches!(lab.ask(claim(1, 1)), Outcome::Replay(_)));
        lab.own(claim(2, 1)).cancel(Reason::Owner).expect("the lease is ours");
        assert_eq!(state(2), State::Cancelled);
        lab.own(claim(3, 1)).halt(Reason::Owner).expect("the lease is ours");
        assert_eq!(state(3), State::Halted);
        lab.pass(RETENTION);
        assert!(matches!(lab.ask(claim(1, 2)), Outcome::Execute(_)), "vacant: bound anew");
    });
}

#[test]
fn k4_without_a_fingerprint_on_either_side_there_is_no_check() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        lab.store(lab.key(1), b"unbound");
        assert_eq!(&*lab.replay(Claim::new(lab.key(1)).fingerprint(says(5))), b"unbound");
        lab.own(Claim::new(lab.key(2)).fingerprint(says(5))).complete(b"bound").expect("ours");
        assert_eq!(&*lab.replay(lab.key(2)), b"bound");
    });
}

#[test]
fn k4_the_mismatch_comes_before_a_takeover() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let claim = |bits| Claim::new(lab.key(1)).fingerprint(says(bits));
        let lease = lab.own(claim(1));
        lab.pass(LEASE);
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(State::InFlight)));
        assert_eq!(lease.complete(b"late"), Ok(Completion::Stored), "nobody took over");
        assert_eq!(lab.engine.stats().late, 1);
    });
}

#[test]
fn k4_an_expired_lease_leaves_its_fingerprint_to_whoever_takes_over() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let claim = |bits| Claim::new(lab.key(1)).fingerprint(says(bits)).wait(false);
        let _lost = lab.own(claim(1)).into_token();
        lab.pass(LEASE);
        let lease = lab.own(lab.key(1));
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(State::InFlight)));
        lease.complete(b"done").expect("the lease is ours");
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(State::Completed)));
        assert!(matches!(lab.ask(claim(1)), Outcome::Replay(_)));
    });
}

#[test]
fn k4_after_an_expired_lease_without_a_fingerprint_the_claims_own_is_bound() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let claim = |bits| Claim::new(lab.key(1)).fingerprint(says(bits)).wait(false);
        let _lost = lab.own(lab.key(1)).into_token();
        lab.pass(LEASE);
        let lease = lab.own(claim(1));
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(State::InFlight)));
        lease.complete(b"done").expect("the lease is ours");
        assert!(matches!(lab.ask(claim(1)), Outcome::Replay(_)));
    });
}

#[test]
fn k4_a_waiter_that_is_handed_the_lease_does_not_bind_it_anew() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let claim = |bits| Claim::new(key).fingerprint(says(bits)).wait(false);
        let lease = lab.own(claim(1));
        let (unbound, next) = (lab.queue(key), lab.queue(key));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let lease = handed(look(unbound));
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(_)), "after a cancel");
        lab.pass(LEASE + ACCEPT);
        let lease_after_expiry = handed(look(next));
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(_)), "after an expiry");
        assert!(lease.complete(b"stale").is_err());
        lease_after_expiry.complete(b"").expect("the lease is ours");
        assert!(matches!(lab.ask(claim(2)), Outcome::Mismatch(State::Completed)));
    });
}
