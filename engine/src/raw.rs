//! Leases, responses and keys as plain integers: for bindings to other languages, which can neither hold a
//! Rust value nor drop it. Everybody else has no use for these.

use core::mem::ManuallyDrop;
use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use crate::claim::{Claim, ClaimError};
use crate::clock::bounded_millis;
use crate::engine::{Anchor, Engine};
use crate::inspect::HaltToken;
use crate::key::Key;
use crate::lease::{Lease, Token, TokenError};
use crate::outcome::{Completion, OnEnd, Origin, Reason};
use crate::protocol::{Ending, Held, WINDOW};
use crate::realms::Home;
use crate::record::response::Kind;
use crate::replay::Replay;

impl Token {
    /// Words of a token.
    pub const WORDS: usize = 4;

    /// The token as words, for [`from_words`](Self::from_words) alone to understand.
    #[must_use]
    pub fn to_words(self) -> [u64; Self::WORDS] {
        let Held { generation, flight, attempt, on_abandon, origin } = self.held;
        let policies = on_abandon as u64 | (origin as u64) << 8;
        [self.engine, u64::from(flight) | u64::from(attempt) << 32, generation, policies]
    }

    /// The token of these words. Of any other words it is one that is [stale](crate::TokenError::Stale), or of
    /// another engine: nobody can make up a lease but by guessing the 64 random bits that the first word has.
    #[must_use]
    pub fn from_words([engine, place, generation, policies]: [u64; Self::WORDS]) -> Self {
        let held = Held {
            generation,
            flight: place as u32,
            attempt: (place >> 32) as u32,
            on_abandon: OnEnd::unpack(policies & 0xFF),
            origin: match policies >> 8 {
                1 => Origin::AfterCancel,
                2 => Origin::AfterExpiry,
                _ => Origin::Fresh,
            },
        };
        Self { engine, held }
    }

    /// How the owner came by its lease.
    #[must_use]
    pub fn origin(self) -> Origin {
        self.held.origin
    }

    /// See [`Lease::attempt`](crate::Lease::attempt).
    #[must_use]
    pub fn attempt(self) -> u32 {
        self.held.attempt
    }
}

impl Replay {
    /// Whether it is an error that the owner shared, and the bytes: in one look.
    #[must_use]
    #[inline(always)]
    pub fn contents(&self) -> (bool, &[u8]) {
        let (kind, bytes) = self.response().contents();
        (kind.is_error(), bytes)
    }

    /// What `look` makes of the value, if it is one of this type.
    pub fn with_value<V: Send + Sync + 'static, T>(&self, look: impl FnOnce(&V) -> T) -> Option<T> {
        self.value::<V>(Kind::Value)?.get::<V>().map(look)
    }

    /// Takes the replay apart. Nothing is let go of: [`from_raw`](Self::from_raw) puts it together again. The
    /// first word is not zero.
    #[must_use]
    #[inline]
    pub fn into_raw(self) -> [u64; 2] {
        let this = ManuallyDrop::new(self);
        let (anchor, loc) = this.parts();
        // SAFETY: `this` is not used any more, nor dropped.
        let anchor = unsafe { ptr::read(anchor) };
        [Arc::into_raw(anchor).expose_provenance() as u64, loc.into()]
    }

    /// Puts together what [`into_raw`](Self::into_raw) has taken apart.
    ///
    /// # Safety
    /// The words came from `into_raw`, and of all replays put together from them one at most is dropped.
    #[must_use]
    #[inline]
    pub unsafe fn from_raw([anchor, loc]: [u64; 2]) -> Self {
        let anchor = ptr::with_exposed_provenance::<Anchor>(anchor as usize);
        // SAFETY: by the caller's promise it came from `Arc::into_raw`.
        Self::new(unsafe { Arc::from_raw(anchor) }, loc as u32)
    }
}

impl Key {
    /// A key as words, good in its engine until its namespace is cleared; the terms of its namespace are not
    /// among them.
    #[must_use]
    pub fn to_words(self) -> [u64; 5] {
        let Home { namespace, epoch, scope } = self.home;
        let home = u64::from(namespace) | u64::from(epoch) << 32;
        [self.engine, self.id[0], self.id[1], home, scope]
    }
}

