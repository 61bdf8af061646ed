//! Whoever calls an engine: a worker, or a callback or future on its behalf; and what all of them
//! share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use idem::{Claim, Lease, OnEnd, Replay, Waiter};

use crate::body::{Author, Desk};
use crate::book::{Book, Count};
use crate::faults::Faults;
use crate::latency::Latencies;
use crate::marks::{Mark, Slot};
use crate::options::{Options, Sabotage};
use crate::pool::Pool;
use crate::random::Random;
use crate::rig::{FRESH, Group, RETENTION, RETENTION_LIMITED, Rig};
use crate::time::millis;

/// What everybody shares.
pub(crate) struct Soak {
    pub(crate) options: Options,
    pub(crate) rigs: [Rig; 2],
    pub(crate) faults: Faults,
    pub(crate) desks: Vec<Desk>,
    pub(crate) books: Vec<[Book; 2]>,
    pub(crate) latencies: Vec<Latencies>,
    /// Of each worker: how often it has come round.
    pub(crate) rounds: Vec<AtomicU64>,
    pub(crate) pool: Pool,
    pub(crate) begin: Instant,
    pub(crate) is_over: AtomicBool,
    pub(crate) fresh: AtomicU64,
}

/// A phase of the run: what there is more of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storm {
    Calm,
    Records,
    Bytes,
    Waiters,
}

impl Soak {
    pub(crate) fn storm(&self) -> Storm {
        const PHASE_MS: u128 = 250;
        match self.begin.elapsed().as_millis() / PHASE_MS % 8 {
            2 => Storm::Records,
            4 => Storm::Bytes,
            6 => Storm::Waiters,
            _ => Storm::Calm,
        }
    }

    pub(crate) fn is_sabotage(&self, sabotage: Sabotage) -> bool {
        self.options.sabotage == Some(sabotage)
    }
}

/// See the module.
pub(crate) struct Actor {
    pub(crate) soak: Arc<Soak>,
    pub(crate) worker: u8,
    pub(crate) random: Random,
    /// `None`: not a worker, and so with nowhere to keep anything, and not to be blocked.
    pub(crate) hand: Option<Hand>,
}

/// What a worker holds for a while.
#[derive(Default)]
pub(crate) struct Hand {
    pub(crate) leases: Vec<Owned>,
    pub(crate) replays: Vec<(Asked, Replay)>,
    pub(crate) waiters: Vec<(Asked, Waiter)>,
    pub(crate) callbacks: Vec<(usize, idem::Callback)>,
    /// Never let go of (`--sabotage leak`).
    pub(crate) leaked: Vec<Replay>,
}

pub(crate) const HAND: usize = 12;

/// A claim, and what was known when it was made.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) rig: usize,
    pub(crate) index: u64,
    pub(crate) claim: Claim,
    pub(crate) since: u16,
    /// The key surely had a record.
    pub(crate) taken: Option<Mark>,
    pub(crate) variant: u8,
    /// Of the response, in real milliseconds.
    pub(crate) retention: u64,
    /// The engine was closed already.
    pub(crate) is_closed: bool,
}

/// A lease, and what its owner may count on.
pub(crate) struct Owned {
    pub(crate) lease: Lease,
    pub(crate) rights: Rights,
}

#[derive(Clone, Copy)]
pub(crate) struct Rights {
    pub(crate) asked: Asked,
    pub(crate) is_fresh: bool,
    /// Until then the lease is surely live.
    pub(crate) until_us: u64,
    pub(crate) mark: Option<Mark>,
    pub(crate) number: u16,
}

const POLICIES: [OnEnd; 8] = [
    OnEnd::HandOver,
    OnEnd::HandOver,
    OnEnd::HandOver,
    OnEnd::HandOver,
    OnEnd::HandOver,
    OnEnd::HandOver,
    OnEnd::FailWaiters,
    OnEnd::Halt,
];

