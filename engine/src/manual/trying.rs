//! Testing code that uses an engine, with [`idem::testing`](crate::testing).
//!
//! Let your code be given its engine, and give it a test's: a [`Harness`](crate::testing::Harness) has an
//! engine on a clock that only the test moves, without a helper thread, and records what happens. No test
//! has to sleep.
//!
//! ```
//! use idem::testing::Harness;
//! use idem::{Claim, Engine, Key, OnEnd, Outcome, Scope, What};
//! use std::time::Duration;
//!
//! /// The code under test: an answer for each request.
//! fn pay(engine: &Engine, key: Key, body: &[u8]) -> (u16, Vec<u8>) {
//!     let fingerprint = engine.fingerprint().http("POST", "/pay", body);
//!     let claim = Claim::new(key).fingerprint(fingerprint).wait(false).on_expiry(OnEnd::Halt);
//!     match engine.claim(claim) {
//!         Ok(Outcome::Execute(lease)) => match lease.complete(b"paid") {
//!             Ok(_) => (200, b"paid".to_vec()),
//!             Err(_) => (500, Vec::new()),
//!         },
//!         Ok(Outcome::Replay(response)) => (200, response.to_vec()),
//!         Ok(Outcome::InFlight(_)) => (409, Vec::new()),
//!         Ok(Outcome::Mismatch(_)) => (422, Vec::new()),
//!         _ => (503, Vec::new()),
//!     }
//! }
//!
//! let harness = Harness::new();
//! let engine = &harness.engine;
//! let key = |name: &[u8]| engine.key(Scope::Of(b"tenant"), name).expect("a good key");
//!
//! // From an earlier life: a response; another request under its key.
//! let was = Claim::new(key(b"1")).fingerprint(engine.fingerprint().http("POST", "/pay", "5 eur"));
//! harness.seed_completed(was, b"paid before");
//! assert_eq!(pay(engine, key(b"1"), b"5 eur"), (200, b"paid before".to_vec()));
//! assert_eq!(pay(engine, key(b"1"), b"6 eur").0, 422);
//!
//! // Somebody is at it; then their lease runs out, and nobody knows.
//! let _owner = harness.seed_in_flight(Claim::new(key(b"2")).on_expiry(OnEnd::Halt));
//! assert_eq!(pay(engine, key(b"2"), b"5 eur").0, 409);
//! harness.pass(Duration::from_secs(31));
//! assert_eq!(pay(engine, key(b"2"), b"5 eur").0, 503);
//!
//! // No room.
//! let room = harness.seed_full();
//! assert_eq!(pay(engine, key(b"3"), b"5 eur").0, 503);
//! drop(room);
//! assert_eq!(pay(engine, key(b"3"), b"5 eur").0, 200);
//! let last = harness.happened(key(b"3"));
//! assert_eq!(last[1], What::Executes, "after {:?}", last[0]);
//!
//! // The retention is over: it would be paid again.
//! harness.pass(Duration::from_secs(86_400));
//! assert_eq!(pay(engine, key(b"1"), b"6 eur").0, 200);
//! ```
//!
//! [`seed_done`](crate::testing::Harness::seed_done), [`seed_cancelled`](crate::testing::Harness::seed_cancelled)
//! and [`seed_halted`](crate::testing::Harness::seed_halted) make the other states.
//! [`Harness::with`](crate::testing::Harness::with) takes your own options, but for clock, hook and helper.
//!
//! # Threads that wait
//!
//! On a manual clock [`ManualClock::sleepers`](crate::ManualClock::sleepers) says how many threads sleep in
//! the engine, so a test can let one come to rest before it goes on:
//!
//! ```
//! use idem::testing::Harness;
//! use idem::{Outcome, Scope, WaitOutcome};
//!
//! let harness = Harness::new();
//! let key = harness.engine.key(Scope::None, b"page")?;
//! let lease = harness.seed_in_flight(key);
//! std::thread::scope(|scope| {
//!     let waiter = scope.spawn(|| match harness.engine.claim(key) {
//!         Ok(Outcome::InFlight(other)) => other.wait(),
//!         other => panic!("{other:?}"),
//!     });
//!     while harness.clock.sleepers() == 0 {
//!         std::thread::yield_now();
//!     }
//!     lease.complete(b"made").expect("ours");
//!     let outcome = waiter.join().expect("no panic");
//!     assert!(matches!(outcome, WaitOutcome::Replay(page) if &*page == b"made"));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A waiter that sleeps until a deadline is woken by [`pass`](crate::testing::Harness::pass), or by
//! [`advance`](crate::ManualClock::advance) without ticks.
//!
//! # Hours in seconds
//!
//! For a test of a whole program, with its helper thread, [`Clock::accelerated`](crate::Clock::accelerated)
//! runs so many times as fast. Its resolution is that much coarser; do not assert how long things take.