impl Claim {
    /// Claims of a batch that are looked at together: a batch of as many gains all that there is to gain.
    pub const WINDOW: usize = WINDOW;

    /// How long the response is kept, on the terms that the claim has.
    #[must_use]
    pub fn retention_time(&self) -> Duration {
        Duration::from_millis(self.checked_ask().terms.retention)
    }
}

impl Engine {
    /// What [`claim`](Self::claim) would find wrong with it.
    ///
    /// # Errors
    /// As `claim`.
    pub fn check_claim(&self, claim: &Claim) -> Result<(), ClaimError> {
        claim.ask(self.id()).map(|_| ())
    }

    /// As [`Lease::complete`](crate::Lease::complete), or with a retention as
    /// [`complete_for`](crate::Lease::complete_for), by the token.
    ///
    /// # Errors
    /// A token of another engine, or of a lease that is over.
    #[inline]
    pub fn complete_raw(
        &self,
        token: Token,
        response: &[u8],
        retention: Option<Duration>,
    ) -> Result<Completion, TokenError> {
        self.check(&token)?;
        let ending = Ending {
            kind: Kind::Response,
            reason: Reason::Owner,
            body: response,
            retention: retention.map(bounded_millis),
        };
        self.core().complete(&token.held, ending).map_err(|_| TokenError::Stale)
    }

    /// Completes with a value in place of bytes, as [`typed::Lease::complete`](crate::typed::Lease::complete) does,
    /// by the token. It is dropped once, when the record is over and nobody has it any more; also if it is not
    /// stored.
    ///
    /// # Errors
    /// A token of another engine, or of a lease that is over.
    pub fn complete_value_raw<V: Send + Sync + 'static>(
        &self,
        token: Token,
        value: V,
        weight: usize,
        retention: Option<Duration>,
    ) -> Result<Completion, TokenError> {
        let lease = self.lease_raw(token)?;
        let own = lease.own(value);
        let ended = lease.end(Kind::Value, own.body(weight), retention.map(bounded_millis));
        ended.map_err(|_| TokenError::Stale)
    }

    /// As [`lease`](Self::lease), without a look at whether it is over: what is done with it says so, and
    /// is counted.
    ///
    /// # Errors
    /// A token of another engine, or one that nobody gave.
    pub fn lease_raw(&self, token: Token) -> Result<Lease, TokenError> {
        self.check(&token)?;
        Ok(Lease::new(self.anchor(), token.held))
    }

    /// Gives up, as a lease does that is dropped.
    ///
    /// # Errors
    /// A token of another engine, or of a lease that is over.
    pub fn abandon_raw(&self, token: Token) -> Result<(), TokenError> {
        self.check(&token)?;
        let (held, reason) = (&token.held, Reason::Dropped);
        self.core().give_up(held, held.on_abandon, reason).map_err(|_| TokenError::Stale)
    }

    /// Whether it is a token of this engine, as far as can be seen without its flight.
    #[inline]
    pub(crate) fn check(&self, token: &Token) -> Result<(), TokenError> {
        if token.engine != self.id() {
            return Err(TokenError::WrongEngine);
        }
        if !self.core().may_hold(&token.held) {
            return Err(TokenError::Stale);
        }
        Ok(())
    }

    /// The key of these words ([`Key::to_words`]), on the engine's terms.
    ///
    /// # Errors
    /// Words of another engine's key, or of a namespace that there is not.
    pub fn listed_key(&self, words: [u64; 5]) -> Result<Key, ClaimError> {
        let [engine, low, high, home, scope] = words;
        let (namespace, epoch) = (home as u32, (home >> 32) as u32);
        if engine != self.id() || !self.core().realms.is_namespace(namespace) {
            return Err(ClaimError::WrongEngine);
        }
        let home = Home { namespace, epoch, scope };
        Ok(Key { id: [low, high], engine, home, terms: self.terms() })
    }
}

impl HaltToken {
    /// The token as a number.
    #[must_use]
    pub fn to_u32(self) -> u32 {
        self.0
    }

    /// The token of a number.
    #[must_use]
    pub fn from_u32(number: u32) -> Self {
        Self(number)
    }
}
