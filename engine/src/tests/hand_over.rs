//! Handing over (L5, L7) and running (L9).

use core::panic::AssertUnwindSafe;
use core::time::Duration;

use super::{ACCEPT, LEASE, Lab, RETENTION, handed, look, seconds, shared, under_every_geometry};
use crate::{Claim, Completion, Limit, OnEnd, OnError, Outcome, Ran, Reason, Stale, WaitOutcome};

#[test]
fn l5_waiters_are_served_first_come_first_served() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let mut lease = lab.own(key);
        let waiters: Vec<_> =
            (0..8).map(|number| lab.queue(Claim::new(key).owner(number))).collect();
        for (number, waiter) in (0..).zip(waiters) {
            lease.cancel(Reason::Owner).expect("the lease is ours");
            lease = handed(look(waiter));
            let Outcome::InFlight(found) = lab.ask(Claim::new(key).wait(false)) else {
                panic!("the key is owned");
            };
            assert_eq!(found.info().owner, number, "its own label");
            assert_eq!(lease.attempt(), number as u32 + 2);
        }
        drop(lease);
        lab.assert_empty();
    });
}

#[test]
fn l5_exactly_one_gets_the_lease_and_the_others_stay() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let (first, second, third) = (lab.queue(key), lab.queue(key), lab.queue(key));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert!(matches!(look(third), WaitOutcome::TimedOut), "not its turn");
        let lease = handed(look(first));
        assert_eq!(lab.engine.stats().waiters, 1);
        lease.complete(b"shared").expect("the lease is ours");
        assert_eq!(&*shared(look(second)), b"shared");
        assert_eq!(lab.engine.stats().hand_overs, 1);
    });
}

#[test]
fn l5_the_new_lease_runs_on_the_waiters_own_terms() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(Claim::new(key).lease(seconds(600)));
        let own = Claim::new(key).lease(seconds(3)).retention(seconds(4)).on_expiry(OnEnd::Halt);
        let waiters = (lab.queue(own), lab.queue(own));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let lease = handed(look(waiters.0));
        assert_eq!(lease.time_left(), Some(seconds(3)));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        handed(look(waiters.1)).complete(b"").expect("the lease is ours");
        assert_eq!(lab.replay(key).info().left, seconds(4));
        lab.pass(4);
        let lease = lab.own(key);
        let waiter = lab.queue(own);
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let _lost = handed(look(waiter)).into_token();
        lab.pass(3);
        assert!(matches!(lab.ask(key), Outcome::Halted(Reason::LeaseExpired)));
    });
}

#[test]
fn l5_fail_waiters_tells_all_of_them() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters = [lab.queue(key), lab.queue(key)];
        lease.cancel_all(Reason::Code(5)).expect("the lease is ours");
        assert!(!lab.is_in_flight(key), "the key is free at once");
        for waiter in waiters {
            assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Code(5))));
        }
        lab.assert_empty();
    });
}

#[test]
fn l5_a_waiter_that_may_not_execute_is_passed_over() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let watches = Claim::new(key).may_execute(false);
        let (watcher, worker) = (lab.queue(watches), lab.queue(key));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let lease = handed(look(worker));
        lease.complete(b"by the second").expect("the lease is ours");
        assert_eq!(&*shared(look(watcher)), b"by the second");
    });
}

#[test]
fn l5_if_nobody_may_execute_all_are_told() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let watches = Claim::new(key).may_execute(false);
        let watchers = [lab.queue(watches), lab.queue(watches)];
        lease.cancel(Reason::Code(1)).expect("the lease is ours");
        assert!(!lab.is_in_flight(key));
        for watcher in watchers {
            assert!(matches!(look(watcher), WaitOutcome::Cancelled(Reason::Code(1))));
        }
        lab.assert_empty();
    });
}

#[test]
fn l5_a_claim_that_may_not_execute_as_a_waiter_still_gets_a_free_key() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(Claim::new(lab.key(1)).may_execute(false));
        assert!(lease.complete(b"").is_ok());
    });
}

