//! P4: closing by a deadline; O3, O1: hooks and the histogram of waits; P3: the accelerated clock.

use core::time::Duration;
use std::sync::Arc;

use super::{Lab, look, seconds, shared, small, under_every_geometry};
use crate::sync::atomic_box::AtomicBox;
use crate::testing::Harness;
use crate::{
    Claim, Clock, Completion, Engine, Event, OnEnd, Outcome, Reason, Stale, Status, WaitOutcome,
    What,
};

#[test]
fn p4_until_the_deadline_owners_finish_and_replays_go_on() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        lab.store(lab.key(1), b"abc");
        let (lease, other) = (lab.own(lab.key(2)), lab.own(lab.key(3)));
        let (waiter, next) = (lab.queue(lab.key(2)), lab.queue(lab.key(3)));
        lab.engine.close_within(seconds(5));
        assert!(matches!(lab.ask(lab.key(4)), Outcome::Closed));
        assert_eq!(&*lab.replay(lab.key(1)), b"abc");
        other.cancel(Reason::Owner).unwrap();
        assert!(matches!(look(next), WaitOutcome::Closed), "no hand-over");
        lab.pass(4);
        lease.renew(seconds(100)).unwrap();
        assert_eq!(lease.complete(b"in time"), Ok(Completion::Stored));
        assert_eq!(&*shared(look(waiter)), b"in time");
        lab.pass(5);
        assert!(matches!(lab.engine.peek(lab.key(2)), Ok(Status::Completed { .. })));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn p4_at_the_deadline_the_rest_is_cancelled_and_late_owners_are_stale() {
    under_every_geometry(|make| {
        for who_acts in 0..4 {
            let lab = Lab::new(make());
            let lease = lab.own(lab.key(1));
            let waiter = lab.queue(lab.key(1));
            lab.engine.close_within(seconds(50));
            lab.engine.close_within(seconds(5));
            lab.engine.close_within(seconds(50));
            lab.engine.close();
            lab.pass(6);
            match who_acts {
                0 => lab.settle(),
                1 => assert_eq!(lease.renew(seconds(9)), Err(Stale)),
                // The owner's own late call, and the waiter's look.
                2 => {}
                _ => {
                    let outcome = look(waiter);
                    assert!(matches!(outcome, WaitOutcome::Cancelled(Reason::Shutdown)));
                    assert_eq!(lease.complete(b"late"), Err(Stale));
                    continue;
                }
            }
            assert_eq!(lease.complete(b"late"), Err(Stale));
            assert!(matches!(look(waiter), WaitOutcome::Cancelled(Reason::Shutdown)));
            assert_eq!(lab.engine.stats().shutdowns, 1);
            lab.assert_ticks_empty_it();
        }
    });
}

#[test]
fn p4_what_would_halt_is_halted_and_what_is_between_owners_is_cancelled() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(Claim::new(lab.key(1)).on_expiry(OnEnd::Halt));
        let waiter = lab.queue(lab.key(1));
        let between = lab.own(lab.key(2));
        let watcher = lab.queue(Claim::new(lab.key(2)).may_execute(false));
        let offered = lab.queue(lab.key(2));
        between.cancel(Reason::Owner).unwrap();
        lab.engine.close_within(seconds(0));
        lab.pass(1);
        lab.settle();
        assert_eq!(lease.complete(b"late"), Err(Stale));
        assert!(matches!(look(waiter), WaitOutcome::Halted(Reason::Shutdown)));
        assert!(matches!(lab.ask(lab.key(1)), Outcome::Halted(Reason::Shutdown)));
        assert!(matches!(look(watcher), WaitOutcome::Cancelled(Reason::Shutdown)));
        assert!(matches!(look(offered), WaitOutcome::Cancelled(Reason::Shutdown)));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn p4_at_the_deadline_ticks_end_detached_leases_too() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        lab.engine.detach(lab.key(1)).unwrap();
        lab.engine.close_within(seconds(5));
        lab.pass(6);
        lab.settle();
        assert_eq!((lab.engine.stats().shutdowns, lab.engine.stats().bytes), (1, 0));
        assert_eq!(lease.complete(b"late"), Err(Stale));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn p4_who_sleeps_is_woken_at_the_deadline_without_a_tick() {
    let lab = Lab::new(small());
    let lease = lab.own(lab.key(1));
    let waiter = lab.queue(lab.key(1));
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(move || waiter.wait());
        lab.until_asleep(1);
        lab.engine.close_within(seconds(5));
        // It looks again, and sleeps until the deadline that it sees now.
        lab.until_asleep(1);
        while !sleeper.is_finished() {
            lab.pass(6);
            std::thread::yield_now();
        }
        let outcome = sleeper.join().unwrap();
        assert!(matches!(outcome, WaitOutcome::Cancelled(Reason::Shutdown)));
    });
    assert!(lab.engine.stats().lease_expiries == 0, "not for its age");
    drop(lease);
}

