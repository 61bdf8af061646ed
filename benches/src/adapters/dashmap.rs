//! `dashmap::DashMap`: sharded reader-writer locks over hashbrown.
//!
//! Two ways, for each loses where the other wins. `dashmap` claims through the entry API: one
//! look-up, under the shard's exclusive lock. `dashmap-read` first looks under the shared lock,
//! and goes to the entry only if there is nothing to answer with: replays do not exclude each
//! other, new keys are looked up twice.

use std::sync::Arc;
use std::time::Duration;

use ::dashmap::{DashMap, Entry as MapEntry};

use super::peer::{Entry, Hashing, Peer, PeerClaim, PeerLane, PeerTicket, SHARDS};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

/// Claims through the entry API.
pub(crate) type DashEntry<N, S> = Dash<false, N, S>;

/// Looks under the shared lock first.
pub(crate) type DashRead<N, S> = Dash<true, N, S>;

/// The map and what it lacks.
pub(crate) struct Dash<const READ_FIRST: bool, N, S> {
    map: DashMap<N, Entry, S>,
    peer: Peer,
}

impl<const READ_FIRST: bool, N: Name, S: Hashing> Adapter for Dash<READ_FIRST, N, S> {
    const NAME: &'static str = if READ_FIRST { "dashmap-read" } else { "dashmap" };
    const HOW: &'static str = if READ_FIRST {
        "dashmap::DashMap, 64 shards; get, then entry; re-look-up to complete"
    } else {
        "dashmap::DashMap, 64 shards; entry; re-look-up to complete"
    };

    type Name = N;
    type Lane = PeerLane<N>;
    type Ticket<'a> = PeerTicket<N>;
    type Handle = Arc<[u8]>;

    fn new(setup: &Setup) -> Self {
        Self {
            map: DashMap::with_capacity_and_hasher_and_shard_amount(
                setup.records,
                S::default(),
                SHARDS,
            ),
            peer: Peer::new(setup),
        }
    }

    fn lane(&self, index: usize) -> PeerLane<N> {
        self.peer.lane(index)
    }

    fn claim(&self, lane: &mut PeerLane<N>, name: N, fingerprint: Fingerprint) -> PeerClaim<N> {
        let now_ms = self.peer.now_ms();
        if READ_FIRST && let Some(entry) = self.map.get(&name) {
            let answer = entry.answer(fingerprint, now_ms);
            if let Some(answer) = answer {
                return answer;
            }
        }
        let entry = self.map.entry(name);
        if let MapEntry::Occupied(occupied) = &entry
            && let Some(answer) = occupied.get().answer(fingerprint, now_ms)
        {
            return answer;
        }
        let token = lane.token();
        let fresh = Entry::in_flight(fingerprint, self.peer.lease_end(now_ms), token);
        match entry {
            MapEntry::Vacant(vacant) => drop(vacant.insert(fresh)),
            MapEntry::Occupied(mut occupied) => {
                let old = occupied.insert(fresh);
                // Memory is freed after the lock.
                drop(occupied);
                self.peer.release(lane, old.body());
            }
        }
        Claim::Execute(PeerTicket { name, token })
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let now_ms = self.peer.now_ms();
        self.map.get(&name).is_some_and(|entry| entry.copy(now_ms, into))
    }

    fn complete(
        &self,
        lane: &mut PeerLane<N>,
        ticket: PeerTicket<N>,
        response: &[u8],
    ) -> Completed {
        let mut body = self.peer.store(lane, response);
        let had_room = body.is_some();
        let retention_end = self.peer.retention_end();
        let owned = self
            .map
            .get_mut(&ticket.name)
            .is_some_and(|mut entry| entry.complete(ticket.token, retention_end, &mut body));
        self.peer.completed(lane, owned, had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane<N>, name: N) {
        if let Some(due) = lane.push(name) {
            let left = self.map.remove_if(&due, |_, entry| entry.is_finished());
            self.peer.release(lane, left.as_ref().and_then(|(_, entry)| entry.body()));
        }
    }

    fn advance(&self, by: Duration) {
        self.peer.advance(by);
    }

    fn live(&self) -> usize {
        self.map.len()
    }

    fn audit(&self, tally: &Tally) -> Result<(), String> {
        self.peer.audit(self.live(), tally)
    }
}
