//! Typed values: what is stored of a key is a `V`, shared and not copied, instead of bytes.
//!
//! [`Typed`] is a view of an engine. Its keys, limits, clock, counters and everything that is done from
//! outside are the engine's; claims, waits and leases are those of this module, and say the same as the
//! engine's. A [`Value`] is what a [`Replay`] is for bytes: handing one out counts a
//! holder and copies nothing.
//!
//! ```
//! use idem::{Engine, Scope, Typed};
//!
//! struct Page {
//!     title: String,
//! }
//!
//! let engine = Engine::new()?;
//! let pages: Typed<Page> = engine.typed().weighed(|page: &Page| page.title.len());
//! let key = engine.key(Scope::None, b"page-3")?;
//! for _ in 0..3 {
//!     // The first call makes it; others wait for it, or get the same one.
//!     let page = pages.get_or_run(key, || Ok(Page { title: "Three".to_owned() }))?;
//!     assert_eq!(page.title, "Three");
//! }
//! assert_eq!(engine.stats().executes, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A key has a `V` or bytes, whichever its owner stored. What is not a `V`, or not an `E` as an error,
//! is [`Done`](Outcome::Done) in this view, and a value has no bytes in the engine's own: keep keys of
//! different types apart, by namespaces.
//!
//! How values weigh, where they are dropped, and what they must not do:
//! [`manual::choosing`](crate::manual::choosing#typed-values),
//! [`manual::threads`](crate::manual::threads#where-values-are-dropped).

mod lease;
mod outcome;
mod run;
mod value;
mod waiter;

pub use lease::Lease;
pub use outcome::{Outcome, WaitOutcome};
pub use run::Missed;
pub use value::Value;
pub use waiter::{InFlight, Waiter};

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

use crate::claim::{Claim, ClaimError};
use crate::clock::bounded_millis;
use crate::engine::Engine;
use crate::inspect::HaltToken;
use crate::key::Key;
use crate::lease::{Token, TokenError};
use crate::operate::ResolveError;
use crate::outcome::Completion;
use crate::own::Own;
use crate::protocol::Settlement;
use crate::record::response::Kind;
use crate::replay::Replay;

/// A view of an engine in which results are values of one type, and errors that are shared of another.
///
/// A handle: clones are the same view of the same engine. See the [module](self).
pub struct Typed<V, E = Infallible> {
    engine: Engine,
    weigh: Weigh<V, E>,
}

/// How much of the engine's byte limit a value, or an error, is counted for.
struct Weigh<V, E> {
    value: fn(&V) -> usize,
    error: fn(&E) -> usize,
}

impl<V, E> Clone for Weigh<V, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, E> Copy for Weigh<V, E> {}

impl Engine {
    /// A view of this engine for values of type `V` and errors of type `E`; see [`typed`](crate::typed).
    ///
    /// A value weighs the `size_of` its type, unless [`Typed::weighed`] says otherwise. That misses what
    /// it owns on the heap.
    #[must_use]
    pub fn typed<V, E>(&self) -> Typed<V, E>
    where
        V: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        let weigh = Weigh { value: size_of_val::<V>, error: size_of_val::<E> };
        Typed { engine: self.clone(), weigh }
    }
}

impl<V, E> Typed<V, E>
where
    V: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// The same view with this weigher: the bytes that a value is counted for, besides 128 for its
    /// record. Called once for each value, before it is stored. One that is heavier than
    /// [`max_response`](crate::Builder::max_response), or for which there is no room, leaves a tombstone.
    #[must_use]
    pub fn weighed(mut self, weigh: fn(&V) -> usize) -> Self {
        self.weigh.value = weigh;
        self
    }

    /// The same for errors that are shared.
    #[must_use]
    pub fn errors_weighed(mut self, weigh: fn(&E) -> usize) -> Self {
        self.weigh.error = weigh;
        self
    }

    /// The engine that this is a view of: for keys, and for everything that is done without a value
    /// ([`peek`](Engine::peek), [`forget`](Engine::forget), [`tick`](Engine::tick) and the like).
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The value of a key that is done, without a claim: nobody is registered and nothing is counted.
    /// `None`: there is none, in flight or not. Does not block.
    ///
    /// # Errors
    /// A key of another engine.
    pub fn get(&self, key: Key) -> Result<Option<Value<V>>, ClaimError> {
        let replay = self.engine.hold_finished(key)?;
        Ok(replay.and_then(|replay| Value::of(replay, Kind::Value).ok()))
    }

    /// As [`Engine::claim`].
    ///
    /// # Errors
    /// As [`Engine::claim`].
    pub fn claim(&self, claim: impl Into<Claim>) -> Result<Outcome<V, E>, ClaimError> {
        Ok(Outcome::of(self.engine.claim(claim)?, self.weigh))
    }

    /// As [`Engine::claim_batch`].
    ///
    /// # Errors
    /// As [`Engine::claim_batch`].
    pub fn claim_batch(&self, claims: &[Claim]) -> Result<Vec<Outcome<V, E>>, ClaimError> {
        let outcomes = self.engine.claim_batch(claims)?;
        Ok(outcomes.into_iter().map(|outcome| Outcome::of(outcome, self.weigh)).collect())
    }

    /// As [`Engine::lease`].
    ///
    /// # Errors
    /// As [`Engine::lease`].
    pub fn lease(&self, token: Token) -> Result<Lease<V, E>, TokenError> {
        Ok(Lease::new(self.engine.lease(token)?, self.weigh))
    }

    /// Settles a halted key: it was done, and this is the value, kept for `retention` (at most ten
    /// years); as [`Engine::resolve`] does with bytes (L8).
    ///
    /// # Errors
    /// See [`ResolveError`]; the record is as it was, and the value is dropped.
    pub fn resolve(
        &self,
        key: Key,
        token: HaltToken,
        value: V,
        retention: Duration,
    ) -> Result<Completion, ResolveError> {
        let weight = (self.weigh.value)(&value);
        let own = Own::new(self.engine.anchor(), value);
        let (body, retention) = (own.body(weight), bounded_millis(retention));
        self.engine.settle(key, token, Settlement::Complete(Kind::Value, body, retention))
    }
}

impl Engine {
    fn hold_finished(&self, key: Key) -> Result<Option<Replay>, ClaimError> {
        let (id, now) = (self.id_of(key)?, self.core().clock.now());
        let loc = crate::operate::concluded(self.core().hold_finished(id, now));
        Ok(loc.map(|loc| Replay::new(self.anchor(), loc)))
    }
}

impl<V, E> Clone for Typed<V, E> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone(), weigh: self.weigh }
    }
}

impl<V, E> fmt::Debug for Typed<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("engine", &self.engine).finish_non_exhaustive()
    }
}
