//! `papaya::HashMap`: lock-free, with deferred reclamation.
//!
//! The record is in the map's own node and its outcome is set in place, so that a new key costs
//! one insertion. One pinned guard spans each operation.

use std::sync::Arc;
use std::time::Duration;

use ::papaya::{Compute, HashMap, Operation};

use super::peer::{Hashing, Peer, PeerClaim, PeerLane, PeerTicket};
use super::record::{Found, Record};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

/// The map and what it lacks.
pub(crate) struct Papaya<N, S> {
    map: HashMap<N, Record, S>,
    peer: Peer,
}

impl<N: Name, S: Hashing> Papaya<N, S> {
    /// Replaces the record of `token`, whose time is over; nothing if somebody else did.
    #[cold]
    fn take_over(
        &self,
        lane: &mut PeerLane<N>,
        name: N,
        fingerprint: Fingerprint,
        over: &Record,
    ) -> Option<PeerTicket<N>> {
        let now_ms = self.peer.now_ms();
        if !over.revoke(now_ms) {
            return None;
        }
        let token = lane.token();
        let lease_end = self.peer.lease_end(now_ms);
        let map = self.map.pin();
        let computed = map.compute(name, |found| match found {
            Some((_, record)) if record.token() == over.token() => {
                Operation::Insert(Record::in_flight(fingerprint, lease_end, token))
            }
            _ => Operation::Abort(()),
        });
        match computed {
            Compute::Updated { old: (_, old), .. } => {
                self.peer.release(lane, old.body());
                Some(PeerTicket { name, token })
            }
            _ => None,
        }
    }
}

impl<N: Name, S: Hashing> Adapter for Papaya<N, S> {
    const NAME: &'static str = "papaya";
    const HOW: &'static str =
        "papaya::HashMap; try_insert_with; outcome set in place; re-look-up to complete";

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
        let map = self.map.pin();
        loop {
            let now_ms = self.peer.now_ms();
            let lease_end = self.peer.lease_end(now_ms);
            let fresh = || Record::in_flight(fingerprint, lease_end, lane.token());
            let record = match map.try_insert_with(name, fresh) {
                Ok(mine) => {
                    let token = mine.token();
                    return Claim::Execute(PeerTicket { name, token });
                }
                Err(record) => record,
            };
            match record.find(fingerprint, now_ms) {
                Found::Body(body) => return Claim::Replay(Arc::clone(body)),
                Found::InFlight => return Claim::InFlight,
                Found::Done => return Claim::Done,
                Found::Mismatch => return Claim::Mismatch,
                Found::Over => {
                    if let Some(ticket) = self.take_over(lane, name, fingerprint, record) {
                        return Claim::Execute(ticket);
                    }
                }
            }
        }
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let now_ms = self.peer.now_ms();
        self.map.pin().get(&name).is_some_and(|record| record.copy(now_ms, into))
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
        let map = self.map.pin();
        let owned = map.get(&ticket.name).is_some_and(|record| {
            record.token() == ticket.token && record.complete(retention_end, &mut body)
        });
        self.peer.completed(lane, owned, had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane<N>, name: N) {
        if let Some(due) = lane.push(name) {
            let map = self.map.pin();
            let left = map.remove(&due);
            self.peer.release(lane, left.and_then(Record::body));
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
