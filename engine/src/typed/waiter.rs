//! Waiting for somebody else's value.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::{WaitOutcome, Weigh};
use crate::callback::Callback;
use crate::outcome::Info;

/// As [`InFlight`](crate::InFlight): an owner at work, and the place in the queue that the claim took.
pub struct InFlight<V, E> {
    other: crate::InFlight,
    weigh: Weigh<V, E>,
}

/// As [`Waiter`](crate::Waiter): a place in the queue of those who wait for one owner's value.
#[must_use = "a dropped waiter waits for nothing"]
pub struct Waiter<V, E> {
    waiter: crate::Waiter,
    weigh: Weigh<V, E>,
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> InFlight<V, E> {
    pub(super) fn new(other: crate::InFlight, weigh: Weigh<V, E>) -> Self {
        Self { other, weigh }
    }

    /// As [`info`](crate::InFlight::info).
    #[must_use]
    pub fn info(&self) -> Info {
        self.other.info()
    }

    /// As [`into_waiter`](crate::InFlight::into_waiter).
    #[must_use]
    pub fn into_waiter(self) -> Option<Waiter<V, E>> {
        let Self { other, weigh } = self;
        other.into_waiter().map(|waiter| Waiter { waiter, weigh })
    }

    /// As [`wait`](crate::InFlight::wait).
    pub fn wait(self) -> WaitOutcome<V, E> {
        WaitOutcome::of(self.other.wait(), self.weigh)
    }

    /// As [`wait_for`](crate::InFlight::wait_for).
    pub fn wait_for(self, time: Duration) -> WaitOutcome<V, E> {
        WaitOutcome::of(self.other.wait_for(time), self.weigh)
    }
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> Waiter<V, E> {
    /// As [`wait`](crate::Waiter::wait).
    pub fn wait(self) -> WaitOutcome<V, E> {
        WaitOutcome::of(self.waiter.wait(), self.weigh)
    }

    /// As [`wait_for`](crate::Waiter::wait_for).
    pub fn wait_for(self, time: Duration) -> WaitOutcome<V, E> {
        WaitOutcome::of(self.waiter.wait_for(time), self.weigh)
    }

    /// As [`on_end`](crate::Waiter::on_end).
    pub fn on_end(self, callback: impl FnOnce(WaitOutcome<V, E>) + Send + 'static) -> Callback {
        let weigh = self.weigh;
        self.waiter.on_end(move |outcome| callback(WaitOutcome::of(outcome, weigh)))
    }
}

/// As [`InFlight`](crate::InFlight)'s.
impl<V: Send + Sync + 'static, E: Send + Sync + 'static> Future for InFlight<V, E> {
    type Output = WaitOutcome<V, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let weigh = self.weigh;
        Pin::new(&mut self.other).poll(context).map(|outcome| WaitOutcome::of(outcome, weigh))
    }
}

/// As [`Waiter`](crate::Waiter)'s.
impl<V: Send + Sync + 'static, E: Send + Sync + 'static> Future for Waiter<V, E> {
    type Output = WaitOutcome<V, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let weigh = self.weigh;
        Pin::new(&mut self.waiter).poll(context).map(|outcome| WaitOutcome::of(outcome, weigh))
    }
}

impl<V, E> fmt::Debug for InFlight<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.other.fmt(f)
    }
}

impl<V, E> fmt::Debug for Waiter<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.waiter.fmt(f)
    }
}
