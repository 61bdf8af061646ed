//! Waiting for somebody else's result.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use crate::callback::Callback;
use crate::clock::bounded_millis;
use crate::completions::{Completions, Pending};
use crate::engine::Anchor;
use crate::lease::Lease;
use crate::outcome::{Info, WaitOutcome};
use crate::protocol::{Core, Verdict, Waiting};
use crate::record::flight::Facts;
use crate::record::response::Kind;
use crate::record::term::Term;
use crate::record::value::drop_pending;
use crate::replay::Replay;
use crate::stats::Count;

/// What a claim found: an owner at work, and the place in the queue that the claim took.
#[derive(Debug)]
pub struct InFlight {
    info: Info,
    waiter: Option<Waiter>,
}

impl InFlight {
    pub(crate) fn new(core: &Core, waiter: Option<Waiter>, facts: Facts, term: Term) -> Self {
        let now = core.clock.now();
        let info = Info {
            age: Duration::from_millis(now.saturating_sub(facts.started)),
            left: Duration::from_millis(term.deadline().saturating_sub(now)),
            owner: facts.owner,
        };
        Self { info, waiter }
    }

    /// The owner's lease, as it was when the claim was made.
    #[must_use]
    pub fn info(&self) -> Info {
        self.info
    }

    /// The place in the queue; `None` if the claim said not to wait.
    #[must_use]
    pub fn into_waiter(self) -> Option<Waiter> {
        self.waiter
    }

    /// As [`Waiter::wait`]. A claim that said not to wait gets [`WaitOutcome::TimedOut`] at once.
    pub fn wait(self) -> WaitOutcome {
        self.waiter.map_or(WaitOutcome::TimedOut, Waiter::wait)
    }

    /// As [`Waiter::wait_for`]. A claim that said not to wait gets [`WaitOutcome::TimedOut`] at
    /// once.
    pub fn wait_for(self, time: Duration) -> WaitOutcome {
        self.waiter.map_or(WaitOutcome::TimedOut, |waiter| waiter.wait_for(time))
    }
}

/// As [`Waiter`]'s. A claim that said not to wait gets [`WaitOutcome::TimedOut`] at once.
impl Future for InFlight {
    type Output = WaitOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<WaitOutcome> {
        match &mut self.waiter {
            Some(waiter) => Pin::new(waiter).poll(context),
            None => Poll::Ready(WaitOutcome::TimedOut),
        }
    }
}

/// A place in the queue of those who wait for one owner's result.
///
/// There are four ways to wait, in the same queue: block ([`wait`](Self::wait)), `await` (it is a
/// [`Future`], for any executor), be called back ([`on_end`](Self::on_end)), or have it end in a queue of
/// completions ([`end_in`](Self::end_in)). What a lease's age
/// ends is noticed by blocking waiters themselves; the others need somebody who ticks, as the
/// helper thread does.
///
/// Dropping it gives the place back and disturbs nobody; if the record was being handed over to it,
/// it passes on to the next.
#[must_use = "a dropped waiter waits for nothing"]
pub struct Waiter {
    anchor: Arc<Anchor>,
    /// `None` once the waiting has ended.
    waiting: Option<Waiting>,
}

impl Waiter {
    pub(crate) fn new(anchor: Arc<Anchor>, waiting: Waiting) -> Self {
        Self { anchor, waiting: Some(waiting) }
    }

    /// Blocks the thread until the owner's lease ends, one way or another.
    ///
    /// It always does: if the owner says nothing, the lease runs out, and then the oldest waiter
    /// executes (or whatever the owner's policy is).
    pub fn wait(self) -> WaitOutcome {
        self.wait_until(u64::MAX)
    }

    /// As [`wait`](Self::wait), but at most for `time`; [`WaitOutcome::TimedOut`] after that. Zero:
    /// looks once and does not block.
    ///
    /// After [`WaitOutcome::TimedOut`] the place in the queue is given back; a new claim takes one at
    /// the end.
    pub fn wait_for(self, time: Duration) -> WaitOutcome {
        let clock = &self.anchor.core.clock;
        let millis = bounded_millis(time);
        // No time at all is none: one look, without the rounding that a wait gets on top.
        let limit = if time.is_zero() { 0 } else { clock.deadline(clock.now(), millis) };
        self.wait_until(limit)
    }

