//! A claim, as the caller words it.

use core::time::Duration;

use crate::clock::{DURATION_MAX, duration_millis};
use crate::key::{Fingerprint, Key};
use crate::outcome::OnEnd;
use crate::protocol::Ask;
use crate::realms::Home;
use crate::record::flight::Identity;

/// What to claim, and on what terms.
///
/// Everything that is not said is as the key's namespace, or the engine, has it. While somebody
/// else owns the key, that owner's terms govern; a waiter that the record is handed to brings its
/// own.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    engine: u64,
    ask: Ask,
    error: Option<ClaimError>,
}

/// What is wrong with a claim. Nothing was claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClaimError {
    /// The key was made by another engine.
    WrongEngine,
    /// A lease of no time.
    ZeroLease,
    /// A lease or retention of more than ten years.
    TooLong,
}

impl core::fmt::Display for ClaimError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ClaimError::WrongEngine => f.write_str("the key was made by another engine"),
            ClaimError::ZeroLease => f.write_str("a lease must have time: give it at least 1 ns"),
            ClaimError::TooLong => {
                write!(
                    f,
                    "leases and retentions last at most {} days",
                    DURATION_MAX.as_secs() / 86_400
                )
            }
        }
    }
}

impl core::error::Error for ClaimError {}

impl Claim {
    /// Claims `key` on its namespace's terms, ready to wait and to execute.
    #[must_use]
    #[inline]
    pub fn new(key: Key) -> Self {
        let identity = Identity { id: key.id, fingerprint: None };
        let (home, terms) = (key.home, key.terms);
        let ask = Ask { identity, home, terms, owner: 0, wait: true, may_execute: true };
        Self { engine: key.engine, ask, error: None }
    }

    /// What the request says. It is bound to the key by the first claim that gives one as the key's
    /// record begins; another one gets [`Outcome::Mismatch`](crate::Outcome::Mismatch) (K4).
    #[must_use]
    #[inline]
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.ask.identity.fingerprint = Some(fingerprint.0);
        self
    }

    /// How long the owner may take before others take over; rounded up to milliseconds.
    #[must_use]
    #[inline]
    pub fn lease(mut self, time: Duration) -> Self {
        if time.is_zero() {
            self.error = self.error.or(Some(ClaimError::ZeroLease));
        }
        self.ask.terms.lease = self.millis(time);
        self
    }

    /// How long the response is kept; zero: it goes to those who wait, and the key is free again.
    #[must_use]
    #[inline]
    pub fn retention(mut self, time: Duration) -> Self {
        self.ask.terms.retention = self.millis(time);
        self
    }

    /// What happens if the lease is dropped, or unwound by a panic.
    #[must_use]
    #[inline]
    pub fn on_abandon(mut self, policy: OnEnd) -> Self {
        self.ask.terms.on_abandon = policy;
        self
    }

    /// What happens if the lease runs out.
    #[must_use]
    #[inline]
    pub fn on_expiry(mut self, policy: OnEnd) -> Self {
        self.ask.terms.on_expiry = policy;
        self
    }

    /// Whether to register as a waiter if somebody else owns the key. Yes, unless told otherwise.
    #[must_use]
    #[inline]
    pub fn wait(mut self, wait: bool) -> Self {
        self.ask.wait = wait;
        self
    }

    /// Whether, as a waiter, to take over from an owner that gives up. Yes, unless told otherwise.
    #[must_use]
    #[inline]
    pub fn may_execute(mut self, may_execute: bool) -> Self {
        self.ask.may_execute = may_execute;
        self
    }

    /// A label that others see in [`Info::owner`](crate::Info::owner). For people, not for fencing.
    #[must_use]
    #[inline]
    pub fn owner(mut self, label: u64) -> Self {
        self.ask.owner = label;
        self
    }

    fn millis(&mut self, time: Duration) -> u64 {
        duration_millis(time).unwrap_or_else(|| {
            self.error = self.error.or(Some(ClaimError::TooLong));
            0
        })
    }

    /// The same claim of the key as it is now.
    pub(crate) fn at(&self, id: [u64; 2], home: Home) -> Self {
        let mut claim = *self;
        (claim.ask.identity.id, claim.ask.home) = (id, home);
        claim
    }

    pub(crate) fn with_lease(mut self, millis: u64) -> Self {
        self.ask.terms.lease = millis;
        self
    }

    /// What is asked for, by a claim that was found to be right.
    pub(crate) fn checked_ask(&self) -> &Ask {
        &self.ask
    }

    pub(crate) fn ask(&self, engine: u64) -> Result<&Ask, ClaimError> {
        if self.engine != engine {
            return Err(ClaimError::WrongEngine);
        }
        self.error.map_or(Ok(&self.ask), Err)
    }
}

impl From<Key> for Claim {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}
