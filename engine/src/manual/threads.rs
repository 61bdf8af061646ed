//! Threads and progress: what blocks, who ticks, where your code is called, and shutting down.
//!
//! # What blocks
//!
//! | call | blocks |
//! |---|---|
//! | [`wait`], [`wait_for`], of [`InFlight`] too | until there is a result, or it is our turn, or the time is up |
//! | [`run`] | while the function runs, here or elsewhere |
//! | the drop of the last [`Engine`] | until the helper thread has stopped, which ends its tick first |
//! | everything else | not |
//!
//! [`wait`]: crate::Waiter::wait
//! [`wait_for`]: crate::Waiter::wait_for
//! [`InFlight`]: crate::InFlight
//! [`run`]: crate::Engine::run
//! [`Engine`]: crate::Engine
//!
//! What does not block may still call *your* code on its way: see [below](#where-your-code-is-called).
//!
//! **A thread that waits for itself.** The engine does not know which thread holds a lease. Whoever holds
//! the lease of a key and waits for the same key - a `run` of it inside its own function, the second of
//! a key in one batch - waits until its own lease runs out (in `run`, for `max_run`). Two owners that wait
//! for each other's keys do the same. Claim with [`wait(false)`](crate::Claim::wait) where that can happen.
//!
//! # Progress
//!
//! Claims, replays, ends, renewals and peeks are lock-free: a thread that is stopped anywhere inside one
//! of them, for however long, does not stop another's. What it holds back is memory, and little of it: a
//! record that it was drafting, a response that it was writing, one that it was reading, 63 reminders of
//! what is to expire, and a lump of the budget. Two things it can delay: the waiter that it was about to
//! wake, or to call back; and its own lease, until that runs out.
//!
//! # Ticks
//!
//! Every deadline is checked by whoever reads the record: no claim gets a wrong answer because nobody
//! ticked. Ticks give back the memory of what has expired, and act on time where nobody else looks:
//!
//! | with nobody ticking | |
//! |---|---|
//! | an expired response | is vacant to claims; its memory goes when room is needed, or by later completions |
//! | a lease that runs out, a thread waits | the waiter acts at the deadline |
//! | a lease that runs out, those who wait have no thread | **nobody acts** until the next claim of the key |
//! | a hand-over that a future or a poll does not pick up | the same |
//! | what was cleared with its namespace | goes when room is needed |
//!
//! The helper thread, `idem-helper`, ticks every 10 ms. Without it
//! ([`helper_thread(false)`](crate::Builder::helper_thread), or a manual clock) call
//! [`tick`](crate::Engine::tick) now and then; it does a bounded slice, and is true if there may be more:
//!
//! ```
//! use idem::Engine;
//!
//! let engine = Engine::builder().helper_thread(false).build()?;
//! // In each turn of your loop, or in a timer:
//! while engine.tick() {}
//! # Ok::<(), idem::ConfigError>(())
//! ```
//!
//! The helper ends with the last [`Engine`](crate::Engine) handle; leases, waiters and replays keep the
//! memory alive, but nobody ticks for them. Keep a handle for as long as futures or callbacks wait.
//!
//! # Where your code is called
//!
//! - A callback of [`on_end`](crate::Waiter::on_end): on the thread that ends the lease; or that finds it run
//!   out (a claim, a tick of the helper); or that leaves the queue, where that passes a hand-over on; or on
//!   the one that registers it, if the end has come already: before `on_end` returns, or, if it was called
//!   inside a callback, after that.
//! - A waker of a future: on the same. It should only schedule its task, as wakers do.
//! - The bell of a queue of [completions](crate::Completions): on the same, or in
//!   [`end_in`](crate::Waiter::end_in). What has ended comes out on the thread that polls.
//! - A [hook](crate::Builder::hook): on the thread that does what the event tells of, before its call returns.
//! - A function given to `run`: on the thread that called `run`.
//!
//! What holds for callbacks, wakers and hooks:
//!
//! - No lock is held. They may call the engine, end leases and claim keys.
//! - They must not block: whoever completes waits for them, and the helper ticks for nobody meanwhile. A
//!   callback that waits for what another callback of the same thread is to bring waits for ever.
//! - On one thread callbacks and wakers run one after the other: what a callback wakes has its turn after
//!   it, so a chain of hand-overs needs no stack. Hooks are called at once; a hook that claims is called
//!   for its own claim, so it needs an end.
//! - A callback that is given a lease has accepted it; pass it on to where the work is done. Dropping it is
//!   abandoning it.
//!
//! ```
//! use idem::{Engine, Lease, Outcome, Scope, WaitOutcome};
//! use std::sync::mpsc;
//!
//! enum Event {
//!     Result(Vec<u8>),
//!     OurTurn(Lease),
//!     Nothing,
//! }
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::None, b"page-3")?;
//! let Outcome::Execute(lease) = engine.claim(key)? else { return Ok(()) };
//! let Outcome::InFlight(other) = engine.claim(key)? else { return Ok(()) };
//! let (events, queue) = mpsc::channel();
//! let callback = other.into_waiter().map(|waiter| {
//!     waiter.on_end(move |outcome| {
//!         // Short: only say what has come, the loop does the rest.
//!         let event = match outcome {
//!             WaitOutcome::Replay(response) => Event::Result(response.to_vec()),
//!             WaitOutcome::Execute(lease) => Event::OurTurn(lease),
//!             _ => Event::Nothing,
//!         };
//!         let _ = events.send(event);
//!     })
//! });
//! drop(lease); // Given up: the callback gets it.
//! assert!(matches!(queue.try_recv()?, Event::OurTurn(lease) if lease.attempt() == 2));
//! assert!(!callback.is_some_and(|callback| callback.cancel()), "it has been called");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Callback::cancel`](crate::Callback::cancel) gives the place up; dropping the `Callback` does not.
//!
//! # Where values are dropped
//!
//! [Typed values](crate::typed) and the owners of [handed in bytes](crate::Lease::complete_owned) are
//! dropped once, when nobody has them any more: on the thread that lets go of one last, as the last step
//! of its call. That may be any call: a drop of the last [`Value`](crate::typed::Value) or
//! [`Replay`](crate::Replay); `forget`; a tick, of the helper mostly; a claim or a completion that removes
//! what is over; the drop of the last handle of the engine.
//!
//! - No lock is held, and no other thread waits for a step of this one. A destructor may call the engine;
//!   values that it lets go of have their turn after it, so a chain of them needs no stack.
//! - It should be short: it delays the call that it runs in, and, of what expires, the helper's ticks.
//! - What a call has let go of is dropped after callbacks and hooks that it calls on its way.
//! - Short bytes that were handed in with an owner are copied, and the owner is dropped before
//!   `complete_owned` returns.
//!
//! # Panics
//!
//! A panic in a destructor of a value is contained, as of a callback. A panic in a weigher goes on to the
//! caller; its lease is abandoned and the value dropped.
//!
//! A panic in a callback, a waker or a hook is contained: the thread that called it goes on, and the panic
//! hook of the process has told of it. A panic in the function given to `run` goes on to the caller of
//! `run`; its lease is abandoned with [`Panicked`](crate::Reason::Panicked), so by default the next waiter
//! executes. The same holds for a [`Lease`](crate::Lease) that is dropped as its thread unwinds. With
//! `panic = "abort"` there is no process left to speak of. No lock can be poisoned.
//!
//! # Fork
//!
//! Build engines after forking, in the process that uses them. An engine is memory of one process: what a
//! child does with its copy is not seen by the parent, and the other way round. The helper thread does not
//! exist in the child, so there nobody ticks; leases of threads that were left behind run out. A child
//! that only calls `exec` or `_exit` touches nothing of this.
//!
//! # Shutting down
//!
//! 1. [`close`](crate::Engine::close): claims of new keys get `Closed`, and a waiter that would be handed a
//!    lease gets `Closed`. Replays, peeks and owners go on.
//! 2. [`close_within`](crate::Engine::close_within): the same now, and at the deadline every lease ends.
//!    Waiters get `Cancelled(Shutdown)`, owners that come later `Stale`. What has `on_expiry` `Halt` is
//!    halted. It does not block. Calling it again can only bring the deadline forward.
//! 3. Wait for your workers, as you would without the engine. Who is still at work is in the
//!    [listing](crate::Engine::listing).
//! 4. Drop the handles.
//!
//! ```
//! use idem::testing::Harness;
//! use idem::{Outcome, Reason, Scope, Stale, WaitOutcome};
//! use std::time::Duration;
//!
//! let harness = Harness::new();
//! let engine = &harness.engine;
//! let lease = harness.seed_in_flight(engine.key(Scope::None, b"slow")?);
//! let Outcome::InFlight(other) = engine.claim(engine.key(Scope::None, b"slow")?)? else {
//!     return Ok(());
//! };
//! engine.close_within(Duration::from_secs(5));
//! assert!(matches!(engine.claim(engine.key(Scope::None, b"new")?)?, Outcome::Closed));
//! assert_eq!(engine.listing().count(), 1, "one is still at work");
//! harness.pass(Duration::from_secs(6));
//! assert!(matches!(other.wait(), WaitOutcome::Cancelled(Reason::Shutdown)));
//! assert_eq!(lease.complete(b"too late"), Err(Stale));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