    /// Calls `callback` with what the wait came to: once, on the thread that ends the owner's lease, ticks
    /// or otherwise brings it about; or on this one, before this returns, if it has come already (within
    /// another callback: once that has returned).
    ///
    /// It runs with no lock held and may call the engine; it should be short and must not block, since
    /// whoever completes waits for it. While it runs, others whose turn has come on the same thread
    /// wait for theirs. Its panic is contained. A lease that it is given is accepted by that.
    pub fn on_end(self, callback: impl FnOnce(WaitOutcome) + Send + 'static) -> Callback {
        Callback::start(self, Box::new(callback))
    }

    /// Has the wait end in `queue`, where whoever polls it is told, with `tag`. Does not block, and looks at
    /// nothing yet: the queue's bell rings for the first look.
    pub fn end_in<T: Send + 'static>(self, queue: &Completions<T>, tag: T) -> Pending<T> {
        queue.enroll(self, tag)
    }

    fn wait_until(mut self, limit: u64) -> WaitOutcome {
        let core = &self.anchor.core;
        let Some(waiting) = &self.waiting else { return WaitOutcome::TimedOut };
        let verdict = loop {
            // First ready to be woken, then look, then sleep: nothing is missed in between.
            core.prepare(waiting);
            match core.poll(waiting) {
                Verdict::Wait(_) if core.clock.now() >= limit => {
                    core.count(Count::TimedOut);
                    // Dropping leaves the queue, and passes on what may just have been offered.
                    return WaitOutcome::TimedOut;
                }
                Verdict::Wait(until) => core.sleep(waiting, until.min(limit)),
                verdict => break verdict,
            }
        };
        self.waiting = None;
        self.outcome(verdict)
    }

    /// What a wait has come to; the last step of its call.
    fn outcome(&self, verdict: Verdict) -> WaitOutcome {
        drop_pending();
        let core = &self.anchor.core;
        match verdict {
            Verdict::Finished(loc) => self.finished(loc),
            Verdict::Cancelled(reason) => WaitOutcome::Cancelled(reason),
            Verdict::Execute(held) => {
                core.count(Count::Executes);
                WaitOutcome::Execute(Lease::new(self.anchor.clone(), held))
            }
            Verdict::Closed => WaitOutcome::Closed,
            Verdict::Wait(_) => WaitOutcome::TimedOut,
        }
    }

    fn finished(&self, loc: u32) -> WaitOutcome {
        // Takes over the hold that came with the verdict; lets go of it where it is not handed on.
        let replay = Replay::new(self.anchor.clone(), loc);
        let response = self.anchor.core.response(loc);
        match response.kind() {
            Kind::Response | Kind::Error | Kind::Value | Kind::Failure => {
                WaitOutcome::Replay(replay)
            }
            Kind::Tombstone => WaitOutcome::Done(replay.info()),
            Kind::Cancelled => WaitOutcome::Cancelled(response.reason()),
            Kind::Halted => WaitOutcome::Halted(response.reason()),
        }
    }
}

/// Waits for what [`wait`](Waiter::wait) returns. Dropping it leaves the queue. Once it has been ready,
/// it is [`WaitOutcome::TimedOut`].
impl Future for Waiter {
    type Output = WaitOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<WaitOutcome> {
        let core = &self.anchor.core;
        let Some(waiting) = &self.waiting else { return Poll::Ready(WaitOutcome::TimedOut) };
        let verdict = loop {
            // As in `wait_until`.
            core.prepare(waiting);
            match core.poll(waiting) {
                Verdict::Wait(_) if core.arm(waiting, context.waker()) => {
                    drop_pending();
                    return Poll::Pending;
                }
                Verdict::Wait(_) => {}
                verdict => break verdict,
            }
        };
        self.waiting = None;
        Poll::Ready(self.outcome(verdict))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.anchor.core.leave(&waiting);
            drop_pending();
        }
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}
