//! The owner's side (L1 to L4, L6).

use core::panic::AssertUnwindSafe;

use super::{LEASE, Lab, RETENTION, handed, look, seconds, shared, small, under_every_geometry};
use crate::geometry::Geometry;
use crate::{
    Claim, Completion, NoBody, OnEnd, Origin, Outcome, Reason, Stale, TokenError, WaitOutcome,
};

#[test]
fn l1_complete_stores_and_tells_every_waiter() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters = [lab.queue(key), lab.queue(key), lab.queue(key)];
        assert_eq!(lease.complete(b"result"), Ok(Completion::Stored));
        for waiter in waiters {
            assert_eq!(&*shared(look(waiter)), b"result");
        }
        assert_eq!(&*lab.replay(key), b"result");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l1_a_response_comes_back_byte_for_byte() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for length in [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 4095, 4096, 16 * 1024] {
            let key = lab.key(length as u128);
            let bytes: Vec<u8> = (0..length).map(|at| (at * 31 + at / 256) as u8).collect();
            lab.store(key, &bytes);
            assert_eq!(&*lab.replay(key), &bytes[..], "{length} bytes");
            assert!(!lab.replay(key).is_error());
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l1_without_retention_it_is_delivered_and_the_key_is_free() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        for lease in [lab.own(Claim::new(key).retention(seconds(0))), lab.own(lab.key(2))] {
            let number = if lab.is_in_flight(key) { 1 } else { 2 };
            let waiter = lab.queue(lab.key(number));
            assert_eq!(lease.complete_for(b"once", seconds(0)), Ok(Completion::Stored));
            assert_eq!(&*shared(look(waiter)), b"once");
            assert!(!lab.is_in_flight(lab.key(number)), "the key is free again");
        }
        lab.assert_empty();
    });
}

#[test]
fn l1_complete_never_fails_for_room() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(4096).max_response(2000));
        let keys: Vec<_> = (0..16).map(|number| lab.key(number)).collect();
        let leases: Vec<_> = keys.iter().map(|key| lab.own(*key)).collect();
        let stored: Vec<_> = leases.into_iter().map(|lease| lease.complete(&[9; 1000])).collect();
        // 64 granules: 16 of them reserved, and 16 more for each thousand bytes.
        assert_eq!(stored.iter().filter(|s| **s == Ok(Completion::Stored)).count(), 3);
        let tombstone = Ok(Completion::Tombstone(NoBody::NoRoom));
        assert_eq!(stored.iter().filter(|s| **s == tombstone).count(), 13);
        for (key, stored) in keys.iter().zip(&stored) {
            match lab.ask(*key) {
                Outcome::Replay(r) => {
                    assert_eq!((&*r, *stored), (&[9; 1000][..], Ok(Completion::Stored)))
                }
                Outcome::Done(_) => assert_eq!(*stored, tombstone),
                other => panic!("not done: {other:?}"),
            }
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l1_an_error_is_shared_and_marked() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        assert_eq!(lease.fail(b"no funds", seconds(5)), Ok(Completion::Stored));
        let error = shared(look(waiter));
        assert!(error.is_error() && &*error == b"no funds");
        assert!(lab.replay(key).is_error());
        lab.pass(5);
        assert!(!lab.is_in_flight(key), "kept as long as it was said");
    });
}

#[test]
fn l1_renew_moves_the_deadline_never_earlier() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        lab.pass(10);
        lease.renew(seconds(5)).expect("the lease is ours");
        assert_eq!(lease.time_left(), Some(seconds(LEASE - 10)));
        lease.renew(seconds(60)).expect("the lease is ours");
        assert_eq!(lease.time_left(), Some(seconds(60)));
        lab.pass(59);
        lab.settle();
        assert!(lab.is_in_flight(lab.key(1)), "the first deadline is long over");
        lease.complete(b"").expect("the lease is ours");
        assert_eq!(lab.engine.stats().late, 0);
    });
}

#[test]
fn l2_after_a_takeover_every_call_of_the_old_owner_is_stale() {
    under_every_geometry(|make| {
        // Taken over by a claim, which has a flight of its own, and handed over on the same flight.
        for has_waiter in [false, true] {
            let lab = Lab::new(make());
            let key = lab.key(1);
            let token = lab.own(key).into_token();
            let waiter = has_waiter.then(|| lab.queue(key));
            let old: Vec<_> = (0..5).map(|_| lab.engine.lease(token).expect("still his")).collect();
            lab.pass(LEASE);
            let new = waiter.map_or_else(|| lab.own(key), |waiter| handed(look(waiter)));
            let [a, b, c, d, e] = <[_; 5]>::try_from(old).expect("five");
            assert_eq!(a.renew(seconds(1)), Err(Stale));
            assert_eq!(a.time_left(), None);
            assert_eq!(a.complete(b"old"), Err(Stale));
            assert_eq!(b.cancel(Reason::Owner), Err(Stale));
            assert_eq!(c.halt(Reason::Owner), Err(Stale));
            assert_eq!(d.fail(b"old", seconds(1)), Err(Stale));
            drop(e);
            assert_eq!(lab.engine.stats().stale, 6);
            assert_eq!(lab.engine.lease(token).err(), Some(TokenError::Stale));
            new.complete(b"new").expect("nothing was overwritten");
            assert_eq!(&*lab.replay(key), b"new");
            lab.assert_ticks_empty_it();
        }
    });
}

