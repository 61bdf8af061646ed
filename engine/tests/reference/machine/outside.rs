//! What is done to a key without its lease: peek, forget, detach, force, resolve (K8, L8, O2), and
//! clearing its namespace (R4).

use idem::{Completion, Limit, NoBody, OnEnd, Reason, Removal, ResolveError, Resolved};

use super::Machine;
use super::record::{Finished, Id, Seen, Stage, What};

/// L8, with the bytes of the response.
pub(crate) enum Settlement {
    Complete(Vec<u8>, u64),
    Release,
    Keep,
}

impl Machine {
    /// K8: what has become of a key; acts on nothing.
    pub(crate) fn peek(&self, key: u8) -> Seen {
        let Some(record) = self.named(key).map(|at| &self.records[&at]) else {
            return Seen::Vacant;
        };
        match &record.stage {
            Stage::Finished(finished) if finished.until <= self.now => Seen::Vacant,
            Stage::Finished(finished) => finished.show(self.now),
            _ => Seen::InFlight(record.info(self.now)),
        }
    }

    /// Which halt of the key is the present one.
    pub(crate) fn incident(&self, key: u8) -> Option<u32> {
        let record = &self.records[&self.named(key)?];
        match &record.stage {
            Stage::Finished(finished)
                if matches!(finished.what, What::Halted(_)) && finished.until > self.now =>
            {
                Some(finished.incident)
            }
            _ => None,
        }
    }

    pub(crate) fn forget(&mut self, key: u8, forced: bool) -> Removal {
        let Some(at) = self.named(key) else { return Removal::Vacant };
        let is_halted = self.incident(key).is_some();
        let record = &self.records[&at];
        if record.is_in_flight() {
            if !forced {
                return Removal::InFlight;
            }
            // Leases are counted; between two owners there is none.
            self.counts.forced += u64::from(matches!(record.stage, Stage::Leased { .. }));
            // Also where cancellations are kept: the key is to be free.
            self.finish(at, What::Cancelled(Reason::Forgotten), 0);
            return Removal::Removed;
        }
        let is_over = self.is_due(record);
        if is_halted && !forced {
            return Removal::Halted;
        }
        self.remove(at);
        if is_over {
            return Removal::Vacant;
        }
        self.counts.forgotten += 1;
        Removal::Removed
    }

    /// False: the key is not in flight.
    pub(crate) fn detach(&mut self, key: u8) -> bool {
        let Some(at) = self.named(key) else { return false };
        match self.records[&at].stage {
            Stage::Leased { .. } => {
                self.names.remove(&key);
                self.records.get_mut(&at).expect("named").is_severed = true;
                true
            }
            // Nobody executes, so there is nothing to wait for.
            Stage::Offered { reason, .. } => {
                self.finish(at, What::Cancelled(reason), 0);
                true
            }
            Stage::Finished(_) => false,
        }
    }

    /// Leases whose key was taken from them by detach.
    pub(crate) fn severed_count(&self) -> usize {
        self.records.values().filter(|record| record.is_severed).count()
    }

    /// False: nobody has a lease of it.
    pub(crate) fn force_end(&mut self, key: u8, policy: OnEnd) -> bool {
        let Some(at) = self.named(key) else { return false };
        match (&self.records[&at].stage, policy) {
            (Stage::Finished(_), _) | (Stage::Offered { .. }, OnEnd::HandOver) => return false,
            (Stage::Leased { .. }, _) => self.counts.forced += 1,
            (Stage::Offered { .. }, _) => {}
        }
        self.end(at, policy, Reason::Forced);
        true
    }

    /// L8; `is_refused` as in `complete`.
    pub(crate) fn resolve(
        &mut self,
        key: u8,
        incident: u32,
        settlement: Settlement,
        is_refused: bool,
    ) -> Result<Resolved, ResolveError> {
        let at = self.named(key).filter(|_| self.incident(key) == Some(incident));
        let at = at.ok_or(ResolveError::Stale)?;
        let (what, bytes, retention) = match settlement {
            Settlement::Release => {
                self.settle_by_removal(at);
                return Ok(Resolved::Released);
            }
            Settlement::Complete(_, 0) => {
                self.settle_by_removal(at);
                return Ok(Resolved::Completed(Completion::Stored));
            }
            Settlement::Complete(bytes, retention) => (What::Response, bytes, retention),
            Settlement::Keep => {
                let Stage::Finished(Finished { what, .. }) = self.records[&at].stage else {
                    unreachable!("it is halted")
                };
                (what, Vec::new(), self.limits.halted_retention)
            }
        };
        let stored = self.replace(at, what, &bytes, retention, is_refused)?;
        self.counts.resolved += 1;
        let is_kept = matches!(what, What::Halted(_));
        Ok(if is_kept { Resolved::Kept } else { Resolved::Completed(stored) })
    }

    fn settle_by_removal(&mut self, at: Id) {
        self.remove(at);
        self.counts.resolved += 1;
    }

    /// What takes the place of a halted record needs room beside it until that is gone.
    fn replace(
        &mut self,
        at: Id,
        what: What,
        bytes: &[u8],
        retention: u64,
        is_refused: bool,
    ) -> Result<Completion, ResolveError> {
        let home = self.records[&at].home;
        // Whichever limit it is, that is what the engine says.
        self.has_room(0, 1, home, None).map_err(|_| ResolveError::Full(Limit::Bytes))?;
        let more = bytes.len().div_ceil(64) as u64;
        let in_pieces = more > 0 && !self.has_run(1 + more);
        self.pressed |= in_pieces;
        let stored = if bytes.len() > self.limits.max_response {
            Completion::Tombstone(NoBody::TooLarge)
        } else if (in_pieces && is_refused)
            || (more > 0 && self.has_room(0, 1 + more, home, None).is_err())
        {
            Completion::Tombstone(NoBody::NoRoom)
        } else {
            Completion::Stored
        };
        let (what, body) = match stored {
            Completion::Stored => (what, self.body(1 + more, home, bytes)),
            _ => (What::Tombstone, self.body(1, home, &[])),
        };
        let (since, until) = (self.now, self.now + retention);
        let record = self.records.get_mut(&at).expect("it is halted");
        let Stage::Finished(Finished { incident, .. }) = record.stage else {
            unreachable!("it is halted")
        };
        record.body = body.clone();
        record.stage = Stage::Finished(Finished { what, body, since, until, incident });
        Ok(stored)
    }

    /// R4: its keys are vacant. What is left of the old ones goes when somebody acts on it; those in
    /// flight end for their own waiters.
    pub(crate) fn clear(&mut self, namespace: u8) {
        self.epochs[usize::from(namespace)] += 1;
        let records = &self.records;
        self.names.retain(|_, at| records[at].home.namespace != namespace);
    }
}
