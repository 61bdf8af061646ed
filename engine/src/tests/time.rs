//! Time (K7, P3), progress (P1) and threads (P2).

use core::time::Duration;

use super::under_every_geometry;
use super::{ACCEPT, LEASE, Lab, RETENTION, handed, look, seconds, shared, small};
use crate::wheel::{Entry, Shape, Wheel};
use crate::{Builder, Claim, Clock, Engine, Lease, ManualClock, Origin, Outcome, Replay};
use crate::{WaitOutcome, Waiter};

const NANO: Duration = Duration::from_nanos(1);

#[test]
fn k7_nobody_has_to_tick() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for round in 0..50 {
            let key = lab.key(1);
            lab.store(key, b"r");
            lab.clock.advance(seconds(RETENTION) - NANO);
            assert_eq!(&*lab.replay(key), b"r", "round {round}");
            lab.clock.advance(NANO);
            let _lost = lab.own(key).into_token();
            lab.clock.advance(seconds(LEASE));
            let lease = lab.own(key);
            assert_eq!(lease.origin(), Origin::AfterExpiry);
            drop(lease);
        }
    });
}

#[test]
fn k7_rounding_never_ends_anything_early() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        // Somewhere inside a millisecond, with times that are no whole milliseconds.
        lab.clock.advance(Duration::from_nanos(123_456));
        let time = Duration::from_nanos(1_500_001);
        let key = lab.key(1);
        let lease = lab.own(Claim::new(key).lease(time).retention(time));
        lab.clock.advance(time - NANO);
        lab.settle();
        assert!(lab.is_in_flight(key), "the lease has a nanosecond left");
        assert!(lease.complete(b"r").is_ok());
        assert_eq!(lab.engine.stats().late, 0);
        lab.clock.advance(time - NANO);
        lab.settle();
        assert_eq!(&*lab.replay(key), b"r", "the response has a nanosecond left");
        lab.clock.advance(Duration::from_millis(2));
        assert!(!lab.is_in_flight(key), "two milliseconds on it is over");
    });
}

#[test]
fn k7_a_wait_is_never_cut_short() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let _lease = lab.own(key);
        let waiter = lab.queue(key);
        lab.clock.advance(Duration::from_nanos(999_999));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| waiter.wait_for(Duration::from_millis(3)));
            lab.until_asleep(1);
            lab.clock.advance(Duration::from_millis(3) - NANO);
            lab.until_asleep(1);
            assert!(!waiter.is_finished());
            lab.clock.advance(Duration::from_millis(1));
            assert!(matches!(waiter.join().expect("no panic"), WaitOutcome::TimedOut));
        });
    });
}

#[test]
fn p1_what_was_left_behind_holds_up_nobody() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().waiters(12));
        let key = lab.key(1);
        // Lost without a trace: an owner, a waiter that is next, a replay.
        let _lost = lab.own(key).into_token();
        let lost = core::mem::ManuallyDrop::new(lab.queue(key));
        lab.pass(LEASE);
        let waiter = lab.queue(key);
        lab.pass(ACCEPT);
        let lease = handed(look(waiter));
        assert!(lease.complete(b"in the end").is_ok());
        let replay = core::mem::ManuallyDrop::new(lab.replay(key));
        for round in 0..20 {
            lab.pass(RETENTION);
            lab.store(key, &[round; 1000]);
        }
        assert_eq!(&**replay, b"in the end");
        lab.pass(RETENTION);
        lab.settle();
        let stats = lab.engine.stats();
        assert_eq!((stats.records, stats.waiters), (0, 1), "what it costs: its place");
        assert_eq!(stats.bytes, 128, "and the response that is held");
        drop((
            core::mem::ManuallyDrop::into_inner(lost),
            core::mem::ManuallyDrop::into_inner(replay),
        ));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn p2_any_call_from_any_thread() {
    fn check<T: Send + Sync>() {}
    check::<Engine>();
    check::<Lease>();
    check::<Waiter>();
    check::<Replay>();
    check::<Builder>();
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let on_another = |step: &mut (dyn FnMut() + Send)| {
            std::thread::scope(|scope| scope.spawn(step).join().expect("no panic"));
        };
        let (mut lease, mut waiter, mut response) = (None, None, None);
        on_another(&mut || lease = Some(lab.own(key)));
        on_another(&mut || waiter = Some(lab.queue(key)));
        on_another(&mut || assert!(lease.take().is_some_and(|lease| lease.complete(b"r").is_ok())));
        on_another(&mut || response = waiter.take().map(|waiter| shared(look(waiter))));
        on_another(&mut || assert_eq!(response.take().as_deref(), Some(&b"r"[..])));
        lab.pass(RETENTION);
        on_another(&mut || lab.settle());
        lab.assert_empty();
    });
}

#[test]
fn p2_the_helper_thread_ticks_and_stops_with_the_engine() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().helper_thread(true));
        lab.store(lab.key(1), b"r");
        let _lost = lab.own(lab.key(2)).into_token();
        lab.until_asleep(1);
        lab.pass(LEASE);
        let is_empty = || lab.engine.stats().records == 0;
        assert!(lab.is_over_soon(is_empty), "{:?}", lab.engine.stats());
        lab.until_asleep(1);
        let Lab { engine, clock } = lab;
        drop(engine);
        assert_eq!(clock.sleepers(), 0, "joined");
    });
}

