//! The queue alone: joining, leaving anywhere, walking, closing.

use super::*;
use crate::wait::node::Nodes;
use crate::wait::park::Parker;
use crate::wait::queue::{Queue, Snapshot};

struct Line {
    queue: Queue,
    /// Another flight's.
    elsewhere: Queue,
    nodes: Nodes,
    parker: Parker,
}

impl Line {
    fn new(waiters: u32) -> (Arc<Self>, Vec<u32>) {
        let line = Self {
            queue: Queue::default(),
            elsewhere: Queue::default(),
            // One to spare at most, so that nodes are used again.
            nodes: Nodes::new(waiters.max(1), 1).unwrap(),
            parker: Parker::new(Clock::manual(&ManualClock::new())),
        };
        let joined = (0..waiters).map(|_| line.join(&line.queue)).collect();
        (Arc::new(line), joined)
    }

    /// Joins; opens the queue if need be.
    fn join(&self, queue: &Queue) -> u32 {
        let number = self.nodes.alloc(0).unwrap();
        while !self.join_if(queue, queue.snapshot(), number) {}
        number
    }

    fn join_if(&self, queue: &Queue, seen: Snapshot, number: u32) -> bool {
        let link = self.nodes.get(number).start(true);
        queue.join(seen, &self.nodes, number, link)
    }

    fn leave(&self, number: u32) {
        self.queue.leave(&self.nodes, number);
        self.nodes.free(number);
    }

    fn oldest(&self) -> Option<u32> {
        self.queue.next_executor(&self.nodes, None).0.map(|candidate| candidate.number)
    }

    fn spawn<A: 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Line) -> A + 'static,
    ) -> loom::thread::JoinHandle<A> {
        let line = self.clone();
        loom::thread::spawn(move || work(&line))
    }
}

/// Two threads take neighbours out of a queue of three. The third is still there, and they are not.
#[test]
fn two_neighbours_leave_at_once() {
    for [first, second, stays] in [[0, 1, 2], [1, 2, 0], [0, 2, 1]] {
        explore_further(move || {
            let (line, numbers) = Line::new(3);
            let (first, second, stays) = (numbers[first], numbers[second], numbers[stays]);
            let other = line.spawn(move |line| line.leave(second));
            line.leave(first);
            other.join().unwrap();
            assert_eq!(line.oldest(), Some(stays));
            line.leave(stays);
            assert!(line.queue.snapshot().is_empty());
            assert_eq!(line.nodes.used(), 0);
        });
    }
}

/// Three threads: two waiters leave, one joins, with a node that one of them may just have given
/// back. Afterwards the queue has the one who joined and the one who stayed.
#[test]
fn one_joins_while_two_leave() {
    explore(|| {
        let (line, numbers) = Line::new(3);
        let [oldest, middle, youngest] = numbers[..] else { unreachable!() };
        let leaves = line.spawn(move |line| line.leave(middle));
        let moves = line.spawn(move |line| {
            line.leave(youngest);
            line.join(&line.queue)
        });
        leaves.join().unwrap();
        let joined = moves.join().unwrap();
        assert_eq!(line.oldest(), Some(oldest));
        line.leave(oldest);
        assert_eq!(line.oldest(), Some(joined));
        line.leave(joined);
        assert_eq!(line.nodes.used(), 0);
    });
}

/// One thread looks for the oldest while the youngest leaves and its node joins another queue, or
/// the same again. The oldest is found in any case.
#[test]
fn a_walk_is_not_led_astray() {
    for again in [false, true] {
        explore_further(move || {
            let (line, numbers) = Line::new(2);
            let (oldest, youngest) = (numbers[0], numbers[1]);
            let moves = line.spawn(move |line| {
                line.leave(youngest);
                line.join(if again { &line.queue } else { &line.elsewhere })
            });
            assert_eq!(line.oldest(), Some(oldest));
            let joined = moves.join().unwrap();
            line.leave(oldest);
            assert_eq!(line.oldest(), again.then_some(joined));
        });
    }
}

/// One thread closes the queue, whether it is open yet or not, and tells everyone in it; the other,
/// who has seen it before, joins. Whoever got in is told.
#[test]
fn whoever_joins_before_the_close_is_told() {
    explore_further(|| {
        let (line, _) = Line::new(0);
        let (seen, number) = (line.queue.snapshot(), line.nodes.alloc(0).unwrap());
        let closes = line.spawn(|line| {
            while !line.queue.close_if(line.queue.snapshot()) {}
            line.queue.notify_all(&line.nodes, &line.parker);
        });
        if line.join_if(&line.queue, seen, number) {
            line.nodes.get(number).sleep(&line.parker, u64::MAX);
            line.leave(number);
        }
        closes.join().unwrap();
        assert!(!line.queue.snapshot().open && line.queue.snapshot().is_empty());
        assert!(!line.join_if(&line.queue, seen, number), "it comes too late for ever");
    });
}

/// One thread tells everyone in a closed queue, another leaves: the third is told all the same.
#[test]
fn those_who_stay_are_told_while_another_leaves() {
    explore(|| {
        let (line, numbers) = Line::new(2);
        let (leaves, stays) = (numbers[1], numbers[0]);
        let leaver = line.spawn(move |line| line.leave(leaves));
        let teller = line.spawn(|line| {
            while !line.queue.close_if(line.queue.snapshot()) {}
            line.queue.notify_all(&line.nodes, &line.parker);
        });
        line.nodes.get(stays).sleep(&line.parker, u64::MAX);
        leaver.join().unwrap();
        teller.join().unwrap();
        line.leave(stays);
        assert!(line.queue.snapshot().is_empty());
    });
}
