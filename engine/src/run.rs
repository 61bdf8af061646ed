//! Running a function at most once at a time, and sharing what comes of it (L9).

use core::time::Duration;

use crate::claim::{Claim, ClaimError};
use crate::engine::Engine;
use crate::lease::Lease;
use crate::outcome::{
    Completion, Info, Limit, OnError, Outcome, Reason, Stale, State, WaitOutcome,
};
use crate::replay::Replay;

/// What [`Engine::run`] came to.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Ran<R, E> {
    /// The function ran here and succeeded; and how its response was stored. `Stale`: it took
    /// longer than [`max_run`](crate::Builder::max_run) and somebody else has taken over.
    Executed(R, Result<Completion, Stale>),
    /// The function ran here and failed; what becomes of the error is
    /// [`on_error`](crate::Builder::on_error)'s.
    Failed(E),
    /// It ran elsewhere: its response, or the error it [shared](Replay::is_error).
    Replayed(Replay),
    /// It ran; the response was not kept.
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
}

impl Engine {
    /// Runs `function` if nobody else does and nobody has; otherwise waits for, or replays, what
    /// came of it.
    ///
    /// Blocks while it runs, here or elsewhere. The lease holds while the function runs, for at most
    /// [`max_run`](crate::Builder::max_run); the claim's own lease time is not used. A panic abandons
    /// the lease and goes on to the caller. What is stored and shared of a response or an error is
    /// its bytes, so both are `AsRef<[u8]>`.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    ///
    /// ```
    /// use idem::{Engine, Ran, Scope};
    /// let engine = Engine::new()?;
    /// let key = engine.key(Scope::None, b"report-2026-11")?;
    /// let ran = engine.run(key, || Ok::<_, String>("made"))?;
    /// assert!(matches!(ran, Ran::Executed("made", Ok(_))));
    /// let ran = engine.run(key, || Ok::<_, String>("made again"))?;
    /// assert!(matches!(ran, Ran::Replayed(response) if &*response == b"made"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<R, E>(
        &self,
        claim: impl Into<Claim>,
        function: impl FnOnce() -> Result<R, E>,
    ) -> Result<Ran<R, E>, ClaimError>
    where
        R: AsRef<[u8]>,
        E: AsRef<[u8]>,
    {
        let (max_run, on_error) = self.run_options();
        let lease = match self.claim(claim.into().with_lease(max_run))? {
            Outcome::Execute(lease) => lease,
            Outcome::InFlight(other) => {
                let info = other.info();
                match other.wait() {
                    WaitOutcome::Execute(lease) => lease,
                    WaitOutcome::Replay(replay) => return Ok(Ran::Replayed(replay)),
                    WaitOutcome::Done(info) => return Ok(Ran::Done(info)),
                    WaitOutcome::Cancelled(reason) => return Ok(Ran::Cancelled(reason)),
                    WaitOutcome::Halted(reason) => return Ok(Ran::Halted(reason)),
                    WaitOutcome::TimedOut => return Ok(Ran::InFlight(info)),
                    WaitOutcome::Closed => return Ok(Ran::Closed),
                }
            }
            Outcome::Replay(replay) => return Ok(Ran::Replayed(replay)),
            Outcome::Done(info) => return Ok(Ran::Done(info)),
            Outcome::Mismatch(state) => return Ok(Ran::Mismatch(state)),
            Outcome::Cancelled(reason) => return Ok(Ran::Cancelled(reason)),
            Outcome::Halted(reason) => return Ok(Ran::Halted(reason)),
            Outcome::Full(limit) => return Ok(Ran::Full(limit)),
            Outcome::Closed => return Ok(Ran::Closed),
        };
        Ok(match function() {
            Ok(response) => {
                let stored = lease.complete(response.as_ref());
                Ran::Executed(response, stored)
            }
            Err(error) => {
                end_failed(lease, error.as_ref(), on_error);
                Ran::Failed(error)
            }
        })
    }
}

/// Ends the lease of a function that failed. If the lease is over by then, others have moved on.
fn end_failed(lease: Lease, error: &[u8], policy: OnError) {
    let _ = match policy {
        OnError::Share => lease.fail(error, Duration::ZERO).map(drop),
        OnError::Keep(retention) => lease.fail(error, retention).map(drop),
        OnError::HandOver => lease.cancel(Reason::Owner),
        OnError::Halt => lease.halt(Reason::Owner),
    };
}
