//! Getting a value, by running a function at most once at a time (L9).

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

use super::outcome::Stored;
use super::{Lease, Typed, Value};
use crate::claim::{Claim, ClaimError};
use crate::outcome::{Info, Limit, OnError, Reason, State};
use crate::run::{Begun, Ran, go_on};

/// Why there is no value; see [`Typed::get_or_run`].
#[non_exhaustive]
pub enum Missed<E> {
    /// It failed, here or elsewhere. What becomes of the error is
    /// [`on_error`](crate::Builder::on_error)'s.
    Failed(Value<E>),
    /// It was done elsewhere, or before; the value was not kept, or is not of this view's types.
    Done(Info),
    /// The key was used with another fingerprint.
    Mismatch(State),
    /// It was given up.
    Cancelled(Reason),
    /// Its outcome is unknown.
    Halted(Reason),
    /// There was no room.
    Full(Limit),
    /// The claim said not to wait, and somebody else is at it.
    InFlight(Info),
    /// The engine is closed.
    Closed,
    /// What is wrong with the claim; nothing was claimed.
    Claim(ClaimError),
}

impl<V, E> Typed<V, E>
where
    V: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// The value of a key: runs `function` if nobody else does and nobody has; otherwise waits for, or
    /// gets, what came of it. As [`Engine::run`](crate::Engine::run), whoever ran it.
    ///
    /// Blocks while it runs, here or elsewhere. Where it ran here, the caller gets the value even if it
    /// was not stored: too heavy, without room, or after another took over.
    ///
    /// # Errors
    /// Why there is no value.
    ///
    /// ```
    /// use idem::typed::Missed;
    /// use idem::{Engine, Scope, Typed};
    ///
    /// let engine = Engine::new()?;
    /// let ports: Typed<u16, std::num::ParseIntError> = engine.typed();
    /// let port = |name: &str| engine.key(Scope::None, name.as_bytes());
    /// assert_eq!(*ports.get_or_run(port("http")?, || "80".parse())?, 80);
    /// let failed = ports.get_or_run(port("ftp")?, || "twenty-one".parse());
    /// assert!(matches!(failed, Err(Missed::Failed(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_or_run(
        &self,
        claim: impl Into<Claim>,
        function: impl FnOnce() -> Result<V, E>,
    ) -> Result<Value<V>, Missed<E>> {
        let lease = match self.engine.begin_run(claim).map_err(Missed::Claim)? {
            Begun::Owns(lease) => lease,
            Begun::Over(ran) => return came_to(ran),
            Begun::Waits(other) => {
                let info = other.info();
                match go_on(other.wait(), info) {
                    Ok(lease) => lease,
                    Err(ran) => return came_to(ran),
                }
            }
        };
        self.end_run(Lease::new(lease, self.weigh), function())
    }

    /// As [`get_or_run`](Self::get_or_run), for a function that returns a future, on any executor; no
    /// thread is blocked. As [`Engine::run_async`](crate::Engine::run_async), the caller drives the work:
    /// if it is dropped before that ends, the lease is abandoned.
    ///
    /// # Errors
    /// Why there is no value.
    pub async fn get_or_run_async<F>(
        &self,
        claim: impl Into<Claim>,
        function: impl FnOnce() -> F,
    ) -> Result<Value<V>, Missed<E>>
    where
        F: Future<Output = Result<V, E>>,
    {
        let lease = match self.engine.begin_run(claim).map_err(Missed::Claim)? {
            Begun::Owns(lease) => lease,
            Begun::Over(ran) => return came_to(ran),
            Begun::Waits(other) => {
                let info = other.info();
                match go_on(other.await, info) {
                    Ok(lease) => lease,
                    Err(ran) => return came_to(ran),
                }
            }
        };
        self.end_run(Lease::new(lease, self.weigh), function().await)
    }

    /// Ends the lease of a function that has returned. If it is over by then, others have moved on.
    fn end_run(&self, lease: Lease<V, E>, result: Result<V, E>) -> Result<Value<V>, Missed<E>> {
        let error = match result {
            Ok(value) => return Ok(lease.share(value).0),
            Err(error) => error,
        };
        let retention = match self.engine.run_options().1 {
            OnError::Share => Duration::ZERO,
            OnError::Keep(retention) => retention,
            OnError::HandOver => {
                let error = lease.keep(error);
                let _ = lease.cancel(Reason::Owner);
                return Err(Missed::Failed(error));
            }
            OnError::Halt => {
                let error = lease.keep(error);
                let _ = lease.halt(Reason::Owner);
                return Err(Missed::Failed(error));
            }
        };
        Err(Missed::Failed(lease.fail_with(error, retention).0))
    }
}

/// What a run came to that did not happen here.
fn came_to<V, E>(ran: Ran<Infallible, Infallible>) -> Result<Value<V>, Missed<E>>
where
    V: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    Err(match ran {
        Ran::Replayed(replay) => match Stored::of(replay) {
            Stored::Value(value) => return Ok(value),
            Stored::Failed(error) => Missed::Failed(error),
            Stored::Other(info) => Missed::Done(info),
        },
        Ran::Done(info) => Missed::Done(info),
        Ran::Mismatch(state) => Missed::Mismatch(state),
        Ran::Cancelled(reason) => Missed::Cancelled(reason),
        Ran::Halted(reason) => Missed::Halted(reason),
        Ran::Full(limit) => Missed::Full(limit),
        Ran::InFlight(info) => Missed::InFlight(info),
        Ran::Closed => Missed::Closed,
        Ran::Executed(never, _) | Ran::Failed(never) => match never {},
    })
}

impl<E> fmt::Debug for Missed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Missed::Done(info) => f.debug_tuple("Done").field(info).finish(),
            Missed::Mismatch(state) => f.debug_tuple("Mismatch").field(state).finish(),
            Missed::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
            Missed::Halted(reason) => f.debug_tuple("Halted").field(reason).finish(),
            Missed::Full(limit) => f.debug_tuple("Full").field(limit).finish(),
            Missed::InFlight(info) => f.debug_tuple("InFlight").field(info).finish(),
            Missed::Closed => f.write_str("Closed"),
            Missed::Claim(error) => f.debug_tuple("Claim").field(error).finish(),
        }
    }
}

impl<E: fmt::Display + Send + Sync + 'static> fmt::Display for Missed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::Failed(error) => (**error).fmt(f),
            Missed::Claim(error) => error.fmt(f),
            Missed::Done(_) => f.write_str("it was done, and the value was not kept"),
            Missed::Mismatch(_) => f.write_str("the key was used with another fingerprint"),
            Missed::Cancelled(_) => f.write_str("it was given up"),
            Missed::Halted(_) => f.write_str("the key was halted: its outcome is unknown"),
            Missed::Full(_) => f.write_str("there is no room for a new record"),
            Missed::InFlight(_) => f.write_str("somebody else is at it"),
            Missed::Closed => f.write_str("the engine is closed"),
        }
    }
}

impl<E: fmt::Display + Send + Sync + 'static> core::error::Error for Missed<E> {}
