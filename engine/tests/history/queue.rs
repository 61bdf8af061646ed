//! First come, first served, by many threads (L5, L7, W2).
//!
//! The clock stands still, so nothing ends by its age and no offer passes on for it: a hand-over that
//! is lost leaves somebody waiting for good. Each claim is written down with when it began, when it had
//! its place in the queue, and what it came to. A claim that had its place before another began is
//! before it in the queue; so of one record it may not come after it. Records are told apart by the
//! label of the owner that a claim found, and hand-overs put in order by the attempt they were.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use idem::{
    Claim, Clock, Engine, InFlight, Lease, ManualClock, OnEnd, Outcome, Reason, WaitOutcome,
};

use super::random::Random;

const THREADS: u64 = 8;
const KEYS: u64 = 2;
const CLAIMS: u64 = 4000;
const DAY: Duration = Duration::from_secs(86_400);
/// Whoever has not come back after this has been forgotten.
const HANGS: Duration = Duration::from_secs(240);

struct World {
    engine: Engine,
    /// Numbers claims, from 1 on, and what happens, in the order in which it does.
    labels: AtomicU64,
    moments: AtomicU64,
}

/// What a wait came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Came {
    Execute {
        attempt: u32,
    },
    /// To what all were told, or to nothing since it might not execute.
    Told,
    /// It gave its place back.
    Left,
}

