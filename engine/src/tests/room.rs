//! Limits and memory (R1 to R3, K9), and three of the hard requirements.

use core::time::Duration;

use super::{Lab, RECORDS, RETENTION, handed, look, seconds, shared, small, under_every_geometry};
use crate::{Builder, Claim, Completion, Limit, NoBody, Outcome, Reason};

const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn r1_the_limits_hold_whatever_comes() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(8192).max_response(2000));
        let mut held = Vec::new();
        let mut state = 1_u64;
        for round in 0..3_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (number, length) = (u128::from(state >> 59), (state >> 40) as usize % 3000);
            match lab.ask(Claim::new(lab.key(number)).retention(seconds(state >> 50 & 31))) {
                Outcome::Execute(lease) if round % 5 > 0 => drop(lease.complete(&vec![1; length])),
                Outcome::InFlight(_) | Outcome::Full(_) | Outcome::Done(_) => {}
                Outcome::Execute(lease) => {
                    let _lost = lease.into_token();
                }
                Outcome::Replay(replay) => held.push(replay),
                other => panic!("{other:?}"),
            }
            if round % 7 == 0 {
                held.clear();
                lab.pass(1);
            }
            let stats = lab.engine.stats();
            assert!(stats.records <= RECORDS as u64 && stats.bytes <= 8192, "{stats:?}");
        }
        held.clear();
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r1_replays_still_held_count_as_bytes() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(4096).max_response(2048));
        lab.store(lab.key(1), &[1; 2048]);
        let held = lab.replay(lab.key(1));
        lab.pass(RETENTION);
        lab.settle();
        let stats = lab.engine.stats();
        assert_eq!((stats.records, stats.bytes), (0, 2048 + 64));
        let no_room = Ok(Completion::Tombstone(NoBody::NoRoom));
        assert_eq!(lab.own(lab.key(2)).complete(&[2; 2048]), no_room);
        drop(held);
        lab.store(lab.key(3), &[3; 1984]);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r2_a_full_engine_refuses_new_keys_only_and_evicts_nothing() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(0));
        (1..RECORDS as u128).for_each(|number| lab.store(lab.key(number), b"kept"));
        for _ in 0..50 {
            assert!(matches!(lab.ask(lab.key(99)), Outcome::Full(Limit::Records)));
        }
        assert!(lab.is_in_flight(lab.key(0)), "an in-flight record is never evicted");
        (1..RECORDS as u128).for_each(|number| assert_eq!(&*lab.replay(lab.key(number)), b"kept"));
        lease.cancel(Reason::Owner).expect("the lease is ours");
        assert!(matches!(lab.ask(lab.key(99)), Outcome::Execute(_)));
    });
}

#[test]
fn r2_the_claim_itself_frees_what_is_over() {
    under_every_geometry(|make| {
        // Short times: a tiny wheel turns over every few milliseconds for each of them.
        let lab = Lab::new(make().bytes(4096).max_response(1024).lease(MOMENT).retention(MOMENT));
        for round in 0..60 {
            // Full of finished records, of leases that ran out, or of both; nobody ticks.
            for number in 0..RECORDS as u128 {
                let lease = lab.own(lab.key(round * 100 + number));
                if round % 3 == 0 || (round % 3 == 1 && number % 2 == 0) {
                    let _lost = lease.into_token();
                } else {
                    lease.complete(&[1; 100]).expect("the lease is ours");
                }
            }
            assert!(matches!(lab.ask(lab.key(round * 100 + 50)), Outcome::Full(Limit::Records)));
            lab.clock.advance(MOMENT);
        }
        assert_eq!(lab.engine.stats().full_records, 60);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r2_bytes_are_freed_by_the_claim_that_needs_them() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(4096).max_response(4032));
        for number in 0..30 {
            lab.store(lab.key(number), &[1; 4032]);
            assert!(matches!(lab.ask(lab.key(number + 1)), Outcome::Full(Limit::Bytes)));
            lab.pass(RETENTION);
        }
    });
}

#[test]
fn r2_a_line_full_of_expired_records_has_room() {
    // More records than the one line has slots, so that the line is what is full.
    let lab =
        Lab::new(small().records(100).shape(|g| crate::geometry::Geometry { lines_for: 1, ..g }));
    let slots = (0..).take_while(|number| match lab.ask(lab.key(*number)) {
        Outcome::Execute(lease) => lease.complete(b"").is_ok(),
        Outcome::Full(Limit::Records) => false,
        other => panic!("{other:?}"),
    });
    assert_eq!(slots.count(), 22, "six in the line, sixteen in its pair");
    lab.pass(RETENTION);
    lab.store(lab.key(1000), b"");
    lab.assert_ticks_empty_it();
}