impl Actor {
    pub(crate) fn new(soak: Arc<Soak>, worker: u8) -> Self {
        let seed = soak.options.seed.wrapping_mul(1 << 8) + u64::from(worker);
        let hand = Some(Hand::default());
        Self { soak, worker, random: Random::new(seed), hand }
    }

    /// One that acts on behalf of this one.
    pub(crate) fn deputy(&mut self) -> Self {
        let random = Random::new(self.random.next());
        Self { soak: self.soak.clone(), worker: self.worker, random, hand: None }
    }

    pub(crate) fn rig(&self, rig: usize) -> &Rig {
        &self.soak.rigs[rig]
    }

    pub(crate) fn book(&self, rig: usize) -> &Book {
        &self.soak.books[usize::from(self.worker)][rig]
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.soak.desks[usize::from(self.worker)]
    }

    pub(crate) fn latencies(&self) -> &Latencies {
        &self.soak.latencies[usize::from(self.worker)]
    }

    pub(crate) fn fault(&self, kind: &'static str, what: &str) {
        self.soak.faults.add(kind, what);
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.random.chance(1.0 / count as f64)
    }

    /// Somebody has got a lease, or the function of a run was called.
    pub(crate) fn executes(&mut self, rig: usize) {
        if !(self.soak.is_sabotage(Sabotage::Miscount) && self.one_in(50)) {
            self.book(rig).sure(Count::Executes);
        }
    }

    pub(crate) fn pick_rig(&mut self) -> usize {
        usize::from(self.one_in(5))
    }

    /// A key of the kind that the present phase has most of.
    pub(crate) fn pick_key(&mut self, rig: usize) -> u64 {
        let storm = self.soak.storm();
        let (hot, fresh) = match storm {
            Storm::Calm => (5, 10),
            Storm::Records => (5, 85),
            Storm::Bytes => (5, 60),
            Storm::Waiters => (70, 5),
        };
        let draw = self.random.below(100);
        let group = match self.random.below(12) {
            _ if draw < hot => Group::Hot,
            _ if draw < hot + fresh => return self.fresh_key(),
            0 | 1 => Group::Limited,
            2 => Group::Cleared,
            3 => Group::Forced,
            _ => Group::Plain,
        };
        self.pick_of(rig, group)
    }

    pub(crate) fn pick_of(&mut self, rig: usize, group: Group) -> u64 {
        let range = self.rig(rig).range(group);
        range.start + self.random.below(range.end - range.start)
    }

    pub(crate) fn fresh_key(&self) -> u64 {
        // Relaxed: only the number matters.
        FRESH + self.soak.fresh.fetch_add(1, Ordering::Relaxed)
    }

