//! W1, L5, L7 with completion queues: nothing is accepted before it is handed out, and no end is lost.

use std::sync::Arc;

use super::{ACCEPT, LEASE, Lab, handed, shared, small, under_every_geometry};
use crate::sync::{AtomicU32, Ordering};
use crate::{Claim, Completions, Reason, WaitOutcome};

/// A queue, and how often its bell has rung.
fn queue() -> (Completions<u64>, Arc<AtomicU32>) {
    let rings = Arc::new(AtomicU32::new(0));
    let bell = rings.clone();
    (
        Completions::new(move || {
            bell.fetch_add(1, Ordering::AcqRel);
        }),
        rings,
    )
}

/// All that has ended, by its tag: a completion wakes in no order.
fn ended(queue: &Completions<u64>) -> Vec<(u64, WaitOutcome)> {
    let mut ended = Vec::new();
    queue.poll(usize::MAX, |tag, outcome| ended.push((tag, outcome)));
    ended.sort_by_key(|(tag, _)| *tag);
    ended
}

fn tags(queue: &Completions<u64>) -> Vec<u64> {
    ended(queue).into_iter().map(|(tag, _)| tag).collect()
}

#[test]
fn w1_ends_come_by_their_tags_and_the_bell_rings_once_for_all() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (queue, rings) = queue();
        let lease = lab.own(lab.key(1));
        for tag in 0..5 {
            lab.queue(lab.key(1)).end_in(&queue, tag);
        }
        assert_eq!((ended(&queue).len(), queue.len()), (0, 5));
        let before = rings.load(Ordering::Acquire);
        lease.complete(b"abc").unwrap();
        assert_eq!(rings.load(Ordering::Acquire), before + 1, "once for all of them");
        for (expected, (tag, outcome)) in (0..).zip(ended(&queue)) {
            assert_eq!((tag, &*shared(outcome)), (expected, &b"abc"[..]));
        }
        assert!(queue.is_empty());
        assert_eq!(lab.engine.stats().wakes, 0, "no system call");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_each_wait_ends_in_the_queue_it_named() {
    let lab = Lab::new(small());
    let (one, _) = queue();
    let (other, rings) = queue();
    let lease = lab.own(lab.key(1));
    lab.queue(lab.key(1)).end_in(&one, 1);
    lab.queue(lab.key(1)).end_in(&other, 2);
    lab.queue(lab.key(1)).end_in(&one, 3);
    assert!(tags(&one).is_empty() && tags(&other).is_empty());
    rings.store(0, Ordering::Release);
    lease.complete(b"abc").unwrap();
    assert_eq!((tags(&one), tags(&other)), (vec![1, 3], vec![2]));
    assert_eq!(rings.load(Ordering::Acquire), 1);
    lab.assert_ticks_empty_it();
}

