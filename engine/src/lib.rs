//! **idem** decides, very fast and never wrongly, whether a request has been seen and what became of
//! it: at most one caller executes a key at a time, the others wait for its result, get it replayed,
//! or are told why not.
//!
//! # Three ways to use it
//!
//! **Run a function.** [`Engine::run`] claims the key, runs the function, stores what it returns and
//! gives it to everybody who waits; [`Engine::run_async`] and [`Engine::run_shared`] do so for futures.
//!
//! ```
//! use idem::{Engine, Ran, Scope};
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::Of(b"customer-7"), b"charge-1001")?;
//! match engine.run(key, || Ok::<_, String>("charged"))? {
//!     Ran::Executed(response, _stored) => assert_eq!(response, "charged"), // It ran here,
//!     Ran::Failed(error) => println!("it failed: {error}"),                // or tried to.
//!     // It ran elsewhere, or before: these are the bytes it returned, or its error's.
//!     Ran::Replayed(response) => println!("an error: {}", response.is_error()),
//!     other => println!("not now: {other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Claim, and hold the lease yourself**, where the work is no single function, where it is not known
//! how long it takes ([`Lease::renew`]), or where it ends elsewhere ([`Lease::into_token`]):
//!
//! ```
//! use idem::{Engine, Outcome, Scope, WaitOutcome};
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::Of(b"customer-7"), b"charge-1001")?;
//! match engine.claim(key)? {
//!     Outcome::Execute(lease) => {
//!         // Ours alone: charge the card, then say what came of it.
//!         lease.complete(b"charged")?;
//!     }
//!     Outcome::InFlight(other) => match other.wait() {
//!         // Somebody else was at it: here is the result,
//!         WaitOutcome::Replay(response) => assert_eq!(&*response, b"charged"),
//!         // or they gave up, and the work is ours.
//!         WaitOutcome::Execute(lease) => drop(lease.complete(b"charged")?),
//!         other => println!("not now: {other:?}"),
//!     },
//!     Outcome::Replay(response) => assert_eq!(&*response, b"charged"),
//!     other => println!("not now: {other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Wait without threads.** [`InFlight`] and [`Waiter`] are futures, for any executor; or a callback is
//! called by whoever ends the lease; or many claims are made in one call and none waits
//! ([`Engine::claim_batch`] with [`Claim::wait`]). All are in one queue with those who block.
//!
//! ```
//! use idem::{ClaimError, Engine, Key, Outcome, Replay, Scope, WaitOutcome};
//!
//! async fn page(engine: &Engine, key: Key) -> Result<Option<Replay>, ClaimError> {
//!     Ok(match engine.claim(key)? {
//!         Outcome::Replay(response) => Some(response),
//!         Outcome::InFlight(other) => match other.await {
//!             WaitOutcome::Replay(response) => Some(response),
//!             _ => None,
//!         },
//!         _ => None,
//!     })
//! }
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::None, b"page-3")?;
//! let Outcome::Execute(lease) = engine.claim(key)? else { return Ok(()) };
//! let Outcome::InFlight(other) = engine.claim(key)? else { return Ok(()) };
//! let (sender, results) = std::sync::mpsc::channel();
//! if let Some(waiter) = other.into_waiter() {
//!     waiter.on_end(move |outcome| drop(sender.send(outcome)));
//! }
//! lease.complete(b"made")?; // Calls back, on this thread.
//! let outcome = results.try_recv()?;
//! assert!(matches!(outcome, WaitOutcome::Replay(response) if &*response == b"made"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Values of a type of yours** instead of bytes, shared and not copied, are in [`typed`]:
//!
//! ```
//! let engine = idem::Engine::new()?;
//! let ports: idem::Typed<u16> = engine.typed();
//! let key = engine.key(idem::Scope::None, b"http")?;
//! assert_eq!(*ports.get_or_run(key, || Ok(80))?, 80);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The [`manual`] goes on from here: which lease, retention and policies to choose, what blocks and on
//! which thread callbacks run, coming from other libraries, what operators see, and tests.
//!
//! # What is promised, and what is not
//!
//! - At most one live lease per key: between an [`Outcome::Execute`] and the end of its lease no
//!   other claim or waiter of that key gets one. Work may run again after a cancel; after a panic, a
//!   dropped or an expired lease, unless that policy is [`OnEnd::Halt`]; and then only until the
//!   halted retention is over.
//! - An owner whose lease was taken over cannot overwrite anything: its calls get [`Stale`].
//! - Within one process, and until it ends. Nothing is written to disk or shared.
//!
//! # Threads
//!
//! Every type here is `Send` and `Sync`; any call may come from any thread. Only
//! [`Waiter::wait`], [`Waiter::wait_for`], their like on [`InFlight`], and [`Engine::run`] block; and
//! the drop of the last [`Engine`], until its helper thread has stopped. More in [`manual::threads`].
//!
//! How it works, and why it may be trusted: `engine/DESIGN.md` and `engine/TESTING.md`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod builder;
mod callback;
mod claim;
mod clock;
mod completions;
mod decide;
mod engine;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod geometry;
mod helper;
mod hook;
mod inspect;
mod key;
mod lease;
pub mod manual;
mod memory;
mod namespace;
mod operate;
mod outcome;
mod own;
mod protocol;
mod raw;
mod realms;
mod record;
mod replay;
mod run;
mod run_async;
mod stats;
mod sync;
mod table;
#[cfg(not(idem_loom))]
pub mod testing;
pub mod typed;
mod wait;
mod waiter;
mod wheel;

#[cfg(all(test, idem_loom))]
mod models;
#[cfg(all(test, not(idem_loom)))]
mod tests;

pub use builder::{Builder, ConfigError, KeyHash};
pub use callback::Callback;
pub use claim::{Claim, ClaimError};
pub use clock::{Clock, ManualClock};
pub use completions::{Completions, Pending};
pub use decide::OutcomeVisitor;
pub use engine::Engine;
pub use hook::{Event, What};
pub use inspect::{HaltToken, Listed, Listing, Status};
pub use key::{Fingerprint, FingerprintBuilder, Key, KeyError, Scope};
pub use lease::{Lease, Token, TokenError};
pub use namespace::{Namespace, NamespaceOptions};
pub use operate::{OnceError, Resolution, ResolveError, Resolved};
pub use outcome::{
    Completion, Info, Limit, NoBody, OnEnd, OnError, Origin, Outcome, Reason, Removal, Stale,
    State, WaitOutcome,
};
pub use replay::Replay;
pub use run::Ran;
pub use run_async::{OnDrop, Work};
pub use stats::{Stats, WaitTimes};
pub use typed::Typed;
pub use waiter::{InFlight, Waiter};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
