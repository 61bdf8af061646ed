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

use std::marker::PhantomData;
use std::time::Duration;

use ::idem::{
    Claim as IdemClaim, Clock, Completion, Engine, Fingerprint as IdemFingerprint, Key as IdemKey,
    Lease, ManualClock, Outcome, Replay, Scope, Status,
};

use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Key, Name, Text};

/// As the default constructor builds it.
pub(crate) type Idem<N> = Engaged<false, N>;

/// With a clock that the workers move.
pub(crate) type IdemTicked<N> = Engaged<true, N>;

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
pub(crate) struct Engaged<const TICKED: bool, N> {
    engine: Engine,
    clock: Option<ManualClock>,
    names: PhantomData<fn(N)>,
}

impl<const TICKED: bool, N> Engaged<TICKED, N> {
    fn tick(&self) {
        for _ in 0..SLICES_MAX {
            if !self.engine.tick() {
                break;
            }
        }
    }
}

impl<const TICKED: bool, N: Named> Adapter for Engaged<TICKED, N> {
    const NAME: &'static str = if TICKED { "idem-ticked" } else { "idem" };
    const HOW: &'static str = if TICKED {
        "libidem, ticked by the workers instead of its helper thread (churn only)"
    } else {
        "libidem as its default constructor builds it, with limits and times set"
    };
    const OURS: bool = true;
    const LEAVES_EXACTLY: bool = false;
    const LEAVES_BY_TIME: bool = !TICKED;
    const CHURN_ONLY: bool = TICKED;

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
            .retention(setup.retention);
        let clock = (TICKED || setup.manual_time).then(ManualClock::new);
        if let Some(clock) = &clock {
            builder = builder.clock(Clock::manual(clock)).helper_thread(false);
        }
        if TICKED && setup.live > 0 {
            let ticks = setup.live.div_ceil(STEPS_PER_TICK as usize);
            builder = builder.retention(TICK * u32::try_from(ticks).expect("below 2^42 keys"));
        }
        Self {
            engine: builder.build().expect("the configuration is valid"),
            clock,
            names: PhantomData,
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
        if TICKED {
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
        let counts = [
            ("executes", stats.executes, tally.executes),
            ("completes", stats.completes, tally.executes),
            ("replays", stats.replays, tally.replays),
            ("full", stats.full_records + stats.full_bytes, tally.fulls),
            ("tombstones", stats.tombstones, 0),
            ("late", stats.late, 0),
            ("stale", stats.stale, 0),
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
