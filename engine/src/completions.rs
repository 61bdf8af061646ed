//! Completion queues: the ends of waits, taken out one by one by whoever runs an event loop.
//!
//! ```text
//! DUE --taken out--> LOOKING --pending--> IDLE --woken--> DUE
//!                     |   ^                                  OVER: handed out, or never to be
//!               woken v   | looks again
//!                    AGAIN
//!
//! any --cancelled--> OVER        LOOKING, AGAIN --ready--> OVER, and handed out
//! ```
//!
//! completions.1  Only whoever takes the state from `DUE` to `LOOKING` has the job, until it gives the
//!     state back or sees `OVER`; and whoever takes it from `IDLE` or `DUE` to `OVER`.
//! completions.2  A wait is in `due` once whenever its state is `DUE`. `rung` is set before anything that
//!     a poll has not seen is left there: it is cleared before a poll looks, and set after each push and
//!     by a poll that leaves something behind.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Weak};
use std::task::Wake;

use crossbeam_queue::SegQueue;
use papaya::HashMap;

use crate::outcome::{Reason, WaitOutcome};
use crate::sync::atomic_box::AtomicBox;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::wait::alarm::contain;
use crate::waiter::Waiter;

/// A queue of ends: any number of waits name it ([`Waiter::end_in`]), and whoever runs the loop takes out
/// what they came to. For event loops: no thread is blocked, and nothing runs on the threads of others
/// but the bell, which is to wake the loop.
///
/// An engine's waits may be in any number of queues, each in one; a queue may have the waits of several
/// engines. A lease is accepted when [`poll`](Self::poll) hands it out, and not before (L5). Dropping the
/// queue ends the waits in it as dropping their waiters would.
///
/// ```
/// use idem::{Completions, Engine, Outcome, Scope, WaitOutcome};
/// let engine = Engine::new()?;
/// let key = engine.key(Scope::None, b"page-3")?;
/// let Outcome::Execute(lease) = engine.claim(key)? else { return Ok(()) };
///
/// let (bell, loop_is_woken) = std::sync::mpsc::channel();
/// let queue = Completions::new(move || drop(bell.send(())));
/// for connection in 0..3 {
///     if let Outcome::InFlight(other) = engine.claim(key)?
///         && let Some(waiter) = other.into_waiter()
///     {
///         waiter.end_in(&queue, connection);
///     }
/// }
/// queue.poll(usize::MAX, |_, _| unreachable!("nothing has ended"));
///
/// lease.complete(b"made")?;
/// loop_is_woken.recv()?;
/// let mut served = Vec::new();
/// queue.poll(usize::MAX, |connection, outcome| {
///     assert!(matches!(outcome, WaitOutcome::Replay(response) if &*response == b"made"));
///     served.push(connection);
/// });
/// served.sort_unstable();
/// assert_eq!(served, [0, 1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Completions<T: Send + 'static>(Queue<Waiter, T>);

/// A wait that is to end in a [`Completions`]. Dropping this changes nothing: it still does.
pub struct Pending<T: Send + 'static>(Arc<Wait<Waiter, T>>);

/// What can be waited for: a waiter, or something smaller in models.
pub(crate) trait Ending: Future + Unpin + Send + Sized + 'static {
    /// What becomes of an outcome that nobody is given.
    fn decline(outcome: Self::Output);
}

/// The queue that a [`Completions`] is.
pub(crate) struct Queue<F: Ending, T: Send + 'static>(Arc<Shared<F, T>>);

struct Shared<F: Ending, T: Send + 'static> {
    due: SegQueue<Arc<Wait<F, T>>>,
    /// 1: the bell has rung since the last poll began (completions.2).
    rung: AtomicU32,
    bell: Box<dyn Fn() + Send + Sync>,
    /// All that have not ended, by number.
    waits: HashMap<u64, Arc<Wait<F, T>>>,
    next: AtomicU64,
}

pub(crate) struct Wait<F: Ending, T: Send + 'static> {
    /// Weak, since the queue has the wait.
    queue: Weak<Shared<F, T>>,
    number: u64,
    state: AtomicU32,
    job: AtomicBox<Job<F, T>>,
}

/// What is waited for, and what its end is told by.
struct Job<F, T> {
    waiter: F,
    tag: T,
}

const DUE: u32 = 0;
const LOOKING: u32 = 1;
const AGAIN: u32 = 2;
const IDLE: u32 = 3;
const OVER: u32 = 4;

impl<T: Send + 'static> Completions<T> {
    /// A queue that has nothing in it.
    ///
    /// `bell` is called when something is to be looked at that was not there when the last poll began:
    /// once until the next poll. It runs on the thread that ends a lease, or in
    /// [`end_in`](Waiter::end_in), with no lock held; it should write to a descriptor, say, and return.
    pub fn new(bell: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Queue::new(bell))
    }

    /// Takes out what has ended, at most `most` waits, and returns how many. Those who get one response
    /// come in no order. Does not block. If something is left behind the bell rings again.
    ///
    /// Several threads may, and share what there is.
    pub fn poll(&self, most: usize, each: impl FnMut(T, WaitOutcome)) -> usize {
        self.0.poll(most, each)
    }

    /// Waits that have not ended, or whose end was not taken out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.waits.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn enroll(&self, waiter: Waiter, tag: T) -> Pending<T> {
        Pending(self.0.enroll(waiter, tag))
    }
}

