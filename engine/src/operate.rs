//! What is done to a key from outside, without its lease: forget, detach, force, resolve; and `once`.

use core::fmt;
use core::time::Duration;

use crate::claim::{Claim, ClaimError};
use crate::clock::bounded_millis;
use crate::engine::Engine;
use crate::inspect::HaltToken;
use crate::key::Key;
use crate::outcome::{Completion, Limit, OnEnd, Outcome, Reason, Removal, State};
use crate::protocol::{Settled, Settlement};
use crate::record::body::Body;
use crate::record::response::Kind;
use crate::record::value::drop_pending;

/// How a halted record is to be settled (L8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Resolution<'a> {
    /// It was done, and this is the response; kept for the time given, at most ten years.
    Complete(&'a [u8], Duration),
    /// It was not done: the key is vacant, and the next claim executes.
    Release,
    /// It stays halted, for the halted retention from now on.
    Keep,
}

/// What a halted record has become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Resolved {
    /// Completed; and how the response was stored.
    Completed(Completion),
    /// Vacant.
    Released,
    /// Halted for longer.
    Kept,
}

/// Why a halted record was not settled; it is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ResolveError {
    /// The key was made by another engine.
    WrongEngine,
    /// The key is not halted any more, or was halted once more since.
    Stale,
    /// There is no room for another record beside it, until it is gone.
    Full(Limit),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResolveError::WrongEngine => "the key was made by another engine",
            ResolveError::Stale => "the key is not halted any more, or was halted once more since",
            ResolveError::Full(_) => "no room for what is to take the place of the halted record",
        })
    }
}

impl core::error::Error for ResolveError {}

/// Why [`Engine::once`] could not say whether it is the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OnceError {
    /// What is wrong with the claim.
    Claim(ClaimError),
    /// The key was used with another fingerprint.
    Mismatch(State),
    /// The key was halted: its outcome is unknown.
    Halted(Reason),
    /// There was no room.
    Full(Limit),
    /// The engine is closed.
    Closed,
    /// The claim was ended before it had marked the key: its lease ran out or was taken, by force or with the
    /// record. Try again.
    Stale,
}

impl fmt::Display for OnceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnceError::Claim(error) => error.fmt(f),
            OnceError::Mismatch(_) => f.write_str("the key was used with another fingerprint"),
            OnceError::Halted(_) => f.write_str("the key was halted: its outcome is unknown"),
            OnceError::Full(_) => f.write_str("there is no room for a new record"),
            OnceError::Closed => f.write_str("the engine is closed"),
            OnceError::Stale => f.write_str("the claim was ended before it had marked the key"),
        }
    }
}

impl core::error::Error for OnceError {}

