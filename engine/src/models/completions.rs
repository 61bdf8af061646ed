//! Completion queues: an end is handed out once, or its wait is cancelled; and no bell is missed.

use core::pin::Pin;
use core::task::{Context, Poll};

use super::*;
use crate::completions::{Ending, Queue};
use crate::sync::{AtomicU32, Ordering, model_fence};
use crate::wait::alarm::{Alarm, rouse};

/// Something that can be waited for, and ends when somebody says so.
#[derive(Default)]
struct Gate {
    is_open: AtomicU32,
    alarm: Alarm,
    /// Ends that were handed out, and that nobody was given.
    handed: AtomicU32,
    declined: AtomicU32,
}

impl Gate {
    fn open(&self) {
        self.is_open.store(1, Ordering::SeqCst);
        model_fence();
        if let Some(waker) = self.alarm.take() {
            rouse(waker);
        }
    }

    fn count(count: &AtomicU32) -> u32 {
        count.load(Ordering::SeqCst)
    }
}

/// A wait for a gate.
struct Entrance(Arc<Gate>);

impl Future for Entrance {
    type Output = Arc<Gate>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Arc<Gate>> {
        self.0.alarm.set(context.waker());
        model_fence();
        if Gate::count(&self.0.is_open) == 0 {
            return Poll::Pending;
        }
        self.0.alarm.clear();
        Poll::Ready(self.0.clone())
    }
}

impl Ending for Entrance {
    fn decline(gate: Arc<Gate>) {
        gate.declined.fetch_add(1, Ordering::SeqCst);
    }
}

/// A queue, and what its bell has rung.
fn queue() -> (Queue<Entrance, u64>, Arc<loom::sync::Notify>) {
    let bell = Arc::new(loom::sync::Notify::new());
    let rings = bell.clone();
    (Queue::new(move || rings.notify()), bell)
}

fn hand_out(queue: &Queue<Entrance, u64>, most: usize) -> usize {
    queue.poll(most, |_, gate| {
        gate.handed.fetch_add(1, Ordering::SeqCst);
    })
}

/// Who polls only when the bell rings gets every end.
#[test]
fn no_bell_is_missed() {
    explore(|| {
        let (queue, bell) = queue();
        let gates = [Arc::new(Gate::default()), Arc::new(Gate::default())];
        for gate in &gates {
            queue.enroll(Entrance(gate.clone()), 0);
        }
        let opened = gates.clone();
        let other = loom::thread::spawn(move || opened.iter().for_each(|gate| gate.open()));
        let mut count = 0;
        while count < 2 {
            bell.wait();
            count += hand_out(&queue, 1);
        }
        other.join().unwrap();
        for gate in gates {
            assert_eq!(Gate::count(&gate.handed), 1);
        }
    });
}

/// Two threads poll while an end comes: one of them gets it.
#[test]
fn an_end_is_handed_out_once() {
    explore(|| {
        let (queue, _) = queue();
        let queue = Arc::new(queue);
        let gate = Arc::new(Gate::default());
        queue.enroll(Entrance(gate.clone()), 0);
        let (also, opened) = (queue.clone(), gate.clone());
        let other = loom::thread::spawn(move || {
            opened.open();
            hand_out(&also, 1)
        });
        let here = hand_out(&queue, 1);
        let there = other.join().unwrap();
        let last = hand_out(&queue, 1);
        assert_eq!((here + there + last, Gate::count(&gate.handed)), (1, 1));
    });
}

/// A wait is cancelled while its end comes and is polled for: it is handed out, or it was cancelled.
#[test]
fn an_end_is_handed_out_or_cancelled() {
    explore(|| {
        let (queue, _) = queue();
        let gate = Arc::new(Gate::default());
        let wait = queue.enroll(Entrance(gate.clone()), 0);
        assert_eq!(hand_out(&queue, 1), 0);
        let opened = gate.clone();
        let other = loom::thread::spawn(move || {
            opened.open();
            wait.cancel()
        });
        let handed = hand_out(&queue, 1);
        let cancelled = other.join().unwrap();
        let handed = handed + hand_out(&queue, 1);
        assert_eq!(handed, usize::from(!cancelled));
        assert_eq!(Gate::count(&gate.handed) as usize, handed);
        assert!(Gate::count(&gate.declined) <= u32::from(cancelled));
        drop(queue);
        assert_eq!(Arc::strong_count(&gate), 1, "nobody waits any more");
    });
}
