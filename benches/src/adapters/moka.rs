//! `moka::sync::Cache`: a concurrent cache with its own housekeeping.
//!
//! Its capacity is left open, for it would evict, or not even admit, keys whose retention has not
//! ended; the byte bound is the one all peers have. The owner holds the record, so completing
//! sets the outcome in place without a second insertion, and a replay hands out the record.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ::moka::ops::compute::{CompResult, Op};
use ::moka::sync::Cache;

use super::peer::{Hashing, Peer, PeerLane};
use super::record::{Found, Record};
use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

/// The cache and what it lacks.
pub(crate) struct Moka<N, S> {
    cache: Cache<N, Arc<Record>, S>,
    peer: Peer,
}

/// A completed record, read as its bytes.
pub(crate) struct Body(Arc<Record>);

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.body().expect("handed out for its body")
    }
}

impl<N: Name, S: Hashing> Moka<N, S> {
    fn fresh(&self, lane: &mut PeerLane<N>, fingerprint: Fingerprint, now_ms: u64) -> Arc<Record> {
        let lease_end = self.peer.lease_end(now_ms);
        Arc::new(Record::in_flight(fingerprint, lease_end, lane.token()))
    }

    /// Replaces `over`, whose time is over; nothing if somebody else did.
    #[cold]
    fn take_over(
        &self,
        lane: &mut PeerLane<N>,
        name: N,
        fingerprint: Fingerprint,
        over: &Arc<Record>,
    ) -> Option<Arc<Record>> {
        let now_ms = self.peer.now_ms();
        if !over.revoke(now_ms) {
            return None;
        }
        let fresh = self.fresh(lane, fingerprint, now_ms);
        let computed = self.cache.entry(name).and_compute_with(|found| match found {
            Some(entry) if Arc::ptr_eq(entry.value(), over) => Op::Put(Arc::clone(&fresh)),
            _ => Op::Nop,
        });
        if let CompResult::ReplacedWith(_) = computed {
            self.peer.release(lane, over.body());
            Some(fresh)
        } else {
            None
        }
    }
}

impl<N: Name, S: Hashing> Adapter for Moka<N, S> {
    const NAME: &'static str = "moka";
    const HOW: &'static str =
        "moka::sync::Cache; get, then entry().or_insert_with(); outcome set in place";

    type Name = N;
    type Lane = PeerLane<N>;
    type Ticket<'a> = Arc<Record>;
    type Handle = Body;

    fn new(setup: &Setup) -> Self {
        Self {
            cache: Cache::builder().initial_capacity(setup.records).build_with_hasher(S::default()),
            peer: Peer::new(setup),
        }
    }

    fn lane(&self, index: usize) -> PeerLane<N> {
        self.peer.lane(index)
    }

    fn claim(
        &self,
        lane: &mut PeerLane<N>,
        name: N,
        fingerprint: Fingerprint,
    ) -> Claim<Arc<Record>, Body> {
        loop {
            let now_ms = self.peer.now_ms();
            let record = if let Some(record) = self.cache.get(&name) {
                record
            } else {
                let fresh = || self.fresh(lane, fingerprint, now_ms);
                let entry = self.cache.entry(name).or_insert_with(fresh);
                if entry.is_fresh() {
                    return Claim::Execute(entry.into_value());
                }
                entry.into_value()
            };
            match record.find(fingerprint, now_ms) {
                Found::Body(_) => return Claim::Replay(Body(record)),
                Found::InFlight => return Claim::InFlight,
                Found::Done => return Claim::Done,
                Found::Mismatch => return Claim::Mismatch,
                Found::Over => {
                    if let Some(fresh) = self.take_over(lane, name, fingerprint, &record) {
                        return Claim::Execute(fresh);
                    }
                }
            }
        }
    }

    fn peek(&self, name: N, into: &mut Vec<u8>) -> bool {
        let now_ms = self.peer.now_ms();
        self.cache.get(&name).is_some_and(|record| record.copy(now_ms, into))
    }

    fn complete(&self, lane: &mut PeerLane<N>, ticket: Arc<Record>, response: &[u8]) -> Completed {
        let mut body = self.peer.store(lane, response);
        let had_room = body.is_some();
        let owned = ticket.complete(self.peer.retention_end(), &mut body);
        self.peer.completed(lane, owned, had_room, body.as_ref())
    }

    fn leave(&self, lane: &mut PeerLane<N>, name: N) {
        if let Some(due) = lane.push(name) {
            let left = self.cache.remove(&due);
            self.peer.release(lane, left.as_ref().and_then(|record| record.body()));
        }
    }

    fn advance(&self, by: Duration) {
        self.peer.advance(by);
    }

    fn settle(&self) {
        self.cache.run_pending_tasks();
    }

    fn live(&self) -> usize {
        self.cache.run_pending_tasks();
        usize::try_from(self.cache.entry_count()).expect("fits memory")
    }

    fn audit(&self, tally: &Tally) -> Result<(), String> {
        self.peer.audit(self.live(), tally)
    }
}