#[test]
fn p2_the_helper_thread_is_on_by_default_but_not_on_a_manual_clock() {
    let lab = Lab::new(small());
    lab.store(lab.key(1), b"r");
    lab.pass(RETENTION);
    assert_eq!(lab.clock.sleepers(), 0);
    assert_eq!(lab.engine.stats().records, 1, "nobody ticks");
    // Real time: the record goes although nobody calls.
    let engine = small().retention(Duration::from_millis(1)).build().expect("in bounds");
    let Ok(Outcome::Execute(lease)) = engine.claim(engine.raw_key(1)) else { panic!("a new key") };
    assert!(lease.complete(b"r").is_ok());
    let begin = std::time::Instant::now();
    while engine.stats().records > 0 {
        assert!(begin.elapsed() < seconds(20), "nobody ticks");
        std::thread::yield_now();
    }
}

#[test]
fn p3_while_the_clock_stands_still_nothing_ends() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        lab.store(lab.key(2), b"r");
        let waiter = lab.queue(lab.key(1));
        for _ in 0..1000 {
            assert!(!lab.engine.tick(), "nothing is due");
        }
        assert!(lab.is_in_flight(lab.key(1)));
        assert_eq!(&*lab.replay(lab.key(2)), b"r");
        lab.clock.advance(Duration::ZERO);
        assert!(matches!(look(waiter), WaitOutcome::TimedOut));
        assert!(lease.complete(b"").is_ok());
    });
}

#[test]
fn p3_a_jump_ends_everything_in_bounded_slices() {
    const COUNT: u128 = 20_000;
    let lab = Lab::new(small().records(COUNT as usize).bytes(4 << 20));
    (0..COUNT / 2).for_each(|number| lab.store(lab.key(number), b""));
    let leases: Vec<_> =
        (COUNT / 2..COUNT).map(|number| lab.own(lab.key(number)).into_token()).collect();
    lab.pass(100 * 365 * 86_400 / 4);
    let mut slices = 0;
    let mut before = lab.engine.stats().expired;
    while lab.engine.tick() {
        let now = lab.engine.stats().expired;
        assert!(now - before <= 8192, "{} at once", now - before);
        before = now;
        slices += 1;
    }
    assert!(slices > 1);
    lab.assert_empty();
    assert!(leases.iter().all(|token| lab.engine.lease(*token).is_err()));
}

#[test]
fn p3_at_the_end_of_time_everything_is_over_and_nothing_hangs() {
    // No tiny wheel: it would turn over once a span for all those years.
    let lab = Lab::new(small());
    let key = lab.key(1);
    let lease = lab.own(key);
    let waiter = lab.queue(key);
    lab.clock.advance(Duration::MAX);
    assert!(matches!(look(waiter), WaitOutcome::Execute(_)));
    assert!(lease.complete(b"").is_err());
    assert!(lab.own(key).complete(b"").is_ok());
    assert!(matches!(lab.ask(key), Outcome::Execute(_)), "no time is left to keep it");
    lab.clock.advance(Duration::MAX);
    lab.settle();
    lab.assert_empty();
}

#[test]
fn p3_two_engines_may_share_a_clock_and_clones_are_one() {
    let clock = ManualClock::new();
    let build = || small().clock(Clock::manual(&clock)).build().expect("in bounds");
    let (one, other) = (build(), build());
    let leases = [one.claim(one.raw_key(1)), other.claim(other.raw_key(1))];
    clock.clone().advance(seconds(LEASE));
    assert_eq!(clock.elapsed(), seconds(LEASE));
    for (engine, lease) in [&one, &other].into_iter().zip(leases) {
        let Ok(Outcome::Execute(lease)) = lease else { panic!("a fresh key") };
        assert_eq!(lease.time_left(), Some(Duration::ZERO));
        assert!(matches!(engine.claim(engine.raw_key(1)), Ok(Outcome::Execute(_))));
    }
}

/// L4 of the wheel: what it has taken in it can move about, however it is spread.
#[test]
fn r3_a_full_wheel_loses_no_reminder() {
    for (slot_bits, level_count) in [(1, 2), (1, 3), (2, 3), (4, 2), (3, 3)] {
        let wheel = Wheel::new(Shape { slot_bits, level_count }, 1000, 1).expect("there is memory");
        // All in one slot of the highest level, whence they scatter over all the lower ones.
        let slot: u64 = 1 << (slot_bits * (level_count - 1));
        let first = slot * ((1 << slot_bits) - 1);
        let deadline = |number: u32| first + u64::from(number) % slot;
        let mut count = 0;
        while wheel.push(Entry::new(count, 0, deadline(count)), deadline(count), 0) {
            count += 1;
        }
        assert!(count >= 1000, "{count}");
        let mut seen = 0;
        for now in 1..first + slot {
            wheel.advance(now, u32::MAX, |entries| {
                assert!(entries.iter().all(|entry| deadline(entry.line()) == now));
                seen += entries.len();
            });
        }
        assert_eq!(seen, count as usize);
        assert_eq!(wheel.chunks_used(), 0);
    }
}