#[test]
fn w1_what_a_poll_leaves_behind_rings_again() {
    let lab = Lab::new(small());
    let (queue, rings) = queue();
    let lease = lab.own(lab.key(1));
    for tag in 0..5 {
        lab.queue(lab.key(1)).end_in(&queue, tag);
    }
    assert!(tags(&queue).is_empty());
    lease.complete(b"abc").unwrap();
    let mut seen = Vec::new();
    for expected in [2, 2, 1, 0] {
        let before = rings.load(Ordering::Acquire);
        assert_eq!(queue.poll(2, |tag, _| seen.push(tag)), expected);
        let left = u32::from(expected == 2);
        assert_eq!(rings.load(Ordering::Acquire), before + left, "{expected}");
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    lab.assert_ticks_empty_it();
}

#[test]
fn l5_a_lease_is_accepted_when_it_is_handed_out_and_not_before() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (idle, _) = queue();
        let (busy, _) = queue();
        let lease = lab.own(lab.key(1));
        lab.queue(lab.key(1)).end_in(&idle, 1);
        lab.queue(lab.key(1)).end_in(&busy, 2);
        assert!(tags(&idle).is_empty() && tags(&busy).is_empty());
        lease.cancel(Reason::Owner).unwrap();
        assert!(tags(&busy).is_empty(), "it is the other's turn");
        // Whose loop is not at work: the offer passes on.
        lab.pass(ACCEPT + 1);
        lab.settle();
        let (tag, outcome) = ended(&busy).pop().expect("its turn");
        assert_eq!(tag, 2);
        handed(outcome).complete(b"abc").unwrap();
        let (tag, outcome) = ended(&idle).pop().expect("woken for the end");
        assert_eq!((tag, &*shared(outcome)), (1, &b"abc"[..]));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l7_a_wait_that_is_cancelled_at_the_offer_passes_it_on() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (queue, _) = queue();
        let lease = lab.own(lab.key(1));
        let first = lab.queue(lab.key(1)).end_in(&queue, 1);
        let second = lab.queue(lab.key(1)).end_in(&queue, 2);
        assert!(tags(&queue).is_empty());
        lease.cancel(Reason::Owner).unwrap();
        assert!(first.cancel() && !first.cancel(), "once");
        let (tag, outcome) = ended(&queue).pop().expect("its turn");
        assert_eq!(tag, 2);
        assert!(!second.cancel(), "it was handed out");
        handed(outcome).complete(b"abc").unwrap();
        assert!(queue.is_empty());
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_a_cancelled_wait_gives_its_place_back_at_once() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (queue, _) = queue();
        let lease = lab.own(lab.key(1));
        let fresh = lab.queue(lab.key(1)).end_in(&queue, 1);
        let parked = lab.queue(lab.key(1)).end_in(&queue, 2);
        assert!(fresh.cancel(), "before anybody has looked");
        assert_eq!((lab.engine.stats().waiters, queue.len()), (1, 1));
        assert!(tags(&queue).is_empty());
        assert!(parked.cancel());
        assert_eq!((lab.engine.stats().waiters, queue.len()), (0, 0));
        lease.complete(b"abc").unwrap();
        assert!(tags(&queue).is_empty());
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_a_queue_that_is_dropped_lets_go_of_its_waits() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (queue, rings) = queue();
        let lease = lab.own(lab.key(1));
        let parked = lab.queue(lab.key(1)).end_in(&queue, 1);
        assert!(tags(&queue).is_empty());
        let due = lab.queue(lab.key(1)).end_in(&queue, 2);
        let next = lab.queue(lab.key(1));
        drop(queue);
        assert_eq!(Arc::strong_count(&rings), 1, "its bell is gone");
        assert!(!parked.cancel() && !due.cancel());
        assert_eq!(lab.engine.stats().waiters, 1);
        lease.cancel(Reason::Owner).unwrap();
        handed(super::look(next)).complete(b"abc").unwrap();
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w2_every_end_comes_through_a_queue() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (queue, _) = queue();
        let wait = |number: u128| {
            let lease = lab.own(Claim::new(lab.key(number)));
            lab.queue(lab.key(number)).end_in(&queue, number as u64);
            lease
        };
        let (completed, cancelled, halted, expired) = (wait(1), wait(2), wait(3), wait(4));
        assert!(tags(&queue).is_empty());
        completed.complete(b"abc").unwrap();
        cancelled.cancel_all(Reason::Code(7)).unwrap();
        halted.halt(Reason::Code(8)).unwrap();
        assert!(matches!(
            &ended(&queue)[..],
            [
                (1, WaitOutcome::Replay(_)),
                (2, WaitOutcome::Cancelled(Reason::Code(7))),
                (3, WaitOutcome::Halted(Reason::Code(8))),
            ]
        ));
        let _lost = expired.into_token();
        lab.pass(LEASE + 1);
        assert!(tags(&queue).is_empty(), "somebody has to tick");
        lab.settle();
        let (tag, outcome) = ended(&queue).pop().expect("the lease ran out");
        assert_eq!(tag, 4);
        drop(handed(outcome));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w5_a_panic_of_the_bell_is_contained() {
    let lab = Lab::new(small());
    let queue = Completions::new(|| panic!("a bell's own (this is expected)"));
    let lease = lab.own(lab.key(1));
    lab.queue(lab.key(1)).end_in(&queue, 1);
    assert!(tags(&queue).is_empty());
    lease.complete(b"abc").unwrap();
    assert_eq!(tags(&queue), [1]);
    lab.assert_ticks_empty_it();
}
