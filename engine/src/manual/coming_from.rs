//! Coming from something else: the same with `idem`, and what it means otherwise.
//!
//! In all of them results are bytes here, not values of a type: the engine keeps one copy, and hands out
//! references to it ([`Replay`](crate::Replay)). And all of them can say that there is no room, or that the
//! engine is closed; decide once what that is in your program.
//!
//! # singleflight in Go
//!
//! ```text
//! value, err, shared := group.Do(name, func() (any, error) { return load(name) })
//! group.Forget(name)
//! ```
//!
//! ```
//! use idem::{Claim, Engine, Ran, Scope};
//! use std::time::Duration;
//!
//! fn load(name: &str) -> Result<Vec<u8>, String> {
//!     Ok(name.as_bytes().to_vec())
//! }
//!
//! fn get(engine: &Engine, name: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let claim = Claim::new(engine.key(Scope::None, name.as_bytes())?).retention(Duration::ZERO);
//!     match engine.run(claim, || load(name))? {
//!         Ran::Executed(value, _) => Ok(value),
//!         Ran::Failed(error) => Err(error.into()),
//!         Ran::Replayed(bytes) if bytes.is_error() => Err(String::from_utf8_lossy(&bytes).into()),
//!         Ran::Replayed(bytes) => Ok(bytes.to_vec()), // Shared.
//!         other => Err(format!("{other:?}").into()),
//!     }
//! }
//!
//! let engine = Engine::new()?;
//! assert_eq!(get(&engine, "a")?, b"a");
//! assert_eq!(engine.stats().records, 0, "nothing is kept");
//! // Forget: the next claim executes beside the one at work, if there is one.
//! assert!(!engine.detach(engine.key(Scope::None, b"a")?)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | | there | here |
//! |---|---|---|
//! | a duplicate after the end | runs again | runs again with retention zero; otherwise a replay |
//! | an error | all get it | all get it (`OnError::Share`, the default) |
//! | a panic | raised in every caller | raised in the one that ran; the next who waits runs the function (`HandOver`) |
//! | a function that hangs | all hang | until [`max_run`](crate::Builder::max_run), then the next one runs it |
//! | `DoChan` | a channel | [`on_end`](crate::Waiter::on_end), or a future |
//! | the number of waiters | unbounded | bounded: `Full(Waiters)` |
//!
//! # singleflight in Rust
//!
//! ```text
//! let value = group.work("key", load()).await;        // async_singleflight
//! ```
//!
//! ```
//! use idem::{Claim, Engine, OnDrop, Ran, Scope, Work};
//! use std::time::Duration;
//!
//! async fn load() -> Result<&'static str, String> {
//!     Ok("loaded")
//! }
//!
//! async fn get(engine: &Engine, spawn: fn(Work)) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let claim = Claim::new(engine.key(Scope::None, b"key")?).retention(Duration::ZERO);
//!     // `run_async`, if the caller is to drive the work itself.
//!     match engine.run_shared(claim, OnDrop::Finish, spawn, load).await? {
//!         Ran::Executed(value, _) => Ok(value.into()),
//!         Ran::Replayed(bytes) if !bytes.is_error() => Ok(bytes.to_vec()),
//!         other => Err(format!("{other:?}").into()),
//!     }
//! }
//! # let _ = get;
//! ```
//!
//! What differs: the caller that drives the work may be dropped, by a time-out or a `select`. With
//! [`run_async`](crate::Engine::run_async) the work is dropped with it, the lease is abandoned, and the
//! next waiter begins anew; with [`run_shared`](crate::Engine::run_shared) the work goes on in an executor of
//! yours, to its end or for as long as anybody waits. No runtime is named: `spawn` may be
//! `|work| drop(tokio::spawn(work))`. Futures need somebody who [ticks](crate::manual::threads#ticks) if a
//! lease is to run out while only futures wait; the helper thread does.
//!
//! # moka and quick_cache
//!
//! ```text
//! let page = cache.get_with(name, || render(name));                           // moka
//! let page = cache.try_get_with(name, || try_render(name))?;                  // moka
//! let page = cache.get_or_insert_with(&name, || try_render(name))?;           // quick_cache
//! cache.invalidate(&name);
//! ```
//!
//! ```
//! use idem::{Engine, Key, Ran, Removal, Scope};
//! use std::time::Duration;
//!
//! fn get(engine: &Engine, name: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let render = || Ok::<_, String>(format!("<h1>{name}</h1>"));
//!     match engine.run(engine.key(Scope::None, name.as_bytes())?, render)? {
//!         Ran::Executed(page, _) => Ok(page.into()),
//!         Ran::Replayed(page) if !page.is_error() => Ok(page.to_vec()),
//!         // No room for it, or for its bytes: a cache has to answer all the same.
//!         Ran::Full(_) | Ran::Done(_) => Ok(render()?.into()),
//!         other => Err(format!("{other:?}").into()),
//!     }
//! }
//!
//! /// What is being rendered now is of the old state as well.
//! fn invalidate(engine: &Engine, key: Key) -> Result<(), Box<dyn std::error::Error>> {
//!     // In flight when it was to be forgotten, and completed when it was to be detached: once more.
//!     while engine.forget(key)? == Removal::InFlight && !engine.detach(key)? {}
//!     Ok(())
//! }
//!
//! let engine = Engine::builder().retention(Duration::from_secs(60)).build()?;
//! assert_eq!(get(&engine, "a")?, get(&engine, "a")?);
//! assert_eq!(engine.stats().executes, 1);
//! invalidate(&engine, engine.key(Scope::None, b"a")?)?;
//! get(&engine, "a")?;
//! assert_eq!(engine.stats().executes, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For values that are no bytes there is [`Typed::get_or_run`](crate::Typed::get_or_run), which is their
//! `get_with`, with a weigher as theirs; [`Typed::get`](crate::Typed::get) is their `get`:
//!
//! ```
//! use idem::{Engine, Scope, Typed};
//!
//! let engine = Engine::new()?;
//! let pages: Typed<String> = engine.typed().weighed(String::len);
//! let key = engine.key(Scope::None, b"home")?;
//! assert_eq!(*pages.get_or_run(key, || Ok("<h1>Home</h1>".to_owned()))?, "<h1>Home</h1>");
//! assert_eq!(pages.get(key)?.as_deref().map(String::len), Some(13));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | | there | here |
//! |---|---|---|
//! | the cache is full | something else is evicted | nothing is: new keys get `Full`, responses leave tombstones |
//! | how long a value lives | until evicted, or a time to live | its retention, always |
//! | an error, not kept | moka shares it with those who wait, quick_cache lets the next one try | as `OnError` says |
//! | a panic | in its caller; the next one tries | the same |
//! | an initializer that hangs | all wait | until `max_run` |
//! | `invalidate` while it is being loaded | see there | `forget` leaves it alone; `detach` keeps its result out |
//!
//! If you want "the most useful values that fit", take a cache. Take this where a result must *not* go
//! away early, since that would make the work run again.
//!
//! # A lock in Redis
//!
//! ```text
//! SET lock:job-7 <random> NX PX 30000        -> do the work, if it was set
//! if GET lock:job-7 == <random> then DEL lock:job-7        (as a script)
//! ```
//!
//! ```
//! use idem::{Claim, Engine, Outcome, Scope, Stale};
//! use std::time::Duration;
//!
//! let engine = Engine::new()?;
//! let claim = Claim::new(engine.key(Scope::None, b"job-7")?)
//!     .lease(Duration::from_secs(30))
//!     .wait(false);
//! match engine.claim(claim)? {
//!     Outcome::Execute(lease) => {
//!         // Longer than thought: move the deadline. It tells whether the lease is still ours.
//!         if let Err(Stale) = lease.renew(Duration::from_secs(30)) {
//!             return Ok(()); // Somebody else is at it: stop.
//!         }
//!         // Done, and not to be done again for a day. For a mere lock, retention zero.
//!         lease.complete_for(b"done", Duration::from_secs(86_400))?;
//!     }
//!     Outcome::InFlight(other) => println!("{:?} left", other.info().left),
//!     other => println!("nothing to do: {other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | | there | here |
//! |---|---|---|
//! | who is kept out | every process that asks the same Redis | this process |
//! | after the work | the lock is free, the work may run again | the result is there, for its retention |
//! | the time runs out, the owner works | another one locks | another one executes, the first is `Stale` |
//! | waiting | ask again and again | in a queue, first come first served, woken |
//! | the owner's thread dies | until the time is over | at once: the lease is dropped |
//!
//! The fencing is the engine's: it keeps a late owner from overwriting a *record*. It gives you no number
//! to send to a database that should refuse a late owner's *writes*. If two processes must agree, this is
//! not the tool.