#[test]
fn o3_the_hook_is_told_of_every_outcome() {
    let harness = Harness::with(small());
    let (engine, key) = (&harness.engine, harness.engine.raw_key(1));
    let lease = harness.seed_in_flight(key);
    lease.renew(seconds(60)).unwrap();
    let Ok(Outcome::InFlight(other)) = engine.claim(key) else { panic!("it has an owner") };
    lease.cancel(Reason::Code(3)).unwrap();
    let WaitOutcome::Execute(lease) = other.wait() else { panic!("it is next") };
    harness.pass(seconds(31));
    assert_eq!(lease.complete(b"late"), Err(Stale));
    harness.seed_completed(key, b"abc");
    drop(engine.claim(key));
    engine.forget(key).unwrap();
    drop(harness.seed_in_flight(key));
    let expected = [
        What::Executes,
        What::Renewed,
        What::InFlight,
        What::GaveUp(OnEnd::HandOver, Reason::Code(3)),
        What::HandedOver,
        What::LeaseExpired(OnEnd::HandOver),
        What::Stale,
        What::Executes,
        What::Completed(Completion::Stored),
        What::Replayed,
        What::Forgotten,
        What::Executes,
        What::GaveUp(OnEnd::HandOver, Reason::Dropped),
    ];
    assert_eq!(harness.happened(key), expected);
    harness.clear_events();
    let other = engine.raw_key(2);
    let held = harness.seed_in_flight(other);
    engine.detach(other).unwrap();
    held.complete(b"").unwrap();
    harness.seed_halted(other, Reason::Owner);
    drop(engine.claim(other));
    engine.close();
    drop(engine.claim(engine.raw_key(3)));
    let whats: Vec<_> = harness.events().iter().map(|event| event.what).collect();
    let expected = [
        What::Executes,
        What::Detached,
        What::Completed(Completion::Detached),
        What::Executes,
        What::Completed(Completion::Stored),
        What::Halted(Reason::Owner),
        What::Closed,
    ];
    assert_eq!(whats, expected);
}

#[test]
fn o3_a_hook_may_call_the_engine_and_its_panic_is_contained() {
    let given: Arc<AtomicBox<Engine>> = Arc::default();
    let later = given.clone();
    let calls = Arc::new(crate::sync::AtomicU32::new(0));
    let count = calls.clone();
    let engine = small()
        .hook(move |_: Event| {
            count.fetch_add(1, crate::sync::Ordering::AcqRel);
            if let Some(engine) = later.take() {
                assert_eq!(engine.peek(engine.raw_key(2)), Ok(Status::Vacant));
            }
            panic!("a hook's own (this is expected)");
        })
        .build()
        .unwrap();
    given.swap(Some(Box::new(engine.clone())));
    engine.run(engine.raw_key(1), || Ok::<_, String>("abc")).map(drop).unwrap();
    assert_eq!(calls.load(crate::sync::Ordering::Acquire), 2);
}

#[test]
fn o1_waits_are_counted_by_how_long_they_took() {
    let lab = Lab::new(small());
    let lease = lab.own(lab.key(1));
    let waiters: Vec<_> = (0..4).map(|_| lab.queue(lab.key(1))).collect();
    let mut waiters = waiters.into_iter();
    drop(waiters.next());
    for micros in [1, 99, 9_900] {
        lab.clock.advance(Duration::from_micros(micros));
        drop(waiters.next());
    }
    let times = lab.engine.stats().wait_times;
    // 0, 1, 100 and 10 000 microseconds.
    let counted = |bucket: usize| times.counts()[bucket];
    assert_eq!([counted(0), counted(1), counted(7), counted(14), times.count()], [1, 1, 1, 1, 4]);
    assert_eq!(times.quantile(0.5), Some(Duration::from_micros(2)));
    assert_eq!(times.quantile(1.0), Some(Duration::from_micros(1 << 14)));
    assert_eq!(crate::WaitTimes::default().quantile(0.5), None);
    lease.complete(b"abc").unwrap();
}

#[test]
fn p3_an_accelerated_clock_ends_hours_in_moments() {
    let engine = small().clock(Clock::accelerated(100_000)).build().unwrap();
    let lease = match engine.claim(engine.raw_key(1)).unwrap() {
        Outcome::Execute(lease) => lease,
        other => panic!("{other:?}"),
    };
    let Ok(Outcome::InFlight(other)) = engine.claim(engine.raw_key(1)) else { panic!("in flight") };
    // Half a minute of its lease, in less than a millisecond or a few.
    assert!(matches!(other.wait(), WaitOutcome::Execute(_)));
    assert_eq!(lease.complete(b"late"), Err(Stale));
}

#[test]
fn testing_seeds_every_state() {
    let harness = Harness::default();
    let (engine, key) = (&harness.engine, |bits| harness.engine.raw_key(bits));
    let ask = |bits| engine.claim(Claim::new(key(bits)).wait(false)).unwrap();
    harness.seed_completed(key(1), b"abc");
    harness.seed_done(key(2));
    harness.seed_cancelled(key(3), Reason::Code(9));
    harness.seed_halted(key(4), Reason::Owner);
    let owner = harness.seed_in_flight(key(5));
    assert!(matches!(ask(1), Outcome::Replay(bytes) if &*bytes == b"abc"));
    assert!(matches!(ask(2), Outcome::Done(_)));
    assert!(matches!(ask(3), Outcome::Cancelled(Reason::Code(9))));
    assert!(matches!(ask(4), Outcome::Halted(Reason::Owner)));
    assert!(matches!(ask(5), Outcome::InFlight(_)));
    let full = harness.seed_full();
    assert!(matches!(ask(6), Outcome::Full(_)));
    drop(full);
    assert!(matches!(ask(6), Outcome::Execute(_)));
    drop(owner);
    harness.pass(seconds(100_000));
    assert_eq!(engine.stats().records, 0);
}