#[test]
fn l5_an_offer_that_is_not_accepted_in_time_passes_on() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let (idle, next) = (lab.queue(key), lab.queue(key));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        lab.clock.advance(seconds(ACCEPT));
        let lease = handed(look(next));
        assert!(matches!(look(idle), WaitOutcome::TimedOut), "its offer was revoked");
        lease.complete(b"").expect("the lease is ours");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l5_an_offer_stands_until_the_accept_timeout() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let (slow, next) = (lab.queue(key), lab.queue(key));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        lab.clock.advance(seconds(ACCEPT) - Duration::from_nanos(1));
        lab.settle();
        assert!(matches!(look(next), WaitOutcome::TimedOut));
        assert!(handed(look(slow)).complete(b"").is_ok());
    });
}

#[test]
fn l5_a_sleeping_waiter_takes_over_from_one_that_never_looks() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(Claim::new(key).lease(seconds(3600)));
        let (idle, next) = (lab.queue(key), lab.queue(key));
        std::thread::scope(|scope| {
            let next = scope.spawn(|| next.wait());
            lab.until_asleep(1);
            lease.cancel(Reason::Owner).expect("the lease is ours");
            // Nobody ticks, nobody claims: it has to see for itself that the offer was not taken.
            lab.until_asleep(1);
            lab.pass(ACCEPT);
            let in_time = lab.is_over_soon(|| next.is_finished());
            lab.pass(3600);
            assert!(in_time, "it slept on until the first owner's deadline");
            drop(handed(next.join().expect("no panic")));
        });
        drop(idle);
    });
}

#[test]
fn l7_a_waiter_dropped_at_the_offer_passes_it_on() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters: Vec<_> = (0..4).map(|_| lab.queue(key)).collect();
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let [a, b, c, d] = <[_; 4]>::try_from(waiters).expect("four");
        drop(a);
        drop(c);
        let lease = handed(look(b));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert_eq!(handed(look(d)).attempt(), 3);
    });
}

#[test]
fn l7_the_last_waiter_dropped_at_the_offer_frees_the_key() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let waiters = [lab.queue(key), lab.queue(key)];
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert!(lab.is_in_flight(key));
        drop(waiters);
        lab.assert_empty();
        assert_eq!(lab.own(key).attempt(), 1);
    });
}

#[test]
fn l7_the_last_that_may_execute_leaves_and_the_watchers_are_told() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let lease = lab.own(key);
        let watcher = lab.queue(Claim::new(key).may_execute(false));
        let worker = lab.queue(key);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watcher.wait());
            lab.until_asleep(1);
            lease.cancel(Reason::Owner).expect("the lease is ours");
            drop(worker);
            let told = watcher.join().expect("no panic");
            assert!(matches!(told, WaitOutcome::Cancelled(Reason::Owner)), "{told:?}");
        });
        lab.assert_empty();
    });
}

#[test]
fn l7_many_races_of_leaving_and_handing_over_lose_nothing() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for round in 0..100 {
            let key = lab.key(round);
            let lease = lab.own(key);
            let (leaves, stays) = (lab.queue(key), lab.queue(key));
            std::thread::scope(|scope| {
                scope.spawn(|| lease.cancel(Reason::Owner).expect("the lease is ours"));
                scope.spawn(|| drop(leaves));
                let taken = scope.spawn(|| handed(stays.wait()).complete(b"")).join();
                assert_eq!(taken.expect("no panic"), Ok(Completion::Stored));
            });
            lab.pass(RETENTION);
        }
        lab.assert_ticks_empty_it();
    });
}

type Answer = Result<&'static [u8], &'static [u8]>;
type Came = Ran<&'static [u8], &'static [u8]>;

/// Runs `function` while another run of the same key waits; what both came to.
fn run_two(lab: &Lab, first: Answer) -> (Came, Came) {
    let key = lab.key(1);
    std::thread::scope(|scope| {
        let mut second = None;
        let one = lab.engine.run(key, || {
            let run = move || lab.engine.run(key, || Answer::Ok(b"by the second"));
            second = Some(scope.spawn(run));
            lab.until_asleep(1);
            first
        });
        let other = second.expect("it was started").join().expect("no panic");
        (one.expect("a good claim"), other.expect("a good claim"))
    })
}

