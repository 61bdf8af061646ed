//! What owners do to end their leases, on both sides.

use idem::{Completion, Lease, NoBody, OnEnd, Reason, Stale};

use super::{Pick, SideBySide, millis, take};
use crate::reference::grammar::Op;
use crate::reference::machine::{Id, What};

impl SideBySide {
    pub(super) fn give_up(&mut self, lease: Pick, policy: OnEnd, reason: Reason) {
        let Some((lease, id)) = take(&mut self.leases, lease) else { return };
        let ended = match policy {
            OnEnd::HandOver => lease.cancel(reason),
            OnEnd::FailWaiters => lease.cancel_all(reason),
            OnEnd::Halt => lease.halt(reason),
        };
        assert_eq!(ended, self.machine.give_up(id, Some(policy), reason));
    }

    pub(super) fn complete(&mut self, op: Op) {
        let limits = self.setup.limits;
        match op {
            Op::Complete { lease, size, retention } => {
                self.complete_one(lease, size.of(&limits), retention, What::Response);
            }
            Op::Fail { lease, size, retention } => {
                self.complete_one(lease, size.of(&limits), Some(retention), What::Error);
            }
            Op::CompleteBatch { lease, count, size } => {
                self.complete_batch(lease, count, size.of(&limits).min(200));
            }
            _ => unreachable!("no completion: {op:?}"),
        }
    }

    fn complete_one(&mut self, lease: Pick, size: usize, retention: Option<u64>, what: What) {
        let Some((lease, id)) = take(&mut self.leases, lease) else { return };
        let bytes = self.response(id, size);
        let ended = match (what, retention) {
            (What::Error, Some(time)) => lease.fail(&bytes, millis(time)),
            (_, Some(time)) => lease.complete_for(&bytes, millis(time)),
            (_, None) => lease.complete(&bytes),
        };
        self.completed(ended, id, &bytes, retention, what);
    }

    fn complete_batch(&mut self, lease: Pick, count: u8, size: usize) {
        self.make_roomy(0, u64::from(count) * (1 + size as u64 / 64));
        let leases: Vec<_> = (0..count).filter_map(|_| take(&mut self.leases, lease)).collect();
        let responses: Vec<_> =
            leases.iter().map(|(_, id)| (*id, self.response(*id, size))).collect();
        let leases = leases.into_iter().map(|(lease, _)| lease);
        let bytes = responses.iter().map(|(_, bytes)| &bytes[..]);
        let ends = Lease::complete_batch(leases.zip(bytes));
        assert_eq!(ends.len(), responses.len());
        for (ended, (id, bytes)) in ends.into_iter().zip(responses) {
            self.completed(ended, id, &bytes, None, What::Response);
        }
    }

    fn completed(
        &mut self,
        ended: Result<Completion, Stale>,
        id: Id,
        bytes: &[u8],
        retention: Option<u64>,
        what: What,
    ) {
        let is_refused = ended == Ok(Completion::Tombstone(NoBody::NoRoom));
        let expected = self.machine.complete(id, what, bytes, retention, is_refused);
        assert_eq!(ended, expected, "{} bytes, on the left the engine's answer", bytes.len());
    }

    /// In a batch one call may be pressed for room, and then it is open what has become of the keys of
    /// the others (R2). Where that may be, both sides first act on all that is due.
    pub(super) fn make_roomy(&mut self, records: u64, granules: u64) {
        if !self.machine.is_roomy(records, granules) {
            self.tick();
        }
    }

    fn response(&mut self, lease: Id, size: usize) -> Vec<u8> {
        // Nobody says of a detached completion whether it had room. So where that is open, it needs none.
        let size = if self.machine.is_untold(lease, size) { 0 } else { size };
        self.bytes(size)
    }

    /// Unlike any other response, and each granule unlike its neighbours.
    pub(super) fn bytes(&mut self, size: usize) -> Vec<u8> {
        self.written = self.written.wrapping_add(1);
        let mut bytes = vec![self.written; size];
        for (at, granule) in bytes.chunks_mut(64).enumerate() {
            granule[0] = at as u8;
        }
        bytes
    }
}
