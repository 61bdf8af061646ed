//! `quick_cache::sync::Cache`: a sharded cache with a placeholder for what is being computed.
//!
//! The placeholder guard is the lease, which is how the crate means it to be used; storing an
//! in-flight entry instead would cost it a second insertion. So two things are not checked that
//! the others check: the fingerprint of a key in flight, and the lease's deadline.
//!
//! The capacity is so large that nothing is ever evicted, for that would forget keys whose
//! retention has not ended. No ghosts are kept, for nothing is evicted that they would remember.

use std::sync::Arc;
use std::time::Duration;

use ::quick_cache::sync::{
    Cache, DefaultLifecycle, EntryAction, EntryResult, GuardResult, PlaceholderGuard,
};
use ::quick_cache::{OptionsBuilder, UnitWeighter};

use super::peer::{Hashing, Peer, PeerLane, SHARDS};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

/// The cache and what it lacks.
pub(crate) struct QuickCache<N, S> {
    cache: Cache<N, Stored, UnitWeighter, S>,
    peer: Peer,
}

/// A completed key.
#[derive(Clone)]
pub(crate) struct Stored {
    fingerprint: Fingerprint,
    deadline: u64,
    /// Nothing for a tombstone.
    body: Option<Arc<[u8]>>,
}

/// Ownership of a key.
pub(crate) struct Ticket<'a, N, S> {
    guard: Guard<'a, N, S>,
    fingerprint: Fingerprint,
}

type Guard<'a, N, S> =
    PlaceholderGuard<'a, N, Stored, UnitWeighter, S, DefaultLifecycle<N, Stored>>;

impl Stored {
    /// What a claim gets, or nothing if the retention has ended.
    fn answer<Ticket>(
        self,
        fingerprint: Fingerprint,
        now_ms: u64,
    ) -> Option<Claim<Ticket, Arc<[u8]>>> {
        if self.deadline <= now_ms {
            None
        } else if self.fingerprint != fingerprint {
            Some(Claim::Mismatch)
        } else {
            Some(self.body.map_or(Claim::Done, Claim::Replay))
        }
    }
}

impl<N: Name, S: Hashing> QuickCache<N, S> {
    /// Claims a key of which an expired response was seen.
    #[cold]
    fn take_over(
        &self,
        lane: &mut PeerLane<N>,
        name: N,
        fingerprint: Fingerprint,
    ) -> Claim<Ticket<'_, N, S>, Arc<[u8]>> {
        let now_ms = self.peer.now_ms();
        let entry = self.cache.entry(&name, Some(Duration::ZERO), |_, stored| {
            match stored.clone().answer(fingerprint, now_ms) {
                Some(answer) => EntryAction::Retain(answer),
                None => EntryAction::ReplaceWithGuard,
            }
        });
        match entry {
            EntryResult::Retained(answer) => answer,
            EntryResult::Replaced(guard, old) => {
                self.peer.release(lane, old.body.as_deref());
                Claim::Execute(Ticket { guard, fingerprint })
            }
            EntryResult::Vacant(guard) => Claim::Execute(Ticket { guard, fingerprint }),
            EntryResult::Timeout => Claim::InFlight,
            EntryResult::Removed(..) => unreachable!("never asked for"),
        }
    }
}

impl<N: Name, S: Hashing> Adapter for QuickCache<N, S> {
    const NAME: &'static str = "quick_cache";
    const HOW: &'static str =
        "quick_cache::sync::Cache, 64 shards; get_value_or_guard; the guard is the lease";
    const KNOWS_LEASES: bool = false;

    type Name = N;
    type Lane = PeerLane<N>;
    type Ticket<'a> = Ticket<'a, N, S>;
    type Handle = Arc<[u8]>;

    fn new(setup: &Setup) -> Self {
        let options = OptionsBuilder::new()
            .shards(SHARDS)
            .estimated_items_capacity(setup.records)
            .weight_capacity(u64::MAX / 2)
            .ghost_allocation(0.0)
            .build()
            .expect("the options are complete");
        let cache =
            Cache::with_options(options, UnitWeighter, S::default(), DefaultLifecycle::default());
        cache.reserve(setup.records);
        Self { cache, peer: Peer::new(setup) }
    }

    fn lane(&self, index: usize) -> PeerLane<N> {
        self.peer.lane(index)
    }

    fn claim(
        &self,
        lane: &mut PeerLane<N>,
        name: N,
        fingerprint: Fingerprint,
    ) -> Claim<Ticket<'_, N, S>, Arc<[u8]>> {
        match self.cache.get_value_or_guard(&name, Some(Duration::ZERO)) {
            GuardResult::Guard(guard) => Claim::Execute(Ticket { guard, fingerprint }),
            GuardResult::Timeout => Claim::InFlight,
            GuardResult::Value(stored) => stored
                .answer(fingerprint, self.peer.now_ms())
                .unwrap_or_else(|| self.take_over(lane, name, fingerprint)),
        }
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let now_ms = self.peer.now_ms();
        let stored = self.cache.get(&name).filter(|stored| stored.deadline > now_ms);
        let bytes = stored.and_then(|stored| stored.body);
        into.extend_from_slice(bytes.as_deref().unwrap_or_default());
        bytes.is_some()
    }

    fn complete(
        &self,
        lane: &mut PeerLane<N>,
        ticket: Ticket<'_, N, S>,
        response: &[u8],
    ) -> Completed {
        let body = self.peer.store(lane, response);
        let had_room = body.is_some();
        let stored =
            Stored { fingerprint: ticket.fingerprint, deadline: self.peer.retention_end(), body };
        let left = ticket.guard.insert(stored).err();
        let body = left.as_ref().and_then(|stored| stored.body.as_ref());
        self.peer.completed(lane, left.is_none(), had_room, body)
    }

    fn leave(&self, lane: &mut PeerLane<N>, name: N) {
        if let Some(due) = lane.push(name) {
            let left = self.cache.remove(&due);
            self.peer.release(lane, left.as_ref().and_then(|(_, stored)| stored.body.as_deref()));
        }
    }

    fn advance(&self, by: Duration) {
        self.peer.advance(by);
    }

    fn live(&self) -> usize {
        self.cache.len()
    }

    fn audit(&self, tally: &Tally) -> Result<(), String> {
        self.peer.audit(self.live(), tally)
    }
}
