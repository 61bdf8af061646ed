//! Operating an engine: looking at keys, ending what hangs, settling halts, hooks, counters, memory.
//!
//! All of it may be called from any thread at any time, and blocks nobody.
//!
//! # Looking
//!
//! [`peek`](crate::Engine::peek) says what has become of one key, [`listing`](crate::Engine::listing) what
//! is in flight and what is halted. Both say what *was*: to act on a key, claim it. A listing looks through
//! all of the table; call it for an operator, not for each request.
//!
//! Keys are not kept, only their hashes. Log [`Key::hash`](crate::Key::hash) with your requests, so that
//! what the listing and the hooks say can be found there; and give claims an
//! [owner](crate::Claim::owner) label, such as a worker's number.
//!
//! ```
//! use idem::{Claim, Engine, OnEnd, Outcome, Scope, Status};
//! use std::time::Duration;
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::Of(b"tenant-4"), b"export-9")?;
//! let Outcome::Execute(lease) = engine.claim(Claim::new(key).owner(12))? else { return Ok(()) };
//!
//! for listed in engine.listing() {
//!     if let Status::InFlight(info) = listed.status {
//!         println!(
//!             "{:032x} owner {} for {:?}, {:?} left, {} wait, attempt {}",
//!             listed.key.hash(), info.owner, info.age, info.left, listed.waiters, listed.attempt,
//!         );
//!         assert_eq!((listed.key.hash(), info.owner), (key.hash(), 12));
//!         // Hangs: let the next one in the queue have it.
//!         assert!(engine.force_end(listed.key, OnEnd::HandOver)?);
//!     }
//! }
//! assert!(lease.complete(b"made").is_err(), "its owner is told");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Ending by force
//!
//! | call | the owner | who waits | the key |
//! |---|---|---|---|
//! | [`force_end`]: `HandOver` | `Stale` | the oldest executes, the others stay | in flight; if nobody waits, vacant |
//! | `force_end`: `FailWaiters` | `Stale` | `Cancelled(Forced)` | vacant |
//! | `force_end`: `Halt` | `Stale` | `Halted(Forced)` | halted |
//! | [`forget_forced`] | `Stale` | `Cancelled(Forgotten)` | vacant |
//! | [`detach`] | goes on, told `Detached` | get its result | vacant |
//! | [`forget`] | in flight: left alone | | finished: vacant |
//! | [`Namespace::clear`] | goes on, told `Detached` | get its result | all of the namespace vacant |
//!
//! [`force_end`]: crate::Engine::force_end
//! [`forget_forced`]: crate::Engine::forget_forced
//! [`detach`]: crate::Engine::detach
//! [`forget`]: crate::Engine::forget
//! [`Namespace::clear`]: crate::Namespace::clear
//!
//! (With a `cancelled_retention` the first two leave a kept cancellation.) No call stops what the owner
//! *does*: it learns of it when it calls next. Where the work must not overlap, `Halt` is the right one.
//!
//! # Settling a halt
//!
//! A halted key refuses to run until its `halted_retention` is over. Find out what really happened, then
//! say so. The token says which halt is meant, so that nobody settles one that came later by mistake.
//!
//! ```
//! use idem::{Engine, Outcome, Reason, Resolution, Scope, Status};
//! use std::time::Duration;
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::None, b"payment-5")?;
//! let Outcome::Execute(lease) = engine.claim(key)? else { return Ok(()) };
//! lease.halt(Reason::Code(504))?; // The bank did not answer.
//!
//! let was_paid = true; // As its statement says.
//! for listed in engine.listing() {
//!     if let Status::Halted(reason, _, token) = listed.status {
//!         assert_eq!(reason, Reason::Code(504));
//!         let day = Duration::from_secs(86_400);
//!         let resolution =
//!             if was_paid { Resolution::Complete(b"paid", day) } else { Resolution::Release };
//!         engine.resolve(listed.key, token, resolution)?;
//!     }
//! }
//! assert!(matches!(engine.claim(key)?, Outcome::Replay(response) if &*response == b"paid"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `Resolution::Keep` begins the halted retention anew, for as long as nobody knows. A program may settle
//! by itself as well: [`peek`](crate::Engine::peek) gives the token of one key.
//!
//! # Hooks
//!
//! One function is told of every outcome of a claim and every end of a lease, as an
//! [`Event`](crate::Event) with the key's hash. It is called on the thread that brings the event about, so
//! count or send, and return. Events of one key may come from several threads at once, and the event of an
//! end may come after those of what it has set off: do not rebuild the state of a key from them.
//!
//! ```
//! use idem::{Engine, Scope, What};
//! use std::sync::mpsc;
//!
//! let (sender, events) = mpsc::channel();
//! let engine = Engine::builder()
//!     .hook(move |event| {
//!         if let What::Halted(_) | What::Stale | What::Full(_) | What::LeaseExpired(_) = event.what {
//!             let _ = sender.send(event);
//!         }
//!     })
//!     .build()?;
//! engine.run(engine.key(Scope::None, b"a")?, || Ok::<_, String>("b"))?;
//! assert!(events.try_recv().is_err(), "nothing that anybody has to hear of");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Counters
//!
//! [`stats`](crate::Engine::stats) is cheap enough for each scrape. Counts are since the engine was built.
//!
//! | what grows | what it says |
//! |---|---|
//! | `full_records`, `full_bytes`, `full_namespace`, `full_scope` | limits too low, or retention too long |
//! | `tombstones` | responses without room or over `max_response`: duplicates get `Done` without a body |
//! | `full_waiters` | more wait at once than were allowed |
//! | `late`, `stale` | leases are too short for the work, or owners hang |
//! | `lease_expiries` | the same; or tokens get lost |
//! | `cancels` beside `executes` | work that fails, or leases that are dropped |
//! | `halted` | claims that meet a halt: somebody has to settle it |
//! | `mismatches` | clients use a key for two requests |
//! | `timed_out` | `wait_for` is shorter than the work takes |
//! | `records`, `bytes`, `waiters` and their peaks | how far the limits are |
//!
//! Peaks are as seen at ticks and calls of `stats`.
//!
//! # The histogram of waits
//!
//! `wait_times` has every wait, from the claim that took the place to its end, whatever it came to: also
//! those that timed out or were dropped. Buckets go by powers of two of a microsecond.
//!
//! ```
//! use idem::WaitTimes;
//!
//! let engine = idem::Engine::new()?;
//! let waits = engine.stats().wait_times;
//! // 99 of 100 waits took less than this; at most twice what they took. None: nobody has waited.
//! assert_eq!(waits.quantile(0.99), None);
//! // For a system that takes buckets: each with its upper end in microseconds.
//! for (bucket, count) in waits.counts().iter().enumerate().take(WaitTimes::BUCKETS - 1) {
//!     let _less_than_micros = 1_u64 << bucket;
//!     assert_eq!(*count, 0);
//! }
//! # Ok::<(), idem::ConfigError>(())
//! ```
//!
//! It is of all waits since the beginning; for those of the last minute take the difference of two
//! [`counts`](crate::WaitTimes::counts).
//!
//! # Memory
//!
//! An engine reserves addresses for its limits when it is built, and takes memory as it is used, 4 KiB at a
//! time: limits that are never reached cost nothing. What was touched once stays, for what comes next.
//! Two options trade that for speed.
//!
//! [`prefault`](crate::Builder::prefault) takes all of it when the engine is built. The first fill then
//! waits for no page, and a machine that is too small is found out at the start. Use it where the slowest
//! claims count from the first minute on, or where the process has a memory limit and it should show at
//! once whether it holds. It costs what the limits say, however few the records are: set the limits first.
//!
//! [`huge_pages`](crate::Builder::huge_pages) asks Linux for pages of 2 MiB for large tables. It pays where
//! keys are looked up at random among millions of records (replays, batches, peeks): there each look-up
//! misses in the translation of addresses as well. Up to about a million records it makes no difference. Without
//! `prefault` its price comes with use: a first touch zeroes 2 MiB, and where memory is scattered the system
//! searches for a whole one first, so first touches are either fast or slow. With it, the price is paid in
//! `build`.
//!
//! Whether huge pages came of it: `AnonHugePages` in `/proc/PID/smaps_rollup`. If it stays at zero, look at
//! `/sys/kernel/mm/transparent_hugepage/enabled`: `never` means never.
//!
//! ```
//! use idem::{ConfigError, Engine};
//!
//! let builder = Engine::builder().records(10_000).bytes(1 << 20).waiters(100);
//! let engine = match builder.clone().huge_pages(true).prefault(true).build() {
//!     // Not the machine for it: go on with memory as it is used, or give up here.
//!     Err(ConfigError::NoPages) => builder.build()?,
//!     built => built?,
//! };
//! assert_eq!(engine.stats().records, 0);
//! # Ok::<(), ConfigError>(())
//! ```