impl<T: Send + 'static> Pending<T> {
    /// Gives the place in the engine's queue back, and the wait's end is not handed out. False: it was
    /// handed out, or cancelled before.
    #[expect(clippy::must_use_candidate, reason = "most callers do not care which came first")]
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }
}

impl Ending for Waiter {
    fn decline(outcome: WaitOutcome) {
        outcome.decline();
    }
}

impl<F: Ending, T: Send + 'static> Queue<F, T> {
    pub(crate) fn new(bell: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            due: SegQueue::new(),
            rung: AtomicU32::new(0),
            bell: Box::new(bell),
            waits: HashMap::new(),
            next: AtomicU64::new(0),
        }))
    }

    pub(crate) fn poll(&self, most: usize, mut each: impl FnMut(T, F::Output)) -> usize {
        // AcqRel, with `Shared::ring`: what was pushed before the bell rang is found below, and what is
        // pushed later rings again.
        self.0.rung.swap(0, Ordering::AcqRel);
        let mut count = 0;
        while count < most {
            let Some(wait) = self.0.due.pop() else { return count };
            if let Some((tag, outcome)) = wait.look() {
                each(tag, outcome);
                count += 1;
            }
        }
        if !self.0.due.is_empty() {
            self.0.ring();
        }
        count
    }

    pub(crate) fn enroll(&self, waiter: F, tag: T) -> Arc<Wait<F, T>> {
        let job = AtomicBox::new(Box::new(Job { waiter, tag }));
        // Relaxed: a number.
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (queue, state) = (Arc::downgrade(&self.0), AtomicU32::new(DUE));
        let wait = Arc::new(Wait { queue, number, state, job });
        self.0.waits.pin().insert(number, wait.clone());
        // Not looked at here: a lease that is there already is accepted by whoever polls.
        self.0.push(wait.clone());
        wait
    }
}

impl<F: Ending, T: Send + 'static> Drop for Queue<F, T> {
    fn drop(&mut self) {
        // Nobody enrolls any more.
        for wait in self.0.waits.pin().values() {
            wait.cancel();
        }
        while self.0.due.pop().is_some() {}
    }
}

impl<F: Ending, T: Send + 'static> Shared<F, T> {
    fn push(&self, wait: Arc<Wait<F, T>>) {
        self.due.push(wait);
        self.ring();
    }

    fn ring(&self) {
        // AcqRel: see `Completions::poll`.
        if self.rung.swap(1, Ordering::AcqRel) == 0 {
            contain(|| (self.bell)());
        }
    }
}

impl<F: Ending, T: Send + 'static> Wait<F, T> {
    /// What the wait came to, if it did. For whoever took it out of `due`.
    fn look(self: &Arc<Self>) -> Option<(T, F::Output)> {
        // AcqRel here and below: what the last look did comes before this one's (completions.1).
        self.state.compare_exchange(DUE, LOOKING, Ordering::AcqRel, Ordering::Acquire).ok()?;
        let waker = Waker::from(self.clone());
        while let Some(mut job) = self.job.take() {
            let mut context = Context::from_waker(&waker);
            if let Poll::Ready(outcome) = Pin::new(&mut job.waiter).poll(&mut context) {
                return self.end(job.tag, outcome);
            }
            // Put back before the state says so.
            self.job.swap(Some(job));
            let rest = |state| match state {
                LOOKING => Some(IDLE),
                AGAIN => Some(LOOKING),
                _ => None,
            };
            match self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest) {
                Ok(AGAIN) => {}
                Ok(_) => return None,
                // Cancelled: what is dropped leaves the queue.
                Err(_) => contain(|| drop(self.job.take())),
            }
        }
        None
    }

    fn end(&self, tag: T, outcome: F::Output) -> Option<(T, F::Output)> {
        // AcqRel: against `cancel`.
        if self.state.swap(OVER, Ordering::AcqRel) != OVER {
            self.strike();
            return Some((tag, outcome));
        }
        F::decline(outcome);
        contain(|| drop(tag));
        None
    }

    pub(crate) fn cancel(&self) -> bool {
        // AcqRel: pairs with the steps of `look` (completions.1).
        let before = self.state.swap(OVER, Ordering::AcqRel);
        if before == IDLE || before == DUE {
            // What is dropped here leaves the queue, and passes on what it was just offered.
            contain(|| drop(self.job.take()));
        }
        if before != OVER {
            self.strike();
        }
        before != OVER
    }

    /// Takes it off the list of waits; once.
    fn strike(&self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.waits.pin().remove(&self.number);
        }
    }
}

impl<F: Ending, T: Send + 'static> Wake for Wait<F, T> {
    fn wake(self: Arc<Self>) {
        let woken = |state| match state {
            IDLE => Some(DUE),
            LOOKING => Some(AGAIN),
            _ => None,
        };
        // AcqRel: as in `look`.
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, woken) == Ok(IDLE)
            && let Some(queue) = self.queue.upgrade()
        {
            queue.push(self);
        }
    }
}

impl WaitOutcome {
    /// What nobody was given, so nobody has begun: a lease is the next waiter's, whatever the policy for
    /// leases that are dropped.
    pub(crate) fn decline(self) {
        if let WaitOutcome::Execute(lease) = self {
            // Stale: it has passed on already.
            let _ = lease.cancel(Reason::Owner);
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Completions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
