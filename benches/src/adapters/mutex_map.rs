//! 64 shards of `parking_lot::Mutex` around a hashbrown map: what one writes without a crate.
//!
//! The map is hashbrown's `HashTable`, which is its `HashMap` with the hash handed in: one hash
//! finds both the shard and the place in it.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use parking_lot::Mutex;

use super::peer::{Entry, Hashing, Peer, PeerClaim, PeerLane, PeerTicket, SHARDS};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

type Shard<N> = CachePadded<Mutex<HashTable<(N, Entry)>>>;

/// The shards and what they lack.
pub(crate) struct MutexMap<N, S> {
    shards: Box<[Shard<N>]>,
    hashing: S,
    peer: Peer,
}

impl<N: Name, S: Hashing> MutexMap<N, S> {
    fn hash(&self, name: &N) -> u64 {
        self.hashing.hash_one(name)
    }

    /// By bits of the hash that the table within the shard does not use.
    fn shard(&self, hash: u64) -> &Shard<N> {
        let index = (hash >> 32) % SHARDS as u64;
        &self.shards[usize::try_from(index).expect("below the number of shards")]
    }
}

impl<N: Name, S: Hashing> Adapter for MutexMap<N, S> {
    const NAME: &'static str = "mutex64";
    const HOW: &'static str =
        "64 shards of parking_lot::Mutex<hashbrown::HashTable>; entry; re-look-up to complete";

    type Name = N;
    type Lane = PeerLane<N>;
    type Ticket<'a> = PeerTicket<N>;
    type Handle = Arc<[u8]>;

    fn new(setup: &Setup) -> Self {
        let each = setup.records.div_ceil(SHARDS);
        let shard = || CachePadded::new(Mutex::new(HashTable::with_capacity(each)));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hashing: S::default(),
            peer: Peer::new(setup),
        }
    }

    fn lane(&self, index: usize) -> PeerLane<N> {
        self.peer.lane(index)
    }

    fn claim(&self, lane: &mut PeerLane<N>, name: N, fingerprint: Fingerprint) -> PeerClaim<N> {
        let now_ms = self.peer.now_ms();
        let hash = self.hash(&name);
        let mut shard = self.shard(hash).lock();
        let entry = shard.entry(hash, |(at, _)| *at == name, |(at, _)| self.hash(at));
        if let TableEntry::Occupied(occupied) = &entry
            && let Some(answer) = occupied.get().1.answer(fingerprint, now_ms)
        {
            return answer;
        }
        let token = lane.token();
        let fresh = Entry::in_flight(fingerprint, self.peer.lease_end(now_ms), token);
        match entry {
            TableEntry::Vacant(vacant) => {
                vacant.insert((name, fresh));
            }
            TableEntry::Occupied(mut occupied) => {
                let old = std::mem::replace(&mut occupied.get_mut().1, fresh);
                // Memory is freed after the lock.
                drop(shard);
                self.peer.release(lane, old.body());
            }
        }
        Claim::Execute(PeerTicket { name, token })
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let now_ms = self.peer.now_ms();
        let hash = self.hash(&name);
        let shard = self.shard(hash).lock();
        shard.find(hash, |(at, _)| *at == name).is_some_and(|(_, entry)| entry.copy(now_ms, into))
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
        let hash = self.hash(&ticket.name);
        let owned = self
            .shard(hash)
            .lock()
            .find_mut(hash, |(at, _)| *at == ticket.name)
            .is_some_and(|(_, entry)| entry.complete(ticket.token, retention_end, &mut body));
        self.peer.completed(lane, owned, had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane<N>, name: N) {
        if let Some(due) = lane.push(name) {
            let hash = self.hash(&due);
            let mut shard = self.shard(hash).lock();
            let left = match shard.find_entry(hash, |(at, _)| *at == due) {
                Ok(occupied) if occupied.get().1.is_finished() => Some(occupied.remove().0),
                _ => None,
            };
            drop(shard);
            self.peer.release(lane, left.as_ref().and_then(|(_, entry)| entry.body()));
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