impl Engine {
    /// Whether this is the first time that the key is seen within `retention`: for webhooks and queue
    /// messages, where no response is to be stored. Of any number of calls at once one gets `true`.
    ///
    /// The key counts as seen from this call on, whatever becomes of the work. Where the work may fail
    /// and is to be tried again, [`forget`](Self::forget) releases the key; or claim it, and complete
    /// the lease when it is done. Does not block. Zero retention remembers nothing.
    ///
    /// # Errors
    /// What keeps it from being decided; the key has not been marked as seen.
    ///
    /// ```
    /// use idem::{Engine, Scope};
    /// use std::time::Duration;
    /// let engine = Engine::new()?;
    /// let hook = engine.key(Scope::Of(b"shop"), b"webhook-81")?;
    /// let day = Duration::from_secs(86_400);
    /// assert!(engine.once(hook, day)?);
    /// assert!(!engine.once(hook, day)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn once(&self, claim: impl Into<Claim>, retention: Duration) -> Result<bool, OnceError> {
        match self.claim(claim.into().wait(false)).map_err(OnceError::Claim)? {
            Outcome::Execute(lease) => {
                let marked = lease.complete_for(&[], retention);
                marked.map(|_| true).map_err(|_| OnceError::Stale)
            }
            Outcome::InFlight(_)
            | Outcome::Replay(_)
            | Outcome::Done(_)
            | Outcome::Cancelled(_) => Ok(false),
            Outcome::Mismatch(state) => Err(OnceError::Mismatch(state)),
            Outcome::Halted(reason) => Err(OnceError::Halted(reason)),
            Outcome::Full(limit) => Err(OnceError::Full(limit)),
            Outcome::Closed => Err(OnceError::Closed),
        }
    }

    /// Removes the record of a key that is finished: the next claim executes. A key in flight or halted
    /// is left alone. Does not block (K8).
    ///
    /// # Errors
    /// A key of another engine.
    pub fn forget(&self, key: Key) -> Result<Removal, ClaimError> {
        Ok(concluded(self.core().forget(self.id_of(key)?, false)))
    }

    /// Removes the record of a key whatever its state. In flight, its lease ends: the owner becomes
    /// [`Stale`](crate::Stale), and every waiter gets
    /// [`Cancelled(Forgotten)`](crate::WaitOutcome::Cancelled). What the owner does to the world
    /// outside goes on, beside what the next claim of the key does (K8).
    ///
    /// # Errors
    /// A key of another engine.
    pub fn forget_forced(&self, key: Key) -> Result<Removal, ClaimError> {
        Ok(concluded(self.core().forget(self.id_of(key)?, true)))
    }

    /// Makes a key that is in flight vacant, while its owner goes on for those who wait for it already:
    /// the next claim executes beside it. What the owner completes is given to its waiters and not
    /// stored ([`Completion::Detached`]); if it gives up, they get
    /// [`Cancelled`](crate::WaitOutcome::Cancelled). False: the key was not in flight, and nothing
    /// was done (K8).
    ///
    /// # Errors
    /// A key of another engine.
    pub fn detach(&self, key: Key) -> Result<bool, ClaimError> {
        Ok(concluded(self.core().detach_key(self.id_of(key)?)))
    }

    /// Ends the lease of a key by force, as if its owner had given up with this policy; the reason is
    /// [`Reason::Forced`], and the owner becomes [`Stale`](crate::Stale). False: nobody has a lease of
    /// it (O2).
    ///
    /// # Errors
    /// A key of another engine.
    pub fn force_end(&self, key: Key, policy: OnEnd) -> Result<bool, ClaimError> {
        Ok(concluded(self.core().force(self.id_of(key)?, policy)))
    }

    /// Settles a halted key. The token says which halt is meant: it is in what [`peek`](Self::peek) and
    /// the [listing](Self::listing) say of it (L8).
    ///
    /// # Errors
    /// See [`ResolveError`]; the record is as it was.
    pub fn resolve(
        &self,
        key: Key,
        token: HaltToken,
        resolution: Resolution<'_>,
    ) -> Result<Resolved, ResolveError> {
        let settlement = match resolution {
            Resolution::Complete(response, retention) => {
                Settlement::Complete(Kind::Response, response, bounded_millis(retention))
            }
            Resolution::Release => Settlement::Release,
            Resolution::Keep => Settlement::Keep,
        };
        let fit = self.settle(key, token, settlement)?;
        Ok(match resolution {
            Resolution::Complete(..) => Resolved::Completed(fit),
            Resolution::Release => Resolved::Released,
            Resolution::Keep => Resolved::Kept,
        })
    }

    pub(crate) fn settle<B: Body>(
        &self,
        key: Key,
        token: HaltToken,
        settlement: Settlement<B>,
    ) -> Result<Completion, ResolveError> {
        let id = self.id_of(key).map_err(|_| ResolveError::WrongEngine)?;
        match concluded(self.core().settle(id, token.0, settlement)) {
            Settled::Done(fit) => Ok(fit),
            Settled::Stale => Err(ResolveError::Stale),
            Settled::Full => Err(ResolveError::Full(Limit::Bytes)),
        }
    }
}

/// The last step of a call: drops the values that it has let go of (value.4).
pub(crate) fn concluded<T>(result: T) -> T {
    drop_pending();
    result
}
