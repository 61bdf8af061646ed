//! Choosing the lease, the retention, the policies and the limits.
//!
//! # First: may the work run twice?
//!
//! Everything else follows from that. Nothing here can undo what work has done outside the process. A
//! lease says who may *begin*; it cannot stop an owner that goes on after its time. And after a restart
//! every key is vacant: where that must not run the work again, the system that is changed has to know
//! the key as well (a unique column, an idempotency key of its own).
//!
//! - *It must not, and one can find out whether it ran* (a payment, a mail): a lease longer than the work's
//!   own time-out, a retention for as long as duplicates come, `on_abandon` and `on_expiry` `Halt`, and
//!   somebody who [settles](crate::manual::operating#settling-a-halt) what is halted.
//! - *It may, and should not* (rendering, an upload): a lease of several times what it mostly takes, or a
//!   short one that is renewed; the same retention; `HandOver`.
//! - *A read that many ask for at once:* a lease as long as the read's time-out; a retention as long as the
//!   result may be old, or zero to share and not keep; `FailWaiters` where a read that failed fails for the
//!   next one too, else `HandOver`.
//!
//! # Key and fingerprint
//!
//! The key names the *operation*, the fingerprint what the request *says*. A client that retries sends the
//! same key; a client that uses a key for something else gets [`Mismatch`](crate::Outcome::Mismatch), if
//! claims give a fingerprint, and not somebody else's response. Where clients send no key, what they say
//! is the key ([`fingerprint_key`](crate::Engine::fingerprint_key)).
//!
//! ```
//! use idem::{Claim, Engine, Outcome, Scope, State};
//!
//! let engine = Engine::new()?;
//! // The tenant is the scope: two tenants may choose one key.
//! let key = engine.key(Scope::Of(b"tenant-4"), b"mail-1001")?;
//! let says = |to: &[u8], body: &[u8]| {
//!     let mut fingerprint = engine.fingerprint();
//!     fingerprint.field(to).field(body);
//!     fingerprint.finish()
//! };
//! let claim = Claim::new(key).fingerprint(says(b"ann", b"hello"));
//! let Outcome::Execute(lease) = engine.claim(claim)? else { return Ok(()) };
//! lease.complete(b"sent")?;
//! let other = Claim::new(key).fingerprint(says(b"bob", b"hello"));
//! assert!(matches!(engine.claim(other)?, Outcome::Mismatch(State::Completed)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Leave out of the key what differs between two tries of one request (a time, an attempt, a session), and
//! of the fingerprint as well.
//!
//! # Lease
//!
//! The time after which others may take over from an owner that says nothing. An owner that panics,
//! returns early or drops its [`Lease`](crate::Lease) ends it at once; the time is for owners that hang,
//! and for [tokens](crate::Token) that get lost.
//!
//! - *Too short:* the work runs again while the first owner is still at it. The first is told
//!   [`Stale`](crate::Stale) when it completes, and its response is dropped.
//! - *Too long:* after an owner that hangs, everybody waits that long.
//! - *Not known:* take a short one and [`renew`](crate::Lease::renew) it as the work makes progress. Renew
//!   where progress is made, not from a timer beside it: a timer also keeps an owner alive that hangs.
//!
//! A lease that has run out still counts until somebody acts on that: an owner that is a little late,
//! with nobody waiting and no tick, completes as usual, and is counted as `late`.
//!
//! [`Engine::run`](crate::Engine::run) uses `max_run` instead, whatever the claim says; nothing renews it.
//!
//! # Retention
//!
//! How long a duplicate gets the stored response. The nearest one said holds: of
//! [`complete_for`](crate::Lease::complete_for), the claim, the namespace, the engine.
//!
//! - *Too short:* a duplicate that comes later runs again. Ask how long clients retry, and how long a
//!   queue redelivers; take more.
//! - *Too long:* records and bytes fill up. Nothing is evicted before its time, so a full engine refuses
//!   new keys ([`Full`](crate::Outcome::Full)).
//! - *Zero:* those who wait get the response, and the key is free again.
//!
//! Retention and limits belong together: the engine must hold every key that is new within one
//! retention. The default limit of records and the default retention of a day last for eleven new keys a
//! second, and no more:
//!
//! ```
//! use idem::Engine;
//! use std::time::Duration;
//!
//! assert_eq!(1_000_000 / 86_400, 11);
//!
//! // 500 new keys a second, responses of 300 bytes, clients that retry for half an hour; and a quarter
//! // more, for bursts.
//! let (keys_a_second, retention, response) = (500, 1800, 300_u64);
//! let records = keys_a_second * retention * 5 / 4;
//! let bytes = records * (response.next_multiple_of(64) + 64);
//! let engine = Engine::builder()
//!     .records(usize::try_from(records)?)
//!     .bytes(bytes)
//!     .retention(Duration::from_secs(retention))
//!     .build()?;
//! # drop(engine);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Limits cost address space at once, and memory only as they are used.
//!
//! # How a lease ends without a result
//!
//! `on_abandon` is for a lease that is dropped or unwound by a panic, `on_expiry` for one that runs out.
//! The owner's terms hold while it owns the key; a waiter that is handed the lease brings its own.
//!
//! - [`HandOver`](crate::OnEnd::HandOver): the longest waiting waiter executes. Work that fails for
//!   everybody is then tried by one waiter after the other, and the last of them waits for all.
//! - [`FailWaiters`](crate::OnEnd::FailWaiters): all who wait get `Cancelled`, and the next claim executes.
//! - [`Halt`](crate::OnEnd::Halt): nobody executes; claims and waiters get `Halted`. Beware of `?` between
//!   the claim and the end: it drops the lease, and that halts the key. Where nothing was done yet, say
//!   so:
//!
//! ```
//! use idem::{Claim, Engine, OnEnd, Outcome, Reason, Scope, Status};
//! # fn connect() -> Result<(), String> { Err("no route".into()) }
//!
//! let engine = Engine::new()?;
//! let key = engine.key(Scope::None, b"payment-5")?;
//! let claim = Claim::new(key).on_abandon(OnEnd::Halt).on_expiry(OnEnd::Halt);
//! if let Outcome::Execute(lease) = engine.claim(claim)? {
//!     match connect() {
//!         Err(_) => lease.cancel(Reason::Owner)?, // Nothing was sent: free to be tried again.
//!         Ok(()) => drop(lease.complete(b"paid")?),
//!     }
//! }
//! assert_eq!(engine.peek(key)?, Status::Vacant);
//!
//! let Outcome::Execute(lease) = engine.claim(claim)? else { return Ok(()) };
//! drop(lease); // As an early return would.
//! assert!(matches!(engine.claim(key)?, Outcome::Halted(Reason::Dropped)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `halted_retention` is how long a halt lasts if nobody settles it; after that the work may run again. Make
//! it longer than it takes a person to look, and than duplicates come. Too long: halted records take
//! room.
//!
//! `cancelled_retention` keeps a cancellation, so that a failure answers the next claims as well. It is
//! the whole engine's, and with it nobody is handed a lease: cancels, dropped and expired leases fail
//! all waiters, whatever their policy, except where that is `Halt`. Too long: a key that failed once
//! stays refused.
//!
//! ```
//! use idem::{Engine, Outcome, Reason, Scope};
//! use std::time::Duration;
//!
//! let engine = Engine::builder().cancelled_retention(Duration::from_secs(5)).build()?;
//! let key = engine.key(Scope::None, b"report-1")?;
//! let Outcome::Execute(lease) = engine.claim(key)? else { return Ok(()) };
//! lease.cancel(Reason::Code(503))?;
//! assert!(matches!(engine.claim(key)?, Outcome::Cancelled(Reason::Code(503))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `on_error` is for errors that a function given to `run` returns: `Share` gives it to all who wait and
//! keeps nothing, `Keep` keeps and replays it, `HandOver` lets the next waiter try, `Halt` stops the key.
//! It is the whole engine's. Where one error means "not done" and another "not known", hold the lease
//! yourself:
//!
//! | what is known | call | duplicates get |
//! |---|---|---|
//! | done | [`complete`] | the response |
//! | refused for good (no such user) | [`fail`], with a retention | the error, until that is over |
//! | refused for those who ask now | `fail`, with zero | the error, if they wait already; otherwise they try |
//! | not done (busy, no route) | [`cancel`] | the longest waiting tries |
//! | not done, and trying at once is of no use | [`cancel_all`] | `Cancelled`; later ones try |
//! | not known (the line broke after it was sent) | [`halt`] | `Halted`, until somebody has looked |
//!
//! [`complete`]: crate::Lease::complete
//! [`fail`]: crate::Lease::fail
//! [`cancel`]: crate::Lease::cancel
//! [`cancel_all`]: crate::Lease::cancel_all
//! [`halt`]: crate::Lease::halt
//!
//! # Waiting
//!
//! `accept_timeout`: how long a waiter that is handed the lease may take to pick it up. It is for futures
//! that nobody polls; threads that block pick it up as soon as they run. *Too short:* on a busy machine
//! waiters lose their turn, not their place. *Too long:* one lost future holds up the key so long.
//!
//! `waiters` and `waiters_per_key`: beyond them a claim gets `Full(Waiters)`. Each waiter that blocks is a
//! thread of yours, so the number of your threads is a natural bound; futures and callbacks are cheaper
//! than that. Whoever asks with [`wait(false)`](crate::Claim::wait) takes no place.
//!
//! # Namespaces and scopes
//!
//! A *scope* is whom a key belongs to: a tenant, a user. It is part of the key, so that tenants cannot
//! meet at one. A *namespace* is a kind of work, with terms of its own. Limits by scope keep one tenant
//! from filling the engine for all; they hold in a namespace that is defined with them, and there only
//! for keys with a scope. The default namespace has no limits but the engine's.
//!
//! ```
//! use idem::{Engine, Limit, NamespaceOptions, OnEnd, Outcome, Scope};
//! use std::time::Duration;
//!
//! let engine = Engine::new()?;
//! let payments = engine.define_namespace(
//!     "payments",
//!     NamespaceOptions::default()
//!         .lease(Duration::from_secs(90))
//!         .retention(Duration::from_secs(3 * 86_400))
//!         .on_abandon(OnEnd::Halt)
//!         .on_expiry(OnEnd::Halt)
//!         .records_per_scope(2),
//! )?;
//! let mut leases = Vec::new();
//! for number in [b"1", b"2", b"3"] {
//!     match engine.claim(payments.key(Scope::Of(b"tenant-4"), number)?)? {
//!         Outcome::Execute(lease) => leases.push(lease),
//!         Outcome::Full(limit) => assert_eq!((limit, leases.len()), (Limit::Scope, 2)),
//!         other => panic!("{other:?}"),
//!     }
//! }
//! // Another tenant has room.
//! assert!(matches!(engine.claim(payments.key(Scope::Of(b"tenant-5"), b"1")?)?, Outcome::Execute(_)));
//! leases.into_iter().for_each(|lease| drop(lease.complete(b"paid")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Limits count records that exist, in flight and finished: they bound how much is *kept*. They are no
//! rate limit, and no limit of what runs at once. Limits are set by whoever names the namespace first, and
//! stay. Define namespaces where the engine is built, and keep the handles.
//!
//! A small rate limit can be made of numbered keys, each seen [`once`](crate::Engine::once) in its time. At
//! most three in any minute, for each tenant:
//!
//! ```
//! use idem::testing::Harness;
//! use idem::{Engine, Namespace, OnceError, Scope};
//! use std::time::Duration;
//!
//! const MINUTE: Duration = Duration::from_secs(60);
//!
//! fn may_send(engine: &Engine, sends: &Namespace, tenant: &[u8]) -> Result<bool, OnceError> {
//!     for number in *b"123" {
//!         let key = sends.key(Scope::Of(tenant), &[number]).expect("short, and not empty");
//!         if engine.once(key, MINUTE)? {
//!             return Ok(true); // Not sent after all: `forget` the key.
//!         }
//!     }
//!     Ok(false)
//! }
//!
//! let harness = Harness::new();
//! let sends = harness.engine.namespace("sends")?;
//! let may_send = || may_send(&harness.engine, &sends, b"tenant-4");
//! assert!(may_send()? && may_send()? && may_send()? && !may_send()?);
//! harness.pass(MINUTE);
//! assert!(may_send()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Ask for it when the lease is yours, and `cancel` if it says no: a duplicate is then answered without a
//! turn of its own.
//!
//! # Typed values
//!
//! [`Typed`](crate::Typed) is for results that are used in this process: no copy, no encoding, and a
//! destructor that is run once. Bytes are for what goes out again as it is; large ones that are there
//! already are handed in with their owner ([`complete_owned`](crate::Lease::complete_owned)).
//!
//! ```
//! use idem::typed::Missed;
//! use idem::{Engine, Scope, Typed};
//!
//! struct Page {
//!     html: String,
//! }
//!
//! let engine = Engine::builder().bytes(64 << 20).build()?;
//! let pages: Typed<Page, String> = engine.typed().weighed(|page| page.html.len());
//! let key = engine.namespace("pages")?.key(Scope::None, b"home")?;
//! let page = pages.get_or_run(key, || Ok(Page { html: "<h1>Home</h1>".to_owned() }))?;
//! assert_eq!(page.html, "<h1>Home</h1>");
//! // Without running or waiting; and with what is done from outside as ever.
//! assert!(pages.get(key)?.is_some());
//! engine.forget(key)?;
//! let failed = pages.get_or_run(key, || Err("no such page".to_owned()));
//! assert!(matches!(failed, Err(Missed::Failed(error)) if *error == "no such page"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Say what they weigh.** Limits are in bytes, and a value counts for what its weigher says and 128 bytes
//! more. Without a weigher that is its `size_of`, which is right for plain numbers and structures of them,
//! and far too little for what owns memory elsewhere: say `weighed` then. A value that is heavier than
//! `max_response` leaves a tombstone, as a body does that is too long. It counts for as long as anybody has
//! it, also beyond its record.
//!
//! **A value is shared by all who get it**, and cannot be changed: what is in a lock or an atomic inside it
//! changes for everybody. A value that owns a handle of its own engine, or another value of it, keeps the
//! engine alive until its record ends.
//!
//! **One type for a key.** What is not a `V` is [`Done`](crate::typed::Outcome::Done) to a view of `V`s, and
//! a value has no bytes in the engine's own replays. Give each type a namespace.
//!
//! # What `Full` means
//!
//! The claim did nothing, and the engine knows nothing of the key. Refusing the request is safe; doing
//! the work all the same gives up what the engine is for. Keys that have a record answer as usual, also
//! in a full engine. A response without room never fails: it leaves a tombstone, and duplicates get
//! [`Done`](crate::Outcome::Done) without a body.
//!
//! # Defaults and bounds
//!
//! Durations are at most ten years of 365 days, and are rounded up to milliseconds; on Linux the clock's
//! resolution (1 to 10 ms) comes on top. *Set by* is the nearest place first.
//!
//! | option | default | bounds | set by |
//! |---|---|---|---|
//! | `lease` | 30 s | not zero | claim, namespace, engine |
//! | `retention` | 24 h | zero: only delivered | complete, claim, namespace, engine |
//! | `on_abandon`, `on_expiry` | `HandOver` | | claim, namespace, engine |
//! | `max_run` | 15 min | not zero | engine |
//! | `on_error` | `Share` | `Keep`: not for zero | engine |
//! | `cancelled_retention` | zero: none | | engine |
//! | `halted_retention` | 24 h | not zero | engine |
//! | `accept_timeout` | 1 s | not zero | engine |
//! | `records` | 1 000 000 | 1 to 268 million; of them 4 194 240 in flight | engine |
//! | `bytes` | 256 MiB | 4 KiB to about 200 GiB | engine |
//! | `max_response` | 1 MiB, or as much as `bytes` allows | at most 1 GiB, and within `bytes` | engine |
//! | `waiters` | 65 536 | at most 1 048 574; zero: nobody can wait | engine |
//! | `waiters_per_key` | 4096 | at most 4 294 967 295 | engine |
//! | a namespace's `records`, `records_per_scope` | no limit | 1 to 67 108 863 | its definition |
//! | a namespace's `bytes`, `bytes_per_scope` | no limit | 64 to 4 GiB less 64 | its definition |
//! | namespaces, and scopes in use that have limits | | 1 048 575 together | |
//! | a key, a scope, a name | | 1 to [65 536](crate::Key::LENGTH_MAX) bytes | |
//! | `helper_thread` | yes; on a manual clock no | | engine |
//! | `huge_pages`, `prefault` | no | `prefault`: what the machine has | engine |
//! | `key_hash` | `SipHash24` | `Xxh3` only for keys that nobody outside has a say in | engine |
//! | `secret` | random | | engine |
//!
//! A response takes its length, rounded up to 64, and 64 bytes more; a record in flight reserves 64.
//! Bytes of a response that expired but is still held by a [`Replay`](crate::Replay) count: copy what you
//! keep for long.
