//! The lease: what the one caller has that executes.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::clock::bounded_millis;
use crate::engine::Anchor;
use crate::key::hash_of;
use crate::outcome::{Completion, OnEnd, Origin, Reason, Stale};
use crate::own::Own;
use crate::protocol::{Ending, Held, WINDOW};
use crate::record::body::{Body, ByHandle};
use crate::record::response::Kind;
use crate::wait::alarm::contain;

/// Bytes from which on a body that is handed in with its owner stays where it is. Shorter ones are
/// copied: that costs less than what the owner takes on the heap.
const OWNED_LEAST: usize = 1024;

/// The right to execute, until its deadline or an end, whichever is acted on first.
///
/// Every call checks the fencing token in the same atomic step that acts (L2): an owner whose lease
/// was taken over gets [`Stale`] and changes nothing. A lease whose deadline has passed but that
/// nobody has acted on still counts.
///
/// Dropped without an end, it is abandoned: see [`Claim::on_abandon`](crate::Claim::on_abandon).
#[must_use = "a dropped lease is abandoned"]
pub struct Lease {
    anchor: Arc<Anchor>,
    held: Held,
    is_over: bool,
}

/// A lease as a plain value, for callers that cannot hold on to one: across a queue, a callback or
/// a language boundary. Nothing happens when it is lost; the lease then ends at its deadline.
///
/// Good in the engine that gave it, any number of times; [`Engine::lease`](crate::Engine::lease)
/// makes it a lease again. Of two ends by copies of one token the second gets [`Stale`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub(crate) engine: u64,
    pub(crate) held: Held,
}

/// Why a token is no lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// Another engine gave it.
    WrongEngine,
    /// Its lease is over.
    Stale,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::WrongEngine => f.write_str("the token was given by another engine"),
            TokenError::Stale => Stale.fmt(f),
        }
    }
}

impl core::error::Error for TokenError {}

impl Lease {
    pub(crate) fn new(anchor: Arc<Anchor>, held: Held) -> Self {
        Self { anchor, held, is_over: false }
    }

