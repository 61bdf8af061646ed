//! Alarms: how a waiter is woken that blocks no thread.
//!
//! alarm.1  Whoever wakes holds no lock, and runs one waker at a time: what a waker does, and the calls
//!     of the engine that it makes, may wake others, but these have their turn after it. So a chain of
//!     hand-overs from callback to callback needs no stack (W5).

use core::cell::RefCell;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use std::collections::VecDeque;
use std::panic::catch_unwind;

use crate::record::value::set_aside;
use crate::sync::atomic_box::AtomicBox;
use crate::sync::thread::thread_local;

/// A waker that is to be called once, or none.
#[derive(Default)]
pub(crate) struct Alarm(AtomicBox<Waker>);

impl Alarm {
    /// Sets the alarm, in place of what was set.
    pub(crate) fn set(&self, waker: &Waker) {
        let boxed = match self.0.take() {
            Some(before) if before.will_wake(waker) => before,
            before => {
                discard(before);
                Box::new(waker.clone())
            }
        };
        discard(self.0.swap(Some(boxed)));
    }

    /// Takes the waker out, to call it.
    pub(crate) fn take(&self) -> Option<Waker> {
        self.0.take().map(|waker| *waker)
    }

    /// Takes the alarm off. For the waiter, who alone sets it.
    pub(crate) fn clear(&self) {
        if !self.0.is_empty() {
            discard(self.0.take());
        }
    }
}

thread_local! {
    /// Those whose turn comes after the waker that runs; `None`: none does.
    #[cfg_attr(
        not(idem_loom),
        expect(clippy::missing_const_for_thread_local, reason = "loom's has no such form")
    )]
    static TURNS: RefCell<Option<VecDeque<Waker>>> = RefCell::new(None);
}

/// Calls the waker: now, or after the one that runs on this thread (alarm.1).
pub(crate) fn rouse(waker: Waker) {
    let mut waker = Some(waker);
    let joined = TURNS.try_with(|turns| match &mut *turns.borrow_mut() {
        Some(turns) => {
            turns.extend(waker.take());
            true
        }
        none => {
            *none = Some(VecDeque::new());
            false
        }
    });
    let is_first = matches!(joined, Ok(false));
    // Whoever rouses is in the middle of a call (value.4).
    let _aside = is_first.then(set_aside);
    while let Some(next) = waker.take() {
        contain(|| next.wake());
        if is_first {
            waker = next_turn();
        }
    }
}

/// The next turn; if there is none, whoever comes is the first again.
fn next_turn() -> Option<Waker> {
    let next = TURNS.try_with(|turns| {
        let mut turns = turns.borrow_mut();
        let next = turns.as_mut().and_then(VecDeque::pop_front);
        if next.is_none() {
            *turns = None;
        }
        next
    });
    next.ok().flatten()
}

/// Runs code of the caller's, whose panic is no concern of whoever came to run it. The panic hook has
/// told of it.
pub(crate) fn contain(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        // Its destructor is the caller's code as well.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
}

fn discard(waker: Option<Box<Waker>>) {
    if waker.is_some() {
        contain(|| drop(waker));
    }
}
