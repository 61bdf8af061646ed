//! Callbacks: a waiter that is driven by whoever wakes it.
//!
//! ```text
//! IDLE --woken--> RUNNING --pending--> IDLE          OVER: the callback was called, is being called,
//!                  |   ^                                   or never will be
//!            woken v   | looks again
//!                 AGAIN
//!
//! any --cancelled--> OVER        RUNNING, AGAIN --ready--> OVER, and calls
//! ```
//!
//! callback.1  Only whoever takes the state from `IDLE` has the job, until it gives the state back, or
//!     sees `OVER`.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use crate::outcome::WaitOutcome;
use crate::sync::atomic_box::AtomicBox;
use crate::sync::{AtomicU32, Ordering};
use crate::wait::alarm::{contain, rouse};
use crate::waiter::Waiter;

type Function = Box<dyn FnOnce(WaitOutcome) + Send>;

/// A callback that was registered with [`Waiter::on_end`].
///
/// Dropping this changes nothing: the callback is still called.
#[derive(Clone)]
pub struct Callback(Arc<Task>);

struct Task {
    state: AtomicU32,
    job: AtomicBox<Job>,
}

/// What waits, and what is called.
struct Job {
    waiter: Waiter,
    function: Function,
}

const IDLE: u32 = 0;
const RUNNING: u32 = 1;
const AGAIN: u32 = 2;
const OVER: u32 = 3;

impl Callback {
    pub(crate) fn start(waiter: Waiter, function: Function) -> Self {
        let job = AtomicBox::new(Box::new(Job { waiter, function }));
        let task = Arc::new(Task { state: AtomicU32::new(IDLE), job });
        rouse(Waker::from(task.clone()));
        Self(task)
    }

    /// Gives the place in the queue back, and the callback is not called. False: it has been called, is
    /// being called, or was cancelled before.
    #[expect(clippy::must_use_candidate, reason = "most callers do not care which came first")]
    pub fn cancel(&self) -> bool {
        // AcqRel: pairs with the steps of `run` (callback.1).
        let before = self.0.state.swap(OVER, Ordering::AcqRel);
        if before == IDLE {
            // What is dropped here leaves the queue, and passes on what it was just offered.
            contain(|| drop(self.0.job.take()));
        }
        before != OVER
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        // AcqRel: what the last run did comes before this one's.
        let woken = |state| match state {
            IDLE => Some(RUNNING),
            RUNNING => Some(AGAIN),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, woken) == Ok(IDLE) {
            self.run();
        }
    }
}

impl Task {
    /// Looks, and looks again for as long as it is woken meanwhile. The caller has the job.
    fn run(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        while let Some(mut job) = self.job.take() {
            let mut context = Context::from_waker(&waker);
            if let Poll::Ready(outcome) = Pin::new(&mut job.waiter).poll(&mut context) {
                return self.end(outcome, job.function);
            }
            // Put back before the state says so.
            self.job.swap(Some(job));
            // AcqRel: as in `wake`.
            let rest = |state| match state {
                RUNNING => Some(IDLE),
                AGAIN => Some(RUNNING),
                _ => None,
            };
            match self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest) {
                Ok(AGAIN) => {}
                Ok(_) => return,
                // Cancelled: what is dropped leaves the queue.
                Err(_) => return contain(|| drop(self.job.take())),
            }
        }
    }

    fn end(&self, outcome: WaitOutcome, function: Function) {
        // AcqRel: against `cancel`.
        if self.state.swap(OVER, Ordering::AcqRel) != OVER {
            return contain(|| function(outcome));
        }
        outcome.decline();
    }
}
