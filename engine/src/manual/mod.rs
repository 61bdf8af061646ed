//! The manual. These modules hold documentation and nothing else; each piece of Rust in them is
//! compiled, and most are run, by `cargo test --doc`.
//!
//! | page | answers |
//! |---|---|
//! | [`choosing`] | which lease, retention, policies and limits; what goes wrong with the wrong ones |
//! | [`threads`] | what blocks, who ticks, where callbacks run, panics, forks, shutting down |
//! | [`coming_from`] | singleflight in Go and Rust, moka, quick_cache, a lock in Redis |
//! | [`operating`] | peek, listing, ending by force, settling a halt, hooks, counters, wait times |
//! | [`trying`] | testing code that uses an engine |
//!
//! Whole programs, in `engine/examples`; `cargo run -p idem --example NAME` runs one, and it checks
//! itself:
//!
//! | example | what it shows |
//! |---|---|
//! | `cache_fill` | one load for all who ask at once; errors shared and not kept; making a key stale |
//! | `jobs` | of many workers one does each job; renewing; a worker that dies, and one that hangs |
//! | `webhooks` | a delivery that comes twice is handled once: `once` and `forget`, or a claim |
//! | `event_loop` | one thread with a thousand who wait, by callbacks, without an async runtime |
//!
//! The words: an *owner* holds the *lease* of a key and executes; a *waiter* is in the queue of an owner;
//! a *hand-over* gives the lease to one waiter; a *replay* hands out what was stored; *retention* is how
//! long it is stored. A key is *vacant*, *in flight*, *completed*, *cancelled* or *halted* (its outcome
//! is unknown, and it must not run again until somebody has looked).

pub mod choosing;
pub mod coming_from;
pub mod operating;
pub mod threads;
pub mod trying;