#[test]
fn l2_a_late_call_counts_until_somebody_acts_on_the_expiry() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let leases: Vec<_> = (0..4).map(|number| lab.own(lab.key(number))).collect();
        let [renewed, completed, cancelled, halted] = <[_; 4]>::try_from(leases).expect("four");
        lab.pass(LEASE + 100);
        assert!(renewed.renew(seconds(5)).is_ok());
        assert_eq!(renewed.time_left(), Some(seconds(5)));
        assert!(completed.complete(b"late").is_ok());
        assert!(cancelled.cancel(Reason::Owner).is_ok());
        assert!(halted.halt(Reason::Owner).is_ok());
        let stats = lab.engine.stats();
        assert_eq!((stats.late, stats.stale), (3, 0), "renewing ends nothing");
        assert_eq!(&*lab.replay(lab.key(1)), b"late");
    });
}

#[test]
fn l2_a_tick_and_a_waiter_act_on_the_expiry_as_well() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (ticked, waited) = (lab.own(lab.key(1)), lab.own(lab.key(2)));
        let waiter = lab.queue(lab.key(2));
        lab.pass(LEASE);
        let new = handed(look(waiter));
        lab.settle();
        assert_eq!(ticked.complete(b""), Err(Stale));
        assert_eq!(waited.complete(b""), Err(Stale));
        assert_eq!(lab.engine.stats().lease_expiries, 2);
        new.complete(b"").expect("the lease is ours");
    });
}

#[test]
fn l2_a_renewed_lease_is_not_taken_over() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        lab.pass(LEASE - 1);
        lease.renew(seconds(LEASE)).expect("the lease is ours");
        lab.pass(1);
        lab.settle();
        assert!(lab.is_in_flight(key));
        assert!(matches!(look(waiter), WaitOutcome::TimedOut));
        assert_eq!(lease.complete(b""), Ok(Completion::Stored));
    });
}

/// A token and the key's next leases, on one flight: after how many of them it fits again.
fn leases_until_a_token_fits_again(shape: fn(Geometry) -> Geometry, most: u32) -> Option<u32> {
    let lab = Lab::new(small().shape(shape));
    let token = lab.own(lab.key(1)).into_token();
    lab.pass(LEASE);
    (1..=most).find(|_| {
        let current = lab.own(lab.key(1));
        let fits = lab.engine.lease(token).map(crate::Lease::into_token).is_ok();
        current.cancel(Reason::Owner).expect("the lease is ours");
        fits
    })
}

#[test]
fn l2_a_wrap_of_three_bit_generations_lets_a_stale_owner_in() {
    let three_bits = |built| Geometry { flights: 1, generation_mask: 7, ..built };
    assert_eq!(leases_until_a_token_fits_again(three_bits, 100), Some(8));
    // Real ones have 61 bits: at 10^9 leases a second on one flight, 73 years.
    let as_built = |built| Geometry { flights: 1, ..built };
    assert_eq!(leases_until_a_token_fits_again(as_built, 10_000), None);
}

#[test]
fn l3_a_response_is_shared_not_copied() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters = [lab.queue(key), lab.queue(key), lab.queue(key)];
        lease.complete(&[7; 4096]).expect("the lease is ours");
        let one = lab.replay(key);
        let bytes = lab.engine.stats().bytes;
        let others: Vec<_> = waiters.into_iter().map(|waiter| shared(look(waiter))).collect();
        for other in others.iter().chain([&one.clone(), &lab.replay(key)]) {
            assert!(core::ptr::eq(one.as_bytes(), other.as_bytes()));
        }
        assert_eq!(lab.engine.stats().bytes, bytes);
        assert_eq!(bytes, 4096 + 64);
    });
}

#[test]
fn l3_a_replay_outlives_record_and_engine() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        lab.store(key, &[1; 1000]);
        let held = lab.replay(key);
        lab.pass(RETENTION);
        lab.settle();
        lab.store(key, &[2; 1000]);
        for number in 10..18 {
            lab.store(lab.key(number), &[3; 1000]);
        }
        assert_eq!(&*held, &[1; 1000]);
        let Lab { engine, .. } = lab;
        drop(engine);
        assert_eq!(&*held, &[1; 1000]);
    });
}