/// A claim that found an owner at work.
#[derive(Clone, Copy, Debug)]
struct Entry {
    label: u64,
    /// The label of an owner of the same record.
    found: u64,
    begun: u64,
    joined: u64,
    may_execute: bool,
    came: Came,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future; does not look unless it was woken.
fn block_on(future: impl Future<Output = WaitOutcome>) -> WaitOutcome {
    let mut future = Box::pin(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl World {
    fn moment(&self) -> u64 {
        // SeqCst: one order of all of them.
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    fn claim(&self, random: &mut Random, entries: &mut Vec<Entry>) {
        let (begun, label) = (self.moment(), self.labels.fetch_add(1, Ordering::Relaxed));
        let may_execute = random.below(8) > 0;
        let key = self.engine.raw_key(random.below(KEYS).into());
        if random.below(32) == 0 {
            self.act_from_outside(random, key);
        }
        let claim = Claim::new(key).owner(label).may_execute(may_execute);
        match self.engine.claim(claim).expect("a good claim") {
            Outcome::Execute(lease) => end(random, lease),
            Outcome::InFlight(other) => {
                let (found, joined) = (other.info().owner, self.moment());
                let outcome = wait(random, other);
                let came = match &outcome {
                    Some(WaitOutcome::Execute(lease)) => Came::Execute { attempt: lease.attempt() },
                    Some(_) => Came::Told,
                    None => Came::Left,
                };
                entries.push(Entry { label, found, begun, joined, may_execute, came });
                if let Some(WaitOutcome::Execute(lease)) = outcome {
                    assert!(may_execute, "it said that it may not execute");
                    end(random, lease);
                }
            }
            other => panic!("nothing is kept: {other:?}"),
        }
    }

    fn act_from_outside(&self, random: &mut Random, key: idem::Key) {
        let engine = &self.engine;
        let acted = match random.below(8) {
            0 => engine.detach(key).map(drop),
            1 => engine.forget_forced(key).map(drop),
            2 => engine.force_end(key, OnEnd::FailWaiters).map(drop),
            3 => {
                engine.clear();
                Ok(())
            }
            _ => engine.force_end(key, OnEnd::HandOver).map(drop),
        };
        acted.expect("a good key");
    }
}

/// Others come in between: they queue up, or offer the record to who is about to leave (L7).
fn dawdle(random: &mut Random) {
    (0..random.below(4)).for_each(|_| std::thread::yield_now());
}

/// One of the ways to wait; `None` if it left.
fn wait(random: &mut Random, other: InFlight) -> Option<WaitOutcome> {
    match random.below(16) {
        0 => {
            dawdle(random);
            drop(other);
            None
        }
        1 => {
            let mut future = Box::pin(other);
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => {
                    dawdle(random);
                    None
                }
            }
        }
        2..8 => Some(block_on(other)),
        8..12 => {
            let (sender, receiver) = channel();
            let waiter = other.into_waiter().expect("it asked to wait");
            let callback = waiter.on_end(move |outcome| {
                sender.send(outcome).expect("it is waited for");
            });
            if random.below(16) == 0 && callback.cancel() {
                return None;
            }
            Some(receiver.recv().expect("W2: it is called"))
        }
        _ => Some(other.wait()),
    }
}

/// Ends a lease, mostly so that it passes on. Stale: somebody else has ended it.
fn end(random: &mut Random, lease: Lease) {
    dawdle(random);
    match random.below(8) {
        0 => drop(lease.complete_for(b"done", Duration::ZERO)),
        1 => drop(lease.cancel_all(Reason::Owner)),
        2 | 3 => drop(lease),
        _ => drop(lease.cancel(Reason::Owner)),
    }
}

/// The first owner's label, which names the record.
fn record_of(entry: &Entry, by_label: &HashMap<u64, Entry>) -> u64 {
    let mut found = entry.found;
    // Who was handed its lease is in the list, with an owner before it.
    while let Some(before) = by_label.get(&found) {
        found = before.found;
    }
    found
}

/// L5, of each two of a record that are in order; returns how many there were.
fn check(entries: &[Entry]) -> u64 {
    let by_label: HashMap<_, _> = entries.iter().map(|entry| (entry.label, *entry)).collect();
    let mut records: HashMap<u64, Vec<&Entry>> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.may_execute && entry.came != Came::Left) {
        records.entry(record_of(entry, &by_label)).or_default().push(entry);
    }
    let mut pairs = 0;
    for queue in records.values() {
        for (first, second) in queue.iter().flat_map(|a| queue.iter().map(move |b| (*a, *b))) {
            if first.joined >= second.begun {
                continue;
            }
            let Came::Execute { attempt: later } = second.came else { continue };
            let is_in_order = matches!(first.came, Came::Execute { attempt } if attempt < later);
            assert!(is_in_order, "L5: {first:?} was there before {second:?}");
            pairs += 1;
        }
    }
    pairs
}

fn work(world: &World, seed: u64, done: &Sender<Vec<Entry>>) {
    let (mut random, mut entries) = (Random(seed), Vec::new());
    for _ in 0..CLAIMS {
        world.claim(&mut random, &mut entries);
    }
    done.send(entries).expect("the test waits for it");
}

#[test]
fn l5_l7_w2_waiters_of_many_threads_are_served_in_order_and_all_of_them() {
    let seed = super::seed();
    let engine = Engine::builder().lease(DAY).accept_timeout(DAY);
    let engine = engine.records(64).clock(Clock::manual(&ManualClock::new())).build().unwrap();
    let (labels, moments) = (AtomicU64::new(1), AtomicU64::new(0));
    let world = Arc::new(World { engine, labels, moments });
    let (sender, receiver) = channel();
    for number in 0..THREADS {
        let (world, sender) = (world.clone(), sender.clone());
        let seed = seed.wrapping_mul(1000).wrapping_add(number);
        // Not scoped: one that waits for good must not keep the test from saying so.
        std::thread::spawn(move || work(&world, seed, &sender));
    }
    drop(sender);
    let mut entries = Vec::new();
    for _ in 0..THREADS {
        let more = receiver.recv_timeout(HANGS);
        entries.extend(more.expect("W2, L7: a worker failed, or waits for good"));
    }
    let pairs = check(&entries);
    while world.engine.tick() {}
    let stats = world.engine.stats();
    println!("{} waited, {pairs} pairs in order; {stats:?}", entries.len());
    assert_eq!((stats.records, stats.bytes, stats.waiters), (0, 0, 0), "{stats:?}");
    assert!(pairs > 0 && stats.hand_overs > 0, "{stats:?}");
}

#[test]
fn l5_the_check_of_the_order_sees_who_was_passed_over() {
    let entry = |label, begun, came| Entry {
        label,
        found: 1,
        begun,
        joined: begun + 1,
        may_execute: true,
        came,
    };
    let execute = |attempt| Came::Execute { attempt };
    assert_eq!(check(&[entry(2, 0, execute(2)), entry(3, 2, execute(3))]), 1);
    assert_eq!(check(&[entry(2, 0, execute(3)), entry(3, 1, execute(2))]), 0, "at the same time");
    for first in [execute(3), Came::Told] {
        let wrong = [entry(2, 0, first), entry(3, 2, execute(2))];
        assert!(std::panic::catch_unwind(|| check(&wrong)).is_err(), "{first:?}");
    }
}
