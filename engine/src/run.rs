//! Running a function at most once at a time, and sharing what comes of it (L9).

use core::time::Duration;

use crate::claim::{Claim, ClaimError};
use crate::engine::Engine;
use crate::lease::Lease;
use crate::outcome::{
    Completion, Info, Limit, OnError, Outcome, Reason, Stale, State, WaitOutcome,
};
use crate::replay::Replay;
use crate::waiter::InFlight;

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
        let other = match self.begin_run(claim)? {
            Begun::Owns(lease) => return Ok(end_run(lease, function(), self.run_options().1)),
            Begun::Over(ran) => return Ok(ran),
            Begun::Waits(other) => other,
        };
        let info = other.info();
        Ok(match go_on(other.wait(), info) {
            Ok(lease) => end_run(lease, function(), self.run_options().1),
            Err(ran) => ran,
        })
    }

    /// Claims for a run: the lease holds for as long as a run may take.
    pub(crate) fn begin_run<R, E>(
        &self,
        claim: impl Into<Claim>,
    ) -> Result<Begun<R, E>, ClaimError> {
        let (max_run, _) = self.run_options();
        Ok(Begun::Over(match self.claim(claim.into().with_lease(max_run))? {
            Outcome::Execute(lease) => return Ok(Begun::Owns(lease)),
            Outcome::InFlight(other) => return Ok(Begun::Waits(other)),
            Outcome::Replay(replay) => Ran::Replayed(replay),
            Outcome::Done(info) => Ran::Done(info),
            Outcome::Mismatch(state) => Ran::Mismatch(state),
            Outcome::Cancelled(reason) => Ran::Cancelled(reason),
            Outcome::Halted(reason) => Ran::Halted(reason),
            Outcome::Full(limit) => Ran::Full(limit),
            Outcome::Closed => Ran::Closed,
        }))
    }
}

/// How a run begins.
pub(crate) enum Begun<R, E> {
    /// The function is to run here.
    Owns(Lease),
    /// Somebody else is at it.
    Waits(InFlight),
    /// It came to this.
    Over(Ran<R, E>),
}

/// After a wait: the lease, if the function is to run here now.
pub(crate) fn go_on<R, E>(outcome: WaitOutcome, info: Info) -> Result<Lease, Ran<R, E>> {
    Err(match outcome {
        WaitOutcome::Execute(lease) => return Ok(lease),
        WaitOutcome::Replay(replay) => Ran::Replayed(replay),
        WaitOutcome::Done(info) => Ran::Done(info),
        WaitOutcome::Cancelled(reason) => Ran::Cancelled(reason),
        WaitOutcome::Halted(reason) => Ran::Halted(reason),
        WaitOutcome::TimedOut => Ran::InFlight(info),
        WaitOutcome::Closed => Ran::Closed,
    })
}

/// Ends the lease of a function that has returned. If the lease is over by then, others have moved on.
pub(crate) fn end_run<R, E>(lease: Lease, result: Result<R, E>, policy: OnError) -> Ran<R, E>
where
    R: AsRef<[u8]>,
    E: AsRef<[u8]>,
{
    let error = match result {
        Ok(response) => {
            let stored = lease.complete(response.as_ref());
            return Ran::Executed(response, stored);
        }
        Err(error) => error,
    };
    let _ = match policy {
        OnError::Share => lease.fail(error.as_ref(), Duration::ZERO).map(drop),
        OnError::Keep(retention) => lease.fail(error.as_ref(), retention).map(drop),
        OnError::HandOver => lease.cancel(Reason::Owner),
        OnError::Halt => lease.halt(Reason::Owner),
    };
    Ran::Failed(error)
}
