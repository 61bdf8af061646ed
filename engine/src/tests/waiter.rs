//! Waiting (W1 to W4).

use super::{LEASE, Lab, RETENTION, handed, look, seconds, shared, under_every_geometry};
use crate::{Claim, Limit, OnEnd, Outcome, Reason, WaitOutcome};

#[test]
fn w1_a_sleeping_waiter_is_woken_by_the_end_whatever_it_is() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        type End = fn(crate::Lease) -> bool;
        type Expected = fn(&WaitOutcome) -> bool;
        let ends: [(End, Expected); 4] = [
            (|lease| lease.complete(b"r").is_ok(), |o| matches!(o, WaitOutcome::Replay(_))),
            (|lease| lease.cancel(Reason::Owner).is_ok(), |o| matches!(o, WaitOutcome::Execute(_))),
            (
                |lease| lease.cancel_all(Reason::Owner).is_ok(),
                |o| matches!(o, WaitOutcome::Cancelled(Reason::Owner)),
            ),
            (
                |lease| lease.halt(Reason::Owner).is_ok(),
                |o| matches!(o, WaitOutcome::Halted(Reason::Owner)),
            ),
        ];
        for (number, (end, expected)) in (0..).zip(ends) {
            let lease = lab.own(lab.key(number));
            let waiter = lab.queue(lab.key(number));
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| waiter.wait());
                lab.until_asleep(1);
                assert!(end(lease));
                let outcome = waiter.join().expect("no panic");
                assert!(expected(&outcome), "{outcome:?}");
            });
        }
    });
}

#[test]
fn w1_all_who_sleep_are_woken() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters: Vec<_> = (0..8).map(|_| lab.queue(key)).collect();
        std::thread::scope(|scope| {
            let waits: Vec<_> =
                waiters.into_iter().map(|waiter| scope.spawn(|| shared(waiter.wait()))).collect();
            lab.until_asleep(8);
            lease.complete(b"all").expect("the lease is ours");
            for wait in waits {
                assert_eq!(&*wait.join().expect("no panic"), b"all");
            }
        });
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_timing_out_disturbs_nobody_and_gives_the_place_back() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let (first, second, third) = (lab.queue(key), lab.queue(key), lab.queue(key));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| second.wait_for(seconds(5)));
            lab.until_asleep(1);
            lab.pass(4);
            assert_eq!(lab.engine.stats().waiters, 3);
            lab.pass(1);
            assert!(matches!(second.join().expect("no panic"), WaitOutcome::TimedOut));
        });
        assert_eq!(lab.engine.stats().waiters, 2);
        assert_eq!(lab.engine.stats().timed_out, 1);
        lease.cancel(Reason::Owner).expect("the lease is ours");
        drop(third);
        handed(look(first)).complete(b"").expect("the lease is ours");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_dropping_gives_the_place_back_at_once_in_any_order() {
    under_every_geometry(|make| {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let lab = Lab::new(make());
            let key = lab.key(1);
            let lease = lab.own(key);
            let mut waiters = [(); 3].map(|()| Some(lab.queue(key)));
            for (left, at) in (0..3_u64).rev().zip(order) {
                waiters[at] = None;
                assert_eq!(lab.engine.stats().waiters, left);
            }
            let late = lab.queue(key);
            lease.complete(b"r").expect("undisturbed");
            assert_eq!(&*shared(look(late)), b"r");
            lab.assert_ticks_empty_it();
        }
    });
}

#[test]
fn w2_a_waiter_gets_the_result_also_long_after_the_record_is_gone() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        lease.complete(b"the first").expect("the lease is ours");
        lab.pass(RETENTION * 100);
        lab.settle();
        lab.store(key, b"the second");
        assert_eq!(&*shared(look(waiter)), b"the first");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w2_a_waiter_always_ends_if_only_time_passes() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let policies = [OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt];
        for (number, policy) in (0..).zip(policies) {
            let key = lab.key(number);
            let _lost = lab.own(Claim::new(key).on_expiry(policy)).into_token();
            let waiter = lab.queue(key);
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| waiter.wait());
                lab.until_asleep(1);
                lab.pass(LEASE);
                match (policy, waiter.join().expect("no panic")) {
                    (OnEnd::HandOver, WaitOutcome::Execute(_)) => {}
                    (OnEnd::FailWaiters, WaitOutcome::Cancelled(Reason::LeaseExpired)) => {}
                    (OnEnd::Halt, WaitOutcome::Halted(Reason::LeaseExpired)) => {}
                    (_, other) => panic!("{policy:?}: {other:?}"),
                }
            });
        }
    });
}

#[test]
fn w2_a_closed_engine_offers_nothing() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let (gets_it, is_told) = (lab.queue(key), lab.queue(lab.key(1)));
        lab.engine.close();
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert!(matches!(look(gets_it), WaitOutcome::Closed));
        assert!(matches!(look(is_told), WaitOutcome::Closed));
        assert!(matches!(lab.ask(lab.key(2)), Outcome::Closed));
        lab.assert_empty();
    });
}

#[test]
fn w3_waiters_of_one_key_are_bounded() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().waiters_per_key(2));
        let key = lab.key(1);
        let lease = lab.own(key);
        let (first, second) = (lab.queue(key), lab.queue(key));
        assert!(matches!(lab.ask(key), Outcome::Full(Limit::Waiters)));
        assert!(lab.is_in_flight(key), "asking without waiting needs no place");
        let _other_key = (lab.own(lab.key(2)), lab.queue(lab.key(2)));
        drop(first);
        let third = lab.queue(key);
        assert!(matches!(lab.ask(key), Outcome::Full(Limit::Waiters)));
        lease.complete(b"r").expect("the lease is ours");
        for waiter in [second, third] {
            assert_eq!(&*shared(look(waiter)), b"r");
        }
        assert_eq!(lab.engine.stats().full_waiters, 2);
    });
}

#[test]
fn w3_waiters_in_all_are_bounded() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().waiters(3));
        let leases = [lab.own(lab.key(1)), lab.own(lab.key(2))];
        let mut waiters = vec![lab.queue(lab.key(1)), lab.queue(lab.key(2)), lab.queue(lab.key(1))];
        assert!(matches!(lab.ask(lab.key(2)), Outcome::Full(Limit::Waiters)));
        drop(waiters.pop());
        waiters.push(lab.queue(lab.key(2)));
        drop((leases, waiters));
        lab.assert_empty();
    });
}

#[test]
fn w4_an_uncontended_complete_makes_no_system_call() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for number in 0..10 {
            lab.store(lab.key(number), b"");
        }
        let lease = lab.own(lab.key(20));
        let registered = lab.queue(lab.key(20));
        lease.complete(b"").expect("the lease is ours");
        assert_eq!(lab.engine.stats().wakes, 0, "registered, but nobody sleeps");
        assert!(shared(look(registered)).is_empty());
    });
}

#[test]
fn w4_who_sleeps_is_woken_with_one_call() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiter = lab.queue(key);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| waiter.wait());
            lab.until_asleep(1);
            lease.complete(b"").expect("the lease is ours");
            assert!(shared(waiter.join().expect("no panic")).is_empty());
        });
        assert_eq!(lab.engine.stats().wakes, 1);
    });
}