#[test]
fn l9_run_shares_the_response() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (one, other) = run_two(&lab, Ok(b"made"));
        assert!(matches!(one, Ran::Executed(b"made", Ok(Completion::Stored))));
        assert!(matches!(other, Ran::Replayed(response) if &*response == b"made"));
        let again = lab.engine.run(lab.key(1), || Answer::Ok(b"again")).expect("a good claim");
        assert!(matches!(again, Ran::Replayed(response) if &*response == b"made"));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l9_an_error_is_shared_with_the_waiters_and_not_kept() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (one, other) = run_two(&lab, Err(b"broken"));
        assert!(matches!(one, Ran::Failed(b"broken")));
        assert!(matches!(other, Ran::Replayed(r) if r.is_error() && &*r == b"broken"));
        lab.assert_empty();
    });
}

#[test]
fn l9_an_error_may_hand_over() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().on_error(OnError::HandOver));
        let (one, other) = run_two(&lab, Err(b"broken"));
        assert!(matches!(one, Ran::Failed(b"broken")));
        assert!(matches!(other, Ran::Executed(b"by the second", Ok(Completion::Stored))));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l9_an_error_may_be_kept() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().on_error(OnError::Keep(seconds(5))));
        let (one, other) = run_two(&lab, Err(b"broken"));
        assert!(matches!(one, Ran::Failed(b"broken")));
        assert!(matches!(other, Ran::Replayed(r) if r.is_error()));
        let again = || lab.engine.run(lab.key(1), || Answer::Ok(b"")).expect("a good claim");
        assert!(matches!(again(), Ran::Replayed(r) if r.is_error()));
        lab.pass(5);
        assert!(matches!(again(), Ran::Executed(..)));
    });
}

#[test]
fn l9_an_error_may_halt() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().on_error(OnError::Halt));
        let (one, other) = run_two(&lab, Err(b"broken"));
        assert!(matches!(one, Ran::Failed(b"broken")));
        assert!(matches!(other, Ran::Halted(Reason::Owner)));
        let again = lab.engine.run(lab.key(1), || Answer::Ok(b"")).expect("a good claim");
        assert!(matches!(again, Ran::Halted(Reason::Owner)));
    });
}

#[test]
fn l9_a_panic_abandons_and_goes_on_to_the_caller() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let run = || {
            lab.engine.run(lab.key(1), || -> Answer {
                std::panic::resume_unwind(Box::new("the function's own trouble"))
            })
        };
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(run)).expect_err("it panics");
        assert_eq!(panicked.downcast_ref(), Some(&"the function's own trouble"));
        lab.assert_empty();
    });
}

#[test]
fn l9_the_lease_is_kept_alive_up_to_max_run() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().max_run(seconds(600)));
        let key = lab.key(1);
        let ran = lab.engine.run(Claim::new(key).lease(seconds(1)), || {
            lab.pass(LEASE + 500);
            lab.settle();
            assert!(lab.is_in_flight(key), "long after the lease time, not after max_run");
            lab.pass(600);
            lab.own(key).complete(b"by another").expect("the lease is ours");
            Answer::Ok(b"too late")
        });
        assert!(matches!(ran, Ok(Ran::Executed(b"too late", Err(Stale)))));
        assert_eq!(&*lab.replay(key), b"by another");
    });
}

#[test]
fn l9_run_passes_on_what_the_claim_came_to() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().waiters_per_key(0));
        let run = |claim: Claim| lab.engine.run(claim, || Answer::Ok(b"")).expect("a good claim");
        let key = lab.key(1);
        let lease = lab.own(key);
        assert!(matches!(run(Claim::new(key)), Ran::Full(Limit::Waiters)));
        assert!(matches!(run(Claim::new(key).wait(false)), Ran::InFlight(_)));
        lease.complete(&[0; 20_000]).expect("the lease is ours");
        assert!(matches!(run(Claim::new(key)), Ran::Done(_)));
        lab.engine.close();
        assert!(matches!(run(Claim::new(lab.key(2))), Ran::Closed));
    });
}
