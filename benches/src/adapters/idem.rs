//! libidem.
//!
//! `idem` is the engine as its default constructor builds it: only limits and times are set. Its
//! clock is the real one and its own helper thread ticks, so in the churn workload responses leave
//! as their retention ends; the runner finds the retention at which the wanted number lives.
//!
//! `idem-ticked` is for churn alone. It has no helper thread and a clock that the workers move:
//! each advances it and ticks after so many steps, which is when its oldest responses are due.
//! The workers pay for all of the expiry, as the peers' workers do, and the number that lives
//! does not depend on how fast the machine is.
//!
//! `idem-huge` is `idem` with huge pages and prefaulted, which is done before time runs: for the
//! workloads that show what address translation and first touches cost.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::idem::{
    Claim as IdemClaim, Clock, Completion, Engine, Fingerprint as IdemFingerprint, Key as IdemKey,
    Lease, ManualClock, Outcome, Replay, Scope, Status,
};

use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Key, Name, Text};
use crate::workload::Workload;

/// What an engine of libidem is built with besides, and what it is for.
pub(crate) trait Kind: 'static {
    /// The engine's name.
    const NAME: &'static str;
    /// What is told of it.
    const HOW: &'static str;
    /// Whether workers move the clock.
    const TICKED: bool = false;
    /// Whether it has a hook that counts every event.
    const HOOKED: bool = false;
    /// Whether its memory is prefaulted, by huge pages.
    const HUGE: bool = false;
    /// The workloads it is for, if not for all.
    const ONLY: Option<&'static [Workload]> = None;
}

/// As the default constructor builds it.
pub(crate) struct Plain;

impl Kind for Plain {
    const NAME: &'static str = "idem";
    const HOW: &'static str =
        "libidem as its default constructor builds it, with limits and times set";
}

/// With a clock that the workers move.
pub(crate) struct Ticked;

impl Kind for Ticked {
    const NAME: &'static str = "idem-ticked";
    const HOW: &'static str =
        "libidem, ticked by the workers instead of its helper thread (churn, hooks)";
    const TICKED: bool = true;
    const ONLY: Option<&'static [Workload]> = Some(&[Workload::Churn, Workload::Hooks]);
}

/// The same with a hook.
pub(crate) struct Hooked;

impl Kind for Hooked {
    const NAME: &'static str = "idem-hooked";
    const HOW: &'static str = "idem-ticked with a hook that counts every event (hooks)";
    const TICKED: bool = true;
    const HOOKED: bool = true;
    const ONLY: Option<&'static [Workload]> = Some(&[Workload::Hooks]);
}

/// With both options for the memory of large tables.
pub(crate) struct Huge;

impl Kind for Huge {
    const NAME: &'static str = "idem-huge";
    const HOW: &'static str = "libidem with huge pages and prefault (batch, replay, fill)";
    const HUGE: bool = true;
    const ONLY: Option<&'static [Workload]> =
        Some(&[Workload::Batch, Workload::Replay, Workload::Fill]);
}

pub(crate) type Idem<N> = Engaged<Plain, N>;
pub(crate) type IdemTicked<N> = Engaged<Ticked, N>;
pub(crate) type IdemHooked<N> = Engaged<Hooked, N>;
pub(crate) type IdemHuge<N> = Engaged<Huge, N>;

/// Steps of one worker between its ticks: at a million steps a second, one tick a millisecond.
const STEPS_PER_TICK: u32 = 1024;

/// By how much a worker moves the clock.
const TICK: Duration = Duration::from_millis(1);

/// Slices of expiry that one tick may take on: a worker does not do all of the others' share.
const SLICES_MAX: u32 = 16;

/// A name as libidem takes it.
pub(crate) trait Named: Name {
    /// The key.
    fn key(self, engine: &Engine) -> IdemKey;
}

impl Named for Key {
    fn key(self, engine: &Engine) -> IdemKey {
        engine.raw_key(self)
    }
}

impl Named for Text {
    fn key(self, engine: &Engine) -> IdemKey {
        engine.key(Scope::None, &self).expect("neither empty nor too long")
    }
}

/// The engine and the clock it is given, if any.
pub(crate) struct Engaged<K, N> {
    engine: Engine,
    clock: Option<ManualClock>,
    /// What the hook has counted, if there is one.
    events: Option<Arc<AtomicU64>>,
    kind: PhantomData<fn(K, N)>,
}

impl<K, N> Engaged<K, N> {
    fn tick(&self) {
        for _ in 0..SLICES_MAX {
            if !self.engine.tick() {
                break;
            }
        }
    }
}

impl<K: Kind, N: Named> Adapter for Engaged<K, N> {
    const NAME: &'static str = K::NAME;
    const HOW: &'static str = K::HOW;
    const OURS: bool = true;
    const LEAVES_EXACTLY: bool = false;
    const LEAVES_BY_TIME: bool = !K::TICKED;
    const ONLY: Option<&'static [Workload]> = K::ONLY;

