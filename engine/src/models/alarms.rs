//! Waiters that block no thread: an alarm is not missed, and leaves nothing behind.

use core::task::Waker;
use std::task::Wake;

use super::*;

/// What wakes a model's thread that polls by hand.
struct Bell(loom::sync::Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

impl World {
    /// What `Waiter`'s future does, driven to its end.
    fn drive(&self, waiting: &Waiting) -> Verdict {
        let bell = Arc::new(Bell(loom::sync::Notify::new()));
        let waker = Waker::from(bell.clone());
        loop {
            self.core.prepare(waiting);
            match self.core.poll(waiting) {
                Verdict::Wait(_) if self.core.arm(waiting, &waker) => bell.0.wait(),
                Verdict::Wait(_) => {}
                verdict => return verdict,
            }
        }
    }
}

#[test]
fn an_alarm_rings_for_a_completion() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        let waiting = world.join(key);
        let (ended, verdict) = race(
            &world,
            move |world| world.complete(&held, SHORT, RETENTION),
            |world| world.drive(&waiting),
        );
        ended.unwrap();
        match verdict {
            Verdict::Finished(loc) => world.check_and_release(loc, &key, SHORT),
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

/// The alarm rings for the hand-over, which another thread serves at the same time.
#[test]
fn an_alarm_rings_for_a_hand_over() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        let waiting = world.join(key);
        let (_, verdict) = race(
            &world,
            move |world| world.cancel(&held, OnEnd::HandOver),
            |world| world.drive(&waiting),
        );
        match verdict {
            Verdict::Execute(held) => drop(world.complete(&held, SHORT, 0).unwrap()),
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

/// A waiter that has set its alarm leaves, as the owner ends: the place is given back once, and the
/// waker with it.
#[test]
fn a_waiter_leaves_while_its_alarm_rings() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        let waiting = world.join(key);
        let bell = Arc::new(Bell(loom::sync::Notify::new()));
        let waker = Waker::from(bell.clone());
        race(
            &world,
            move |world| world.complete(&held, SHORT, RETENTION).unwrap(),
            |world| {
                world.core.prepare(&waiting);
                if let Verdict::Wait(_) = world.core.poll(&waiting) {
                    world.core.arm(&waiting, &waker);
                    world.core.leave(&waiting);
                } else {
                    let loc = world.find(key);
                    world.core.release(world.core.response(loc), 2);
                }
            },
        );
        drop(waker);
        assert_eq!(Arc::strong_count(&bell), 1, "nobody has the waker any more");
        world.settle();
    });
}