#[test]
fn k9_an_existing_record_answers_as_usual_in_a_full_engine() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        lab.store(lab.key(0), b"kept");
        let lease = lab.own(lab.key(1));
        let others: Vec<_> = (2..RECORDS as u128).map(|n| lab.own(lab.key(n))).collect();
        assert!(matches!(lab.ask(lab.key(99)), Outcome::Full(Limit::Records)));
        assert_eq!(&*lab.replay(lab.key(0)), b"kept");
        let waiter = lab.queue(lab.key(1));
        lease.complete(b"shared").expect("the lease is ours");
        assert_eq!(&*shared(look(waiter)), b"shared");
        lab.pass(RETENTION);
        assert!(matches!(lab.ask(lab.key(0)), Outcome::Execute(_)), "expired: its own place");
        drop(others);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn k9_a_record_that_fills_all_bytes_makes_way_for_its_own_key() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(4096).max_response(4032));
        lab.store(lab.key(1), &[1; 4032]);
        assert!(matches!(lab.ask(lab.key(2)), Outcome::Full(Limit::Bytes)));
        lab.pass(RETENTION);
        lab.store(lab.key(1), &[2; 4032]);
        assert_eq!(lab.replay(lab.key(1))[0], 2);
    });
}

#[test]
fn k9_the_limit_of_records_is_exact() {
    let lab = Lab::new(small());
    let leases: Vec<_> = (0..RECORDS as u128).map(|n| lab.own(lab.key(n))).collect();
    assert!(matches!(lab.ask(lab.key(99)), Outcome::Full(Limit::Records)));
    drop(leases);
    assert!(matches!(lab.ask(lab.key(99)), Outcome::Execute(_)));
}

#[test]
fn r3_ticks_alone_bring_everything_back_to_nothing() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let leases: Vec<_> = (0..RECORDS as u128).map(|n| lab.own(lab.key(n))).collect();
        let waiters: Vec<_> = (0..8).map(|number| lab.queue(lab.key(number))).collect();
        for (number, lease) in leases.into_iter().enumerate() {
            match number % 4 {
                0 => assert!(lease.complete(&[1; 300]).is_ok()),
                1 => assert!(lease.complete_for(&[1; 30_000], seconds(100)).is_ok()),
                2 => assert!(lease.halt(Reason::Owner).is_ok()),
                _ => {
                    let _lost = lease.into_token();
                }
            }
        }
        for waiter in waiters {
            drop(look(waiter));
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r3_completions_remove_what_is_over_if_nobody_ticks() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().retention(MOMENT));
        for number in 0..RECORDS as u128 / 2 {
            lab.store(lab.key(number), b"nobody asks for it again");
        }
        lab.pass(1);
        // Each works off a few.
        for number in 0..64 {
            lab.store(lab.key(1000 + number % 2), b"the next");
            lab.pass(1);
        }
        assert!(lab.engine.stats().records <= 2, "{:?}", lab.engine.stats());
    });
}

#[test]
fn r3_ticks_find_every_record_also_after_long_without_any() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().retention(MOMENT));
        lab.store(lab.key(1), b"one that nobody asks for again");
        // Each replaces the one before in place, and leaves a reminder of it: more than there is
        // memory for.
        let geometry = lab.engine.core().geometry;
        for _ in 0..100 * geometry.wheel.bucket_count() * geometry.shards {
            lab.store(lab.key(2), b"");
            lab.clock.advance(MOMENT);
        }
        lab.store(lab.key(3), b"another");
        lab.clock.advance(MOMENT);
        lab.settle();
        lab.assert_empty();
    });
}

#[test]
fn r3_overflow_pairs_are_given_back() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        for round in 0..20 {
            (0..RECORDS as u128).for_each(|number| lab.store(lab.key(round + number), b""));
            lab.pass(RETENTION);
            lab.settle();
            lab.assert_empty();
        }
    });
}