    type Name = N;
    /// Steps since the last tick.
    type Lane = u32;
    type Ticket<'a> = Lease;
    type Handle = Replay;

    fn new(setup: &Setup) -> Self {
        let mut builder = Engine::builder()
            .records(setup.records)
            .bytes(setup.bytes)
            .lease(setup.lease)
            .retention(setup.retention)
            .huge_pages(K::HUGE)
            .prefault(K::HUGE);
        let clock = (K::TICKED || setup.manual_time).then(ManualClock::new);
        if let Some(clock) = &clock {
            builder = builder.clock(Clock::manual(clock)).helper_thread(false);
        }
        if K::TICKED && setup.live > 0 {
            let ticks = setup.live.div_ceil(STEPS_PER_TICK as usize);
            builder = builder.retention(TICK * u32::try_from(ticks).expect("below 2^42 keys"));
        }
        let events = K::HOOKED.then(Arc::<AtomicU64>::default);
        if let Some(events) = events.clone() {
            builder = builder.hook(move |_| {
                events.fetch_add(1, Ordering::Relaxed);
            });
        }
        Self {
            events,
            engine: builder.build().expect("the configuration is valid"),
            clock,
            kind: PhantomData,
        }
    }

    fn lane(&self, _: usize) -> u32 {
        0
    }

    fn claim(&self, _: &mut u32, name: N, fingerprint: Fingerprint) -> Claim<Lease, Replay> {
        let claim = IdemClaim::new(name.key(&self.engine))
            .fingerprint(IdemFingerprint::from_u128(fingerprint));
        match self.engine.claim(claim) {
            Ok(Outcome::Execute(lease)) => Claim::Execute(lease),
            Ok(Outcome::InFlight(_)) => Claim::InFlight,
            Ok(Outcome::Replay(replay)) => Claim::Replay(replay),
            Ok(Outcome::Done(_)) => Claim::Done,
            Ok(Outcome::Mismatch(_)) => Claim::Mismatch,
            Ok(Outcome::Full(_)) => Claim::Full,
            other => panic!("unexpected: {other:?}"),
        }
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let status = self.engine.peek_into(name.key(&self.engine), into);
        matches!(status, Ok(Status::Completed { length: Some(_), .. }))
    }

    fn replay_batch(&self, _: &mut u32, names: &[(N, Fingerprint)], mut see: impl FnMut(&[u8])) {
        const MOST: usize = 16;
        for names in names.chunks(MOST) {
            let claims: [IdemClaim; MOST] = std::array::from_fn(|index| {
                let (name, fingerprint) = names[index.min(names.len() - 1)];
                IdemClaim::new(name.key(&self.engine))
                    .fingerprint(IdemFingerprint::from_u128(fingerprint))
            });
            let outcomes = self.engine.claim_batch(&claims[..names.len()]);
            for outcome in outcomes.expect("the claims are right") {
                if let Outcome::Replay(bytes) = outcome {
                    see(&bytes);
                }
            }
        }
    }

    fn complete(&self, _: &mut u32, ticket: Lease, response: &[u8]) -> Completed {
        match ticket.complete(response) {
            Ok(Completion::Stored) => Completed::Stored,
            Ok(_) => Completed::Tombstone,
            Err(_) => Completed::Stale,
        }
    }

    fn leave(&self, steps: &mut u32, _: N) {
        if K::TICKED {
            *steps += 1;
            if *steps == STEPS_PER_TICK {
                *steps = 0;
                self.advance(TICK);
            }
        }
    }

    fn advance(&self, by: Duration) {
        self.clock.as_ref().expect("the clock is not manual").advance(by);
        self.tick();
    }

    fn live(&self) -> usize {
        usize::try_from(self.engine.stats().records).expect("fits memory")
    }

    fn audit(&self, tally: &Tally) -> Result<(), String> {
        let stats = self.engine.stats();
        let count = |counter: &Arc<AtomicU64>| counter.load(Ordering::Relaxed);
        // One for each claim, and one for each completion.
        let events = 2 * tally.executes + tally.replays + tally.fulls;
        let counts = [
            ("executes", stats.executes, tally.executes),
            ("completes", stats.completes, tally.executes),
            ("replays", stats.replays, tally.replays),
            ("full", stats.full_records + stats.full_bytes, tally.fulls),
            ("tombstones", stats.tombstones, 0),
            ("late", stats.late, 0),
            ("stale", stats.stale, 0),
            ("events", self.events.as_ref().map_or(events, count), events),
        ];
        for (name, counted, seen) in counts {
            if counted != seen {
                return Err(format!("{name}: the engine counts {counted}, the workers {seen}"));
            }
        }
        if stats.bytes < stats.records * tally.shortest {
            return Err(format!("{} records in {} bytes", stats.records, stats.bytes));
        }
        Ok(())
    }
}
