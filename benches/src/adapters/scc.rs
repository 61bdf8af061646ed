//! `scc::HashMap`: a lock in each bucket.
//!
//! Two ways, as for dashmap: `scc` claims through the entry, `scc-read` looks under the bucket's
//! shared lock first.

use std::sync::Arc;
use std::time::Duration;

use ::scc::HashMap;
use ::scc::hash_map::Entry as MapEntry;

use super::peer::{Entry, Hashing, Peer, PeerClaim, PeerLane, PeerTicket};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

/// Claims through the entry API.
pub(crate) type SccEntry<N, S> = Scc<false, N, S>;

/// Looks under the shared lock first.
pub(crate) type SccRead<N, S> = Scc<true, N, S>;

/// The map and what it lacks.
pub(crate) struct Scc<const READ_FIRST: bool, N, S: Hashing> {
    map: HashMap<N, Entry, S>,
    peer: Peer,
}

impl<const READ_FIRST: bool, N: Name, S: Hashing> Adapter for Scc<READ_FIRST, N, S> {
    const NAME: &'static str = if READ_FIRST { "scc-read" } else { "scc" };
    const HOW: &'static str = if READ_FIRST {
        "scc::HashMap; read_sync, then entry_sync; re-look-up to complete"
    } else {
        "scc::HashMap; entry_sync; re-look-up to complete"
    };

    type Name = N;
    type Lane = PeerLane<N>;
    type Ticket<'a> = PeerTicket<N>;
    type Handle = Arc<[u8]>;

    fn new(setup: &Setup) -> Self {
        Self {
            map: HashMap::with_capacity_and_hasher(setup.records, S::default()),
            peer: Peer::new(setup),
        }
    }

    fn lane(&self, index: usize) -> PeerLane<N> {
        self.peer.lane(index)
    }

    fn claim(&self, lane: &mut PeerLane<N>, name: N, fingerprint: Fingerprint) -> PeerClaim<N> {
        let now_ms = self.peer.now_ms();
        if READ_FIRST {
            let answer = self.map.read_sync(&name, |_, entry| entry.answer(fingerprint, now_ms));
            if let Some(answer) = answer.flatten() {
                return answer;
            }
        }
        let entry = self.map.entry_sync(name);
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
        Claim::Execute(PeerTicket { name, token })
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let now_ms = self.peer.now_ms();
        self.map.read_sync(&name, |_, entry| entry.copy(now_ms, into)).unwrap_or_default()
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
        let owned = self.map.update_sync(&ticket.name, |_, entry| {
            entry.complete(ticket.token, retention_end, &mut body)
        });
        self.peer.completed(lane, owned == Some(true), had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane<N>, name: N) {
        if let Some(due) = lane.push(name) {
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
