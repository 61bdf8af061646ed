//! Stops a thread at one of its accesses, until it is let go.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::sites;
use crate::sync::pause::{Point, watch};

/// How long nothing may happen before a test fails instead of hanging. No test waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where a thread is to stop.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Never,
    /// Before its access of this number, counted from 0.
    At(usize),
    /// Before each.
    Each,
    /// Before the access that follows the first in this file whose line has this text.
    After(&'static str, &'static str),
    /// Before the second of them.
    Again(&'static str, &'static str),
}

/// See the module.
pub(super) struct Gate {
    stop: Stop,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Where it could have stopped.
    seen: Vec<Point>,
    last: Option<Point>,
    /// Accesses that the stop names, so far.
    named: usize,
    is_stopped: bool,
    /// Goes no further for now, whatever the stop says.
    is_held: bool,
    is_over: bool,
    /// Goes through from now on.
    is_open: bool,
}

impl Gate {
    pub(super) fn new(stop: Stop) -> Arc<Self> {
        Arc::new(Self { stop, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Runs `work`, to be stopped where the gate says.
    pub(super) fn pass<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        /// Says so also if the work panics.
        struct Over<'a>(&'a Gate);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.change(|state| state.is_over = true);
            }
        }
        let _over = Over(self);
        let gate = self.clone();
        watch(Arc::new(move |point| gate.come(point)), work)
    }

    /// The thread comes to an access.
    fn come(&self, point: Point) {
        let mut state = self.state.lock().expect("no panic");
        let before = state.last.replace(point);
        if is_under_lock(before, point) {
            return;
        }
        while state.is_held {
            state = self.changed.wait(state).expect("no panic");
        }
        let number = state.seen.len();
        state.seen.push(point);
        let stops = match self.stop {
            Stop::Never => false,
            Stop::At(at) => at == number,
            Stop::Each => true,
            Stop::After(..) => state.named == 1,
            Stop::Again(file, text) => state.named == 1 && sites::is_at(point, file, text),
        };
        if let Stop::After(file, text) | Stop::Again(file, text) = self.stop {
            state.named += usize::from(sites::is_at(point, file, text));
        }
        if !stops || state.is_open {
            return;
        }
        state.is_stopped = true;
        self.changed.notify_all();
        while state.is_stopped {
            state = self.changed.wait(state).expect("no panic");
        }
    }

    /// Waits until the thread has stopped, or is through: where it stopped. If it may sleep
    /// meanwhile, `idle` is called now and then.
    pub(super) fn until_stopped(&self, idle: Option<&dyn Fn()>) -> Option<Point> {
        let mut state = self.state.lock().expect("no panic");
        while !state.is_stopped && !state.is_over {
            if let Some(idle) = idle {
                drop(state);
                idle();
                std::thread::yield_now();
                state = self.state.lock().expect("no panic");
            } else {
                state = self.changed.wait(state).expect("no panic");
            }
        }
        if state.is_stopped { state.seen.last().copied() } else { None }
    }

    /// Lets the thread go on to where it stops next.
    pub(super) fn step(&self) {
        self.change(|state| state.is_stopped = false);
    }

    /// Lets the thread go on, and not stop any more.
    pub(super) fn open(&self) {
        self.change(|state| (state.is_stopped, state.is_open) = (false, true));
    }

    /// Does something that the thread, which sleeps, is not to come in between of if it wakes.
    pub(super) fn hold(&self, work: impl FnOnce()) {
        self.change(|state| state.is_held = true);
        work();
        self.change(|state| state.is_held = false);
    }

    pub(super) fn is_stopped_often(&self) -> bool {
        matches!(self.stop, Stop::Each)
    }

    /// The accesses that the thread has come to.
    pub(super) fn seen(&self) -> Vec<Point> {
        self.state.lock().expect("no panic").seen.clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("no panic"));
        self.changed.notify_all();
    }
}

/// Whether the thread has the lock of the manual clock, in which it sleeps: there nobody is
/// stopped, since that clock is a device of tests, and the system's has no lock (P1). It looks at
/// its word, and then at the time.
fn is_under_lock(before: Option<Point>, point: Point) -> bool {
    let is_look = |point| sites::is_at(point, "wait/park.rs", "|| word.load(");
    let is_time = sites::is_at(point, "clock.rs", "self.0.now.load(");
    is_look(point) || is_time && before.is_some_and(is_look)
}
