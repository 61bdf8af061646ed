//! `scc::HashMap`: a lock in each bucket.
//!
//! Two ways, as for dashmap: `scc` claims through the entry, `scc-read` looks under the bucket's
//! shared lock first.

use std::sync::Arc;
use std::time::Duration;

use ::scc::HashMap;
use ::scc::hash_map::Entry as MapEntry;

use super::peer::{BuildKeyHasher, Entry, Peer, PeerClaim, PeerLane, PeerTicket};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Key};

/// Claims through the entry API.
pub(crate) type SccEntry = Scc<false>;

/// Looks under the shared lock first.
pub(crate) type SccRead = Scc<true>;

/// The map and what it lacks.
pub(crate) struct Scc<const READ_FIRST: bool> {
    map: HashMap<Key, Entry, BuildKeyHasher>,
    peer: Peer,
}

impl<const READ_FIRST: bool> Adapter for Scc<READ_FIRST> {
    const NAME: &'static str = if READ_FIRST { "scc-read" } else { "scc" };
    const HOW: &'static str = if READ_FIRST {
        "scc::HashMap; read_sync, then entry_sync; re-look-up to complete"
    } else {
        "scc::HashMap; entry_sync; re-look-up to complete"
    };

    type Lane = PeerLane;
    type Ticket<'a> = PeerTicket;
    type Handle = Arc<[u8]>;

    fn new(setup: &Setup) -> Self {
        Self {
            map: HashMap::with_capacity_and_hasher(setup.records, BuildKeyHasher::default()),
            peer: Peer::new(setup),
        }
    }

    fn lane(&self, index: usize) -> PeerLane {
        self.peer.lane(index)
    }

    fn claim(&self, lane: &mut PeerLane, key: Key, fingerprint: Fingerprint) -> PeerClaim {
        let now_ms = self.peer.now_ms();
        if READ_FIRST {
            let answer = self.map.read_sync(&key, |_, entry| entry.answer(fingerprint, now_ms));
            if let Some(answer) = answer.flatten() {
                return answer;
            }
        }
        let entry = self.map.entry_sync(key);
        if let MapEntry::Occupied(occupied) = &entry
            && let Some(answer) = occupied.get().answer(fingerprint, now_ms)
        {
            return answer;
        }
        let token = lane.token();
        let fresh = Entry::in_flight(fingerprint, self.peer.lease_end(now_ms), token);
        match entry {
            MapEntry::Vacant(vacant) => drop(vacant.insert_entry(fresh)),
            MapEntry::Occupied(mut occupied) => {
                let old = occupied.insert(fresh);
                // Memory is freed after the lock.
                drop(occupied);
                self.peer.release(lane, old.body());
            }
        }
        Claim::Execute(PeerTicket { key, token })
    }

    fn complete(&self, lane: &mut PeerLane, ticket: PeerTicket, response: &[u8]) -> Completed {
        let mut body = self.peer.store(lane, response);
        let had_room = body.is_some();
        let retention_end = self.peer.retention_end();
        let owned = self.map.update_sync(&ticket.key, |_, entry| {
            entry.complete(ticket.token, retention_end, &mut body)
        });
        self.peer.completed(lane, owned == Some(true), had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane, key: Key) {
        if let Some(due) = lane.push(key) {
            let left = self.map.remove_if_sync(&due, |entry| entry.is_finished());
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
