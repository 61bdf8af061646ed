//! A lease that ends with a value.

use core::fmt;
use core::time::Duration;

use super::{Value, Weigh};
use crate::clock::bounded_millis;
use crate::lease::Token;
use crate::outcome::{Completion, Origin, Reason, Stale};
use crate::own::Own;
use crate::record::response::Kind;

/// As [`Lease`](crate::Lease), and its result is a value.
#[must_use = "a dropped lease is abandoned"]
pub struct Lease<V, E> {
    lease: crate::Lease,
    weigh: Weigh<V, E>,
}

impl<V, E> Lease<V, E>
where
    V: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    pub(super) fn new(lease: crate::Lease, weigh: Weigh<V, E>) -> Self {
        Self { lease, weigh }
    }

    /// Stores the value, gives it to everyone who waits, and ends the lease, as
    /// [`complete`](crate::Lease::complete) does with bytes. What is not stored and nobody gets is
    /// dropped before this returns.
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn complete(self, value: V) -> Result<Completion, Stale> {
        self.end(value, None).1
    }

    /// As [`complete`](Self::complete), kept for `retention` (at most ten years).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn complete_for(self, value: V, retention: Duration) -> Result<Completion, Stale> {
        self.end(value, Some(bounded_millis(retention))).1
    }

    /// As [`complete`](Self::complete), and the caller has the value as well, whatever came of it.
    pub fn share(self, value: V) -> (Value<V>, Result<Completion, Stale>) {
        let (own, ended) = self.end(value, None);
        (Value::made(own), ended)
    }

    /// Completes many leases in one call, as [`complete_batch`](crate::Lease::complete_batch).
    pub fn complete_batch(
        completions: impl IntoIterator<Item = (Self, V)>,
    ) -> Vec<Result<Completion, Stale>> {
        let taken_in = completions.into_iter().map(|(Self { lease, weigh }, value)| {
            let weight = (weigh.value)(&value);
            let own = lease.own(value);
            (lease, (own, weight))
        });
        crate::Lease::end_batch(taken_in, |(own, weight)| (Kind::Value, own.body(*weight)))
    }

    /// Shares an error with everyone who waits, and keeps it for `retention`; zero: only shared. They get
    /// [`Failed`](super::WaitOutcome::Failed).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn fail(self, error: E, retention: Duration) -> Result<Completion, Stale> {
        self.fail_with(error, retention).1
    }

    pub(super) fn fail_with(
        self,
        error: E,
        retention: Duration,
    ) -> (Value<E>, Result<Completion, Stale>) {
        let weight = (self.weigh.error)(&error);
        let own = self.lease.own(error);
        let (body, retention) = (own.body(weight), Some(bounded_millis(retention)));
        (Value::made(own), self.lease.end(Kind::Failure, body, retention))
    }

    fn end(self, value: V, retention: Option<u64>) -> (Own, Result<Completion, Stale>) {
        let weight = (self.weigh.value)(&value);
        let own = self.lease.own(value);
        let ended = self.lease.end(Kind::Value, own.body(weight), retention);
        (own, ended)
    }

    /// A value that is not stored, as if it had been: for those who have made one and gave it up.
    pub(super) fn keep<T: Send + Sync + 'static>(&self, value: T) -> Value<T> {
        Value::made(self.lease.own(value))
    }
}

impl<V, E> Lease<V, E> {
    /// As [`cancel`](crate::Lease::cancel).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over already.
    pub fn cancel(self, reason: Reason) -> Result<(), Stale> {
        self.lease.cancel(reason)
    }

    /// As [`cancel_all`](crate::Lease::cancel_all).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over already.
    pub fn cancel_all(self, reason: Reason) -> Result<(), Stale> {
        self.lease.cancel_all(reason)
    }

    /// As [`halt`](crate::Lease::halt).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over already.
    pub fn halt(self, reason: Reason) -> Result<(), Stale> {
        self.lease.halt(reason)
    }

    /// As [`renew`](crate::Lease::renew).
    ///
    /// # Errors
    /// [`Stale`]: the lease is over, or is being ended for its age.
    pub fn renew(&self, time: Duration) -> Result<(), Stale> {
        self.lease.renew(time)
    }

    /// As [`origin`](crate::Lease::origin).
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.lease.origin()
    }

    /// As [`attempt`](crate::Lease::attempt).
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.lease.attempt()
    }

    /// As [`time_left`](crate::Lease::time_left).
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.lease.time_left()
    }

    /// As [`into_token`](crate::Lease::into_token); [`Typed::lease`](super::Typed::lease) makes it a lease
    /// again.
    #[must_use]
    pub fn into_token(self) -> Token {
        self.lease.into_token()
    }
}

impl<V, E> fmt::Debug for Lease<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lease.fmt(f)
    }
}
