//! 64 shards of `parking_lot::Mutex<hashbrown::HashMap>`: what one writes without a crate for it.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry as MapEntry;
use parking_lot::Mutex;

use super::peer::{BuildKeyHasher, Entry, Peer, PeerClaim, PeerLane, PeerTicket, SHARDS};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Key};

type Shard = CachePadded<Mutex<HashMap<Key, Entry, BuildKeyHasher>>>;

/// The shards and what they lack.
pub(crate) struct MutexMap {
    shards: Box<[Shard]>,
    peer: Peer,
}

impl MutexMap {
    /// By the high half of the key, which the hash within the shard does not use.
    fn shard(&self, key: Key) -> &Shard {
        let index = (key >> 64) % SHARDS as u128;
        &self.shards[usize::try_from(index).expect("below the number of shards")]
    }
}

impl Adapter for MutexMap {
    const NAME: &'static str = "mutex64";
    const HOW: &'static str =
        "64 shards of parking_lot::Mutex<hashbrown::HashMap>; entry; re-look-up to complete";

    type Lane = PeerLane;
    type Ticket<'a> = PeerTicket;
    type Handle = Arc<[u8]>;

    fn new(setup: &Setup) -> Self {
        let each = setup.records.div_ceil(SHARDS);
        let shard = || HashMap::with_capacity_and_hasher(each, BuildKeyHasher::default());
        Self {
            shards: (0..SHARDS).map(|_| CachePadded::new(Mutex::new(shard()))).collect(),
            peer: Peer::new(setup),
        }
    }

    fn lane(&self, index: usize) -> PeerLane {
        self.peer.lane(index)
    }

    fn claim(&self, lane: &mut PeerLane, key: Key, fingerprint: Fingerprint) -> PeerClaim {
        let now_ms = self.peer.now_ms();
        let mut shard = self.shard(key).lock();
        let entry = shard.entry(key);
        if let MapEntry::Occupied(occupied) = &entry
            && let Some(answer) = occupied.get().answer(fingerprint, now_ms)
        {
            return answer;
        }
        let token = lane.token();
        let fresh = Entry::in_flight(fingerprint, self.peer.lease_end(now_ms), token);
        match entry {
            MapEntry::Vacant(vacant) => {
                vacant.insert(fresh);
            }
            MapEntry::Occupied(mut occupied) => {
                let old = occupied.insert(fresh);
                // Memory is freed after the lock.
                drop(shard);
                self.peer.release(lane, old.body());
            }
        }
        Claim::Execute(PeerTicket { key, token })
    }

    fn complete(&self, lane: &mut PeerLane, ticket: PeerTicket, response: &[u8]) -> Completed {
        let mut body = self.peer.store(lane, response);
        let had_room = body.is_some();
        let retention_end = self.peer.retention_end();
        let owned = self
            .shard(ticket.key)
            .lock()
            .get_mut(&ticket.key)
            .is_some_and(|entry| entry.complete(ticket.token, retention_end, &mut body));
        self.peer.completed(lane, owned, had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane, key: Key) {
        if let Some(due) = lane.push(key) {
            let mut shard = self.shard(due).lock();
            let left = match shard.entry(due) {
                MapEntry::Occupied(occupied) if occupied.get().is_finished() => {
                    Some(occupied.remove())
                }
                _ => None,
            };
            drop(shard);
            self.peer.release(lane, left.as_ref().and_then(Entry::body));
        }
    }

    fn advance(&self, by: Duration) {
        self.peer.advance(by);
    }

    fn live(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn audit(&self, tally: &Tally) -> Result<(), String> {
        self.peer.audit(self.live(), tally)
    }
}