#[test]
fn l4_a_dropped_lease_follows_its_policy() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let drop_with = |number, policy| {
            let key = lab.key(number);
            let lease = lab.own(Claim::new(key).on_abandon(policy));
            let waiters = (lab.queue(key), lab.queue(key));
            drop(lease);
            (look(waiters.0), look(waiters.1))
        };
        let (first, second) = drop_with(1, OnEnd::HandOver);
        assert_eq!(handed(first).origin(), Origin::AfterCancel);
        assert!(matches!(second, WaitOutcome::TimedOut));
        let both = drop_with(2, OnEnd::FailWaiters);
        let cancelled = |o: &WaitOutcome| matches!(o, WaitOutcome::Cancelled(Reason::Dropped));
        assert!(cancelled(&both.0) && cancelled(&both.1), "{both:?}");
        let both = drop_with(3, OnEnd::Halt);
        let halted = |o: &WaitOutcome| matches!(o, WaitOutcome::Halted(Reason::Dropped));
        assert!(halted(&both.0) && halted(&both.1), "{both:?}");
        assert!(!lab.is_in_flight(lab.key(2)));
        assert!(matches!(lab.ask(lab.key(3)), Outcome::Halted(Reason::Dropped)));
    });
}

#[test]
fn l4_a_panic_abandons_the_lease() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().on_abandon(OnEnd::FailWaiters));
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        let result = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let _lease = lease;
            std::panic::resume_unwind(Box::new("the owner's own trouble"));
        }));
        assert!(result.is_err());
        assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Panicked)));
        lab.assert_empty();
    });
}

#[test]
fn l4_a_lost_token_is_no_end() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let token = lab.own(lab.key(1)).into_token();
        lab.pass(LEASE - 1);
        assert!(lab.is_in_flight(lab.key(1)));
        let lease = lab.engine.lease(token).expect("still his");
        assert_eq!(lease.complete(b"by token"), Ok(Completion::Stored));
        assert_eq!(&*lab.replay(lab.key(1)), b"by token");
    });
}

#[test]
fn l6_an_expired_lease_follows_its_policy() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let expire = |number, policy| {
            let key = lab.key(number);
            let _lost = lab.own(Claim::new(key).on_expiry(policy)).into_token();
            let waiters = (lab.queue(key), lab.queue(key));
            lab.pass(LEASE);
            (look(waiters.0), look(waiters.1))
        };
        let (first, second) = expire(1, OnEnd::HandOver);
        assert_eq!(handed(first).origin(), Origin::AfterExpiry);
        assert!(matches!(second, WaitOutcome::TimedOut));
        let both = expire(2, OnEnd::FailWaiters);
        let cancelled = |o: &WaitOutcome| matches!(o, WaitOutcome::Cancelled(Reason::LeaseExpired));
        assert!(cancelled(&both.0) && cancelled(&both.1), "{both:?}");
        assert!(!lab.is_in_flight(lab.key(2)));
        let both = expire(3, OnEnd::Halt);
        let halted = |o: &WaitOutcome| matches!(o, WaitOutcome::Halted(Reason::LeaseExpired));
        assert!(halted(&both.0) && halted(&both.1), "{both:?}");
        assert!(matches!(lab.ask(lab.key(3)), Outcome::Halted(Reason::LeaseExpired)));
    });
}

#[test]
fn l6_a_claim_that_notices_hands_over_and_queues_behind() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let _lost = lab.own(key).into_token();
        let first = lab.queue(key);
        lab.pass(LEASE);
        let behind = lab.queue(key);
        let lease = handed(look(first));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let lease = handed(look(behind));
        assert_eq!(lease.attempt(), 3);
    });
}

#[test]
fn l6_with_nobody_waiting_the_next_claim_executes_or_is_told_of_the_halt() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let _lost = lab.own(lab.key(1)).into_token();
        let _lost = lab.own(Claim::new(lab.key(2)).on_expiry(OnEnd::Halt)).into_token();
        lab.pass(LEASE);
        let lease = lab.own(lab.key(1));
        assert_eq!((lease.origin(), lease.attempt()), (Origin::AfterExpiry, 2));
        assert!(matches!(lab.ask(lab.key(2)), Outcome::Halted(Reason::LeaseExpired)));
        lease.complete(b"").expect("the lease is ours");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l6_a_sleeping_waiter_wakes_at_the_new_owners_deadline() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(Claim::new(key).lease(seconds(3600)));
        let (first, next) = (lab.queue(Claim::new(key).lease(seconds(5))), lab.queue(key));
        std::thread::scope(|scope| {
            let next = scope.spawn(|| next.wait());
            lab.until_asleep(1);
            lease.cancel(Reason::Owner).expect("the lease is ours");
            let _lost = handed(look(first)).into_token();
            lab.until_asleep(1);
            lab.pass(5);
            let in_time = lab.is_over_soon(|| next.is_finished());
            lab.pass(3600);
            assert!(in_time, "it slept on until the first owner's deadline");
            drop(handed(next.join().expect("no panic")));
        });
    });
}