/// Hard requirement: sizes that shift within the limit end neither in `Full` nor in a tombstone.
#[test]
fn r1_r3_response_sizes_may_shift() {
    under_every_geometry(|make| {
        // A few more records than live on, for those that wait for the next tick of the clock.
        let lab = Lab::new(make().records(20).bytes(160 * 1024).max_response(8192));
        let mut number = 0;
        for (length, live) in [(256, 16), (8192, 14), (256, 16), (8192, 14), (256, 16)] {
            // As many as fit live on at any time; each makes way for one of the new size.
            for _ in 0..4 * live {
                lab.store(lab.key(number), &vec![number as u8; length]);
                assert!(lab.replay(lab.key(number)).iter().all(|byte| *byte == number as u8));
                number += 1;
                lab.clock.advance(seconds(RETENTION) / live);
            }
        }
        let stats = lab.engine.stats();
        assert_eq!((stats.tombstones, stats.full_bytes, stats.full_records), (0, 0, 0));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn r2_waiters_that_never_look_take_no_records() {
    let lab = Lab::new(small().waiters(200));
    let idle: Vec<_> = (0..200)
        .map(|number| {
            let lease = lab.own(lab.key(number));
            let waiter = lab.queue(lab.key(number));
            assert!(lease.complete_for(b"", seconds(0)).is_ok());
            waiter
        })
        .collect();
    assert_eq!(lab.engine.stats().records, 0);
    drop(idle);
    lab.assert_empty();
}

/// Hard requirement: a held replay costs others at most what it holds.
#[test]
fn p1_held_replays_cost_what_they_hold() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().bytes(16 * 1024).max_response(4096));
        let store = |number, length: usize| lab.own(lab.key(number)).complete(&vec![1; length]);
        assert!(store(1, 4000).is_ok());
        let held = [lab.replay(lab.key(1)), lab.replay(lab.key(1)), lab.replay(lab.key(1))];
        let hold = 64 * 64;
        for round in 0..50_u128 {
            lab.pass(RETENTION);
            // Three more of the same size fill what is left, to the granule.
            for number in 0..3 {
                assert_eq!(store(10 * round + number + 5, 4032), Ok(Completion::Stored));
            }
            assert_eq!(lab.engine.stats().bytes, 16 * 1024);
        }
        lab.pass(RETENTION);
        lab.settle();
        assert_eq!(lab.engine.stats().bytes, hold);
        assert!(held.iter().all(|replay| **replay == [1; 4000]));
        drop(held);
        lab.assert_ticks_empty_it();
    });
}

/// Hard requirement: equal deadlines for everything end by ticks alone, and leave nothing.
#[test]
fn r3_equal_deadlines_for_all_end_by_ticks() {
    const COUNT: u128 = 100_000;
    let build: [fn(Builder) -> Builder; 2] = [
        |as_built| as_built,
        |as_built| {
            as_built.shape(|g| crate::geometry::Geometry {
                lines_for: g.records / 2,
                shards: 2,
                wheel: crate::wheel::Shape { slot_bits: 2, level_count: 3 },
                ..g
            })
        },
    ];
    for build in build {
        let room = small().records(COUNT as usize).bytes(64 << 20);
        let lab = Lab::new(build(room));
        (0..COUNT).for_each(|number| lab.store(lab.key(number), &[1; 100]));
        assert_eq!(lab.engine.stats().records, COUNT as u64);
        lab.pass(RETENTION);
        lab.settle();
        lab.assert_empty();
    }
}

/// Hard requirement: leases that all run out at once as well, more than one tick looks through.
#[test]
fn r3_equal_lease_deadlines_for_all_end_by_ticks() {
    const COUNT: u128 = 100_000;
    let lab = Lab::new(small().records(COUNT as usize).bytes(16 << 20));
    for number in 0..COUNT {
        let _lost = lab.own(lab.key(number)).into_token();
    }
    assert!(!lab.is_more_after(1_000), "ticks end also when nothing is due");
    lab.pass(1_000);
    assert!(!lab.is_more_after(1_000));
    lab.assert_empty();
}

/// Hard requirement: inserting and removing again and again leaves no traces. The long run is in
/// `engine/tests/memory.rs`.
#[test]
fn r3_churn_leaves_memory_flat() {
    let lab = Lab::new(small().records(1000).bytes(1 << 20));
    let mut most = [0; 3];
    for number in 0..1_000_000_u128 {
        lab.store(lab.key(number), &[1; 100]);
        // 500 live on at any time.
        lab.clock.advance(seconds(RETENTION) / 500);
        if number % 100 == 0 {
            lab.engine.tick();
            let used = lab.engine.core().memory_used();
            most = core::array::from_fn(|at| most[at].max(used[at]));
        }
    }
    assert_eq!(lab.engine.stats().full_records, 0);
    assert!(most[0] <= 3 * 1000 && most[1] <= 100, "{most:?}");
    lab.assert_ticks_empty_it();
}

/// Hard requirement: first come, first served, although completers take no lock.
#[test]
fn l5_first_come_first_served_while_others_leave_and_join() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let key = lab.key(1);
        let mut lease = lab.own(key);
        let mut queue = std::collections::VecDeque::new();
        let mut state = 5_u64;
        for number in 0..300 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if queue.len() < 8 {
                queue.push_back((number, lab.queue(Claim::new(key).owner(number))));
            }
            if state >> 60 < 6 && queue.len() > 1 {
                drop(queue.remove((state >> 32) as usize % queue.len()));
            } else if state >> 60 < 12
                && let Some((expected, first)) = queue.pop_front()
            {
                lease.cancel(Reason::Owner).expect("the lease is ours");
                lease = handed(look(first));
                let Outcome::InFlight(found) = lab.ask(Claim::new(key).wait(false)) else {
                    panic!("the key is owned");
                };
                assert_eq!(found.info().owner, expected);
            }
        }
        lease.complete(b"to all the rest").expect("the lease is ours");
        for (_, waiter) in queue {
            assert_eq!(&*shared(look(waiter)), b"to all the rest");
        }
        lab.assert_ticks_empty_it();
    });
}