    /// Words a claim, and notes what is known of its key.
    pub(crate) fn ask(&mut self, rig: usize, index: u64) -> Asked {
        let variant = match self.random.below(20) {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        let lease = [5, 20, 60, 150, 300][self.random.below(5) as usize];
        let retention = [None, None, Some(0), Some(30), Some(100), Some(250)];
        let retention = match self.rig(rig).group(index) {
            // Soon vacant, so that there is something to wait for.
            Some(Group::Hot) if self.random.below(4) > 0 => Some(0),
            _ => retention[self.random.below(6) as usize],
        };
        let policies = [self.random.below(8), self.random.below(8)];
        let policies = policies.map(|policy| POLICIES[policy as usize]);
        let may_execute = !self.one_in(10);
        let owner = u64::from(self.worker) + 1;

        let rig_ = self.rig(rig);
        let group = rig_.group(index);
        let mut claim = Claim::new(rig_.key(index)).owner(owner).may_execute(may_execute);
        claim = claim.lease(rig_.scaled(lease)).on_abandon(policies[0]).on_expiry(policies[1]);
        if variant > 0 {
            claim = claim.fingerprint(rig_.fingerprint(index, variant));
        }
        if let Some(retention) = retention {
            claim = claim.retention(rig_.scaled(retention));
        }
        let usual = if group == Some(Group::Limited) { RETENTION_LIMITED } else { RETENTION };
        let slot = rig_.slot(index);
        Asked {
            rig,
            index,
            claim,
            since: slot.map_or(0, Slot::since),
            taken: slot.and_then(Slot::taken),
            variant,
            retention: retention.unwrap_or(usual),
            // Acquire: pairs with `close_within`.
            is_closed: rig_.is_closed.load(Ordering::Acquire),
        }
    }

    /// Whether the key has had a record all the time since the claim was worded.
    pub(crate) fn is_still_taken(&self, asked: &Asked) -> bool {
        let slot = self.rig(asked.rig).slot(asked.index);
        slot.zip(asked.taken).is_some_and(|(slot, mark)| slot.is_still(mark))
    }

    /// A response that was handed out: is it the right one?
    pub(crate) fn received(&self, asked: &Asked, bytes: &[u8], is_error: bool) {
        let Asked { rig, index, variant, .. } = *asked;
        let Some(author) = Author::read(bytes) else {
            return self.fault("bytes", &format!("{} bytes of key {index} are wrong", bytes.len()));
        };
        let is_right = author.key == index
            && usize::from(author.rig) == rig
            && author.is_error == is_error
            && usize::from(author.worker) < self.soak.desks.len();
        if !is_right {
            return self.fault("bytes", &format!("key {index} got what is another's: {author:?}"));
        }
        if self.soak.desks[usize::from(author.worker)].is_refused(author.serial) {
            self.fault("refused", &format!("handed out, though its owner was stale: {author:?}"));
        }
        let is_other = author.is_fresh && author.variant > 0 && variant > 0;
        if is_other && author.variant != variant {
            self.fault("mismatch", &format!("fingerprint {variant} got {author:?}"));
        }
    }

    /// A lease that has just begun.
    pub(crate) fn own(&mut self, asked: Asked, lease: Lease) -> Owned {
        self.executes(asked.rig);
        if asked.is_closed {
            self.fault("closed", &format!("key {} executes in a closed engine", asked.index));
        }
        if self.is_still_taken(&asked) {
            let number = asked.index;
            self.fault("double", &format!("key {number} executes, though it surely has a record"));
        }
        let until_us = self.sure_until(asked.rig, &lease);
        let is_fresh = lease.origin() == idem::Origin::Fresh && lease.attempt() == 1;
        let rights = self.begin(asked, is_fresh, until_us);
        Owned { lease, rights }
    }

    /// An owner begins: the judge is told.
    pub(crate) fn begin(&mut self, asked: Asked, is_fresh: bool, until_us: u64) -> Rights {
        let number = self.random.next() as u16;
        let taken = self
            .rig(asked.rig)
            .slot(asked.index)
            .map_or(Ok(None), |slot| slot.take(until_us, asked.since, number));
        let mark = taken.unwrap_or_else(|_| {
            self.fault("double", &format!("key {} has two live owners", asked.index));
            None
        });
        Rights { asked, is_fresh, until_us, mark, number }
    }

    /// Until when a lease surely lasts.
    pub(crate) fn sure_until(&self, rig: usize, lease: &Lease) -> u64 {
        let now = crate::time::micros();
        let left = lease.time_left().unwrap_or_default() / self.rig(rig).pace;
        (now + left.as_micros() as u64).saturating_sub(crate::time::ROUNDING_US)
    }

    /// How long a stored response is, or is not, to be.
    pub(crate) fn length(&mut self, rig: usize) -> usize {
        let most = self.rig(rig).limits.max_response as u64;
        let length = match self.random.below(100) {
            _ if self.soak.storm() == Storm::Bytes => most / 2 + self.random.below(most / 2),
            0 => most + 1 + self.random.below(1000),
            1..8 => self.random.below(most),
            _ => 32 + self.random.below(500),
        };
        length as usize
    }

    /// Lets a little time pass, as work does.
    pub(crate) fn work(&mut self, most_ms: u64) {
        std::thread::sleep(millis(self.random.below(most_ms + 1)));
    }
}