    /// Stores the response, gives it to everyone who waits, and ends the lease.
    ///
    /// Never fails for room or size: then a tombstone is stored, which says that it was done and
    /// keeps it from being done again (L1).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn complete(self, response: &[u8]) -> Result<Completion, Stale> {
        self.end(Kind::Response, response, None)
    }

    /// As [`complete`](Self::complete), kept for `retention` (at most ten years).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn complete_for(self, response: &[u8], retention: Duration) -> Result<Completion, Stale> {
        self.end(Kind::Response, response, Some(bounded_millis(retention)))
    }

    /// As [`complete`](Self::complete), without copying: the response stays where it is, in the hands of
    /// its owner, who is dropped once the record is over and nobody has a [`Replay`](crate::Replay) any
    /// more; exactly once, whatever becomes of the lease. For large responses that are there already.
    ///
    /// Its length counts as other responses' do. Short ones (less than 1024 bytes) are copied
    /// nevertheless, and dropped before this returns; so is what is not stored. Where and when an owner
    /// is dropped: [`manual::threads`](crate::manual::threads#where-values-are-dropped).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    ///
    /// ```
    /// use idem::{Engine, Outcome, Scope};
    /// let engine = Engine::new()?;
    /// let key = engine.key(Scope::None, b"export-9")?;
    /// let Outcome::Execute(lease) = engine.claim(key)? else { return Ok(()) };
    /// let body = vec![7; 1 << 20];
    /// let place = body.as_ptr();
    /// lease.complete_owned(body)?;
    /// let Outcome::Replay(response) = engine.claim(key)? else { return Ok(()) };
    /// assert_eq!((response.len(), response.as_ptr()), (1 << 20, place));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn complete_owned(
        self,
        response: impl AsRef<[u8]> + Send + Sync + 'static,
    ) -> Result<Completion, Stale> {
        self.end_owned(response, None)
    }

    /// As [`complete_owned`](Self::complete_owned), kept for `retention` (at most ten years).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn complete_owned_for(
        self,
        response: impl AsRef<[u8]> + Send + Sync + 'static,
        retention: Duration,
    ) -> Result<Completion, Stale> {
        self.end_owned(response, Some(bounded_millis(retention)))
    }

    /// Completes many leases in one call, as [`complete`](Self::complete) each: faster than one by one,
    /// since their cache misses overlap. The results are in the order of the leases.
    pub fn complete_batch<'a>(
        completions: impl IntoIterator<Item = (Self, &'a [u8])>,
    ) -> Vec<Result<Completion, Stale>> {
        Self::end_batch(completions, |response| (Kind::Response, *response))
    }

    /// Ends each lease with what `body` makes of what came with it, for its retention.
    pub(crate) fn end_batch<T, B: Body>(
        completions: impl IntoIterator<Item = (Self, T)>,
        body: impl Fn(&T) -> (Kind, B),
    ) -> Vec<Result<Completion, Stale>> {
        let mut results = Vec::new();
        let mut window: Vec<(Self, T)> = Vec::with_capacity(WINDOW);
        for (lease, response) in completions {
            let is_other = |(last, _): &(Self, _)| last.anchor.engine != lease.anchor.engine;
            if window.len() == WINDOW || window.last().is_some_and(is_other) {
                end_window(&mut window, &body, &mut results);
            }
            window.push((lease, response));
        }
        end_window(&mut window, &body, &mut results);
        results
    }

    /// Shares an error with everyone who waits, and keeps it for `retention`; zero: only shared.
    /// They get it as a [`Replay`](crate::Replay) that [is an error](crate::Replay::is_error).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over; nothing was stored.
    pub fn fail(self, error: &[u8], retention: Duration) -> Result<Completion, Stale> {
        self.end(Kind::Error, error, Some(bounded_millis(retention)))
    }

    /// Gives up: the longest waiting waiter executes next, without one the key is free.
    ///
    /// `reason` is [`Reason::Owner`] or a code of the caller's own, here and in what follows; the
    /// others are the engine's to say, and are told as `Owner`.
    ///
    /// # Errors
    /// [`Stale`]: the lease was over already.
    pub fn cancel(mut self, reason: Reason) -> Result<(), Stale> {
        self.give_up(OnEnd::HandOver, reason.by_owner())
    }

    /// Gives up, and every waiter gets [`WaitOutcome::Cancelled`](crate::WaitOutcome::Cancelled).
    ///
    /// # Errors
    /// [`Stale`]: the lease was over already.
    pub fn cancel_all(mut self, reason: Reason) -> Result<(), Stale> {
        self.give_up(OnEnd::FailWaiters, reason.by_owner())
    }

    /// The outcome is unknown: nobody executes this key until the halted retention is over.
    ///
    /// # Errors
    /// [`Stale`]: the lease was over already.
    pub fn halt(mut self, reason: Reason) -> Result<(), Stale> {
        self.give_up(OnEnd::Halt, reason.by_owner())
    }

    /// Moves the deadline to `time` from now, never earlier.
    ///
    /// # Errors
    /// [`Stale`]: the lease is over, or is being ended for its age.
    pub fn renew(&self, time: Duration) -> Result<(), Stale> {
        self.anchor.core.renew(&self.held, bounded_millis(time))
    }

    /// How the caller came by it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.held.origin
    }

    /// 1 for the first execution of a key; one more for each lease before this one that ended without
    /// a result, for as long as the key had a record.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.held.attempt
    }

    /// Until others may take over: zero once the deadline has passed, `None` once somebody has acted on
    /// that, or the lease was ended.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let core = &self.anchor.core;
        let deadline = core.deadline(&self.held).ok()?;
        Some(Duration::from_millis(deadline.saturating_sub(core.clock.now())))
    }

    /// The hash that stands for its key in reports and events, [`Key::hash`](crate::Key::hash); `None` once
    /// the lease is over.
    #[must_use]
    pub fn key_hash(&self) -> Option<u128> {
        self.anchor.core.id_of(&self.held).ok().map(hash_of)
    }

    /// Whether anybody waits for its end, now.
    pub(crate) fn is_awaited(&self) -> bool {
        self.anchor.core.is_awaited(&self.held)
    }

    /// The lease as a plain value. It is not abandoned by this.
    #[must_use]
    pub fn into_token(mut self) -> Token {
        self.is_over = true;
        self.token()
    }

    /// The same, while the lease goes on here: for whoever renews it elsewhere.
    #[must_use]
    pub fn token(&self) -> Token {
        Token { engine: self.anchor.engine, held: self.held }
    }

    /// Ends with a record of any kind, for tests that want one.
    #[cfg(not(idem_loom))]
    pub(crate) fn end_as(
        mut self,
        kind: Kind,
        reason: Reason,
        bytes: &[u8],
    ) -> Result<Completion, Stale> {
        self.is_over = true;
        let ending = Ending { kind, reason, body: bytes, retention: None };
        self.anchor.core.complete(&self.held, ending)
    }

    pub(crate) fn end<B: Body>(
        mut self,
        kind: Kind,
        body: B,
        retention: Option<u64>,
    ) -> Result<Completion, Stale> {
        self.is_over = true;
        let ending = Ending { kind, reason: Reason::Owner, body, retention };
        self.anchor.core.complete(&self.held, ending)
    }

    fn end_owned<T: AsRef<[u8]> + Send + Sync + 'static>(
        self,
        response: T,
        retention: Option<u64>,
    ) -> Result<Completion, Stale> {
        if response.as_ref().len() < OWNED_LEAST {
            let ended = self.end(Kind::Response, response.as_ref(), retention);
            contain(|| drop(response));
            return ended;
        }
        let own = self.own(response);
        let value = own.handle();
        // Where it is to stay: the bytes may lie in the owner itself.
        let bytes = value.get::<T>().map_or(&[][..], AsRef::as_ref);
        let body = ByHandle { value, weight: bytes.len(), bytes: bytes.as_ptr() };
        self.end(Kind::Response, body, retention)
    }

    /// Takes a value in, to end a lease of this engine with.
    pub(crate) fn own<T: Send + Sync + 'static>(&self, value: T) -> Own {
        Own::new(self.anchor.clone(), value)
    }

    fn give_up(&mut self, policy: OnEnd, reason: Reason) -> Result<(), Stale> {
        self.is_over = true;
        self.anchor.core.give_up(&self.held, policy, reason)
    }
}

/// Ends the leases of a window, which are all of one engine.
fn end_window<T, B: Body>(
    window: &mut Vec<(Lease, T)>,
    body: &impl Fn(&T) -> (Kind, B),
    results: &mut Vec<Result<Completion, Stale>>,
) {
    window.iter_mut().for_each(|(lease, _)| lease.is_over = true);
    if let Some((first, _)) = window.first() {
        let of = |(lease, response): &(Lease, T)| {
            let (kind, body) = body(response);
            (lease.held, Ending { kind, reason: Reason::Owner, body, retention: None })
        };
        first.anchor.core.complete_batch(window, of, |result| results.push(result));
    }
    window.clear();
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_over {
            let panicking = std::thread::panicking();
            let reason = if panicking { Reason::Panicked } else { Reason::Dropped };
            // Stale: somebody else has ended it, which is what we are here for.
            let _ = self.give_up(self.held.on_abandon, reason);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("origin", &self.origin())
            .field("attempt", &self.attempt())
            .field("time_left", &self.time_left())
            .finish_non_exhaustive()
    }
}
