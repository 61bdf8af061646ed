//! Ending leases, in every way there is; and what must come of it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::time::Instant;

use idem::{Completion, Lease, NoBody, Reason, Stale};

use crate::actor::{Actor, HAND, Owned, Rights};
use crate::body::Author;
use crate::book::Count;
use crate::latency::Timed;
use crate::marks::Slot;
use crate::options::Sabotage;
use crate::rig::{Group, RETENTION_HALTED};
use crate::time;

/// What planned panics carry; nobody reports them.
pub(crate) struct Planned;

impl Actor {
    /// Ends a lease, or keeps it for a while.
    pub(crate) fn end(&mut self, mut owned: Owned) {
        let is_hot = self.rig(owned.rights.asked.rig).group(owned.rights.asked.index);
        match self.random.below(if is_hot == Some(Group::Hot) { 6 } else { 100 }) {
            0..4 => match &mut self.hand {
                Some(hand) if hand.leases.len() < HAND => return hand.leases.push(owned),
                _ => {}
            },
            4..8 => {
                let time = 20 + self.random.below(200);
                self.renew(&mut owned, time);
            }
            8..10 => {
                let Some(found) = self.pass_token(owned) else { return };
                owned = found;
            }
            10..12 if self.hand.is_some() => self.work(3),
            _ => {}
        }
        match self.random.below(100) {
            0..4 => self.cancel(owned, false),
            4..6 => self.cancel(owned, true),
            6..7 => self.halt(owned),
            7..10 => self.abandon(owned),
            10..12 => self.unwind(owned),
            12..17 => self.fail(owned),
            17..22 => {
                let retention = self.random.below(250);
                self.complete(owned, Some(retention));
            }
            _ => self.complete(owned, None),
        }
    }

    fn slot(&self, rights: &Rights) -> Option<&Slot> {
        self.rig(rights.asked.rig).slot(rights.asked.index)
    }

    /// The judge is told that the owner is about to end its lease.
    pub(crate) fn leave(&self, rights: &Rights) {
        if let (Some(slot), Some(mark)) = (self.slot(rights), rights.mark) {
            slot.leave(mark);
        }
    }

    /// The key has a record from `from_us` on, for at least that long.
    fn kept(&self, rights: &Rights, from_us: u64, retention: u64) {
        if let Some(slot) = self.slot(rights) {
            let until_us = (from_us + retention * 1000).saturating_sub(time::ROUNDING_US);
            slot.keep(until_us, rights.asked.since, rights.number);
        }
    }

    /// After an owner's call: while its lease is surely live, it counts.
    pub(crate) fn judge(&self, rights: &Rights, call: &str, counts: bool) {
        let rig = self.rig(rights.asked.rig);
        let is_sure = rights.until_us > time::micros()
            // Acquire: pairs with `close_within`.
            && !rig.is_closing.load(Ordering::Acquire)
            && self.slot(rights).is_none_or(|slot| !slot.is_disturbed(rights.asked.since));
        if is_sure && !counts {
            let index = rights.asked.index;
            self.fault("fencing", &format!("{call} of a live lease of key {index} does not count"));
        }
    }

    pub(crate) fn write(&mut self, rights: &Rights, is_error: bool) -> (u64, Vec<u8>) {
        let serial = self.desk().serial();
        let author = Author {
            key: rights.asked.index,
            serial,
            rig: rights.asked.rig as u8,
            worker: self.worker,
            variant: rights.asked.variant,
            is_fresh: rights.is_fresh,
            is_error,
        };
        let length = self.length(rights.asked.rig);
        let mut bytes = author.write(length);
        if self.soak.is_sabotage(Sabotage::Corrupt) && self.one_in(500) {
            let place = self.random.below(bytes.len() as u64) as usize;
            bytes[place] ^= 4;
        }
        (serial, bytes)
    }

    fn complete(&mut self, owned: Owned, retention: Option<u64>) {
        let Owned { lease, rights } = owned;
        let (serial, bytes) = self.write(&rights, false);
        self.leave(&rights);
        let (from_us, begin) = (time::micros(), Instant::now());
        let result = match retention {
            None => lease.complete(&bytes),
            Some(millis) => {
                let time = self.rig(rights.asked.rig).scaled(millis);
                lease.complete_for(&bytes, time)
            }
        };
        self.latencies().add(Timed::Complete, begin);
        let retention = retention.unwrap_or(rights.asked.retention);
        self.completed(&rights, (serial, bytes.len()), (from_us, retention), result);
    }

    fn fail(&mut self, owned: Owned) {
        let Owned { lease, rights } = owned;
        let (serial, bytes) = self.write(&rights, true);
        let retention = [0, 50][self.random.below(2) as usize];
        let time = self.rig(rights.asked.rig).scaled(retention);
        self.leave(&rights);
        let from_us = time::micros();
        let result = lease.fail(&bytes, time);
        self.completed(&rights, (serial, bytes.len()), (from_us, retention), result);
    }

    /// Completes many leases by one call.
    pub(crate) fn complete_batch(&mut self, all: Vec<Owned>) {
        let written: Vec<_> = all.iter().map(|owned| self.write(&owned.rights, false)).collect();
        let rights: Vec<_> = all.iter().map(|owned| owned.rights).collect();
        rights.iter().for_each(|rights| self.leave(rights));
        let from_us = time::micros();
        let leases = all.into_iter().map(|owned| owned.lease);
        let bytes = written.iter().map(|(_, bytes)| bytes.as_slice());
        let results = Lease::complete_batch(leases.zip(bytes));
        if results.len() != rights.len() {
            self.fault("batch", "complete_batch returned another number of results");
        }
        for ((rights, (serial, bytes)), result) in rights.iter().zip(&written).zip(results) {
            let retention = rights.asked.retention;
            self.completed(rights, (*serial, bytes.len()), (from_us, retention), result);
        }
    }

    /// What a completion came to: counted, and judged.
    pub(crate) fn completed(
        &mut self,
        rights: &Rights,
        (serial, length): (u64, usize),
        (from_us, retention): (u64, u64),
        result: Result<Completion, Stale>,
    ) {
        let rig = rights.asked.rig;
        let is_kept = matches!(result, Ok(Completion::Stored | Completion::Tombstone(_)));
        self.judge(rights, "complete", is_kept);
        self.book(rig).sure(if result.is_ok() { Count::Completes } else { Count::Stale });
        let is_long = length > self.rig(rig).limits.max_response;
        match result {
            Ok(Completion::Stored) if is_long => self.fault("limits", "stored beyond max_response"),
            Ok(Completion::Tombstone(no_body)) => {
                self.book(rig).sure(Count::Tombstones);
                if is_long != (no_body == NoBody::TooLarge) {
                    self.fault("limits", &format!("{length} bytes were not kept: {no_body:?}"));
                }
            }
            Ok(Completion::Detached) => self.book(rig).sure(Count::Detached),
            Err(Stale) => self.desk().refuse(serial),
            _ => {}
        }
        if is_kept && retention > 0 {
            self.kept(rights, from_us, retention);
        }
        if self.soak.is_sabotage(Sabotage::Refused) && self.one_in(500) {
            self.desk().refuse(serial);
        }
    }

    fn cancel(&mut self, owned: Owned, everybody: bool) {
        let Owned { lease, rights } = owned;
        let reason = Reason::Code(self.worker.into());
        self.leave(&rights);
        let result = if everybody { lease.cancel_all(reason) } else { lease.cancel(reason) };
        self.judge(&rights, "cancel", result.is_ok());
        let what = if result.is_ok() { Count::Cancels } else { Count::Stale };
        self.book(rights.asked.rig).sure(what);
    }

    fn halt(&mut self, owned: Owned) {
        let Owned { lease, rights } = owned;
        self.leave(&rights);
        let from_us = time::micros();
        let result = lease.halt(Reason::Owner);
        self.judge(&rights, "halt", result.is_ok());
        match result {
            Ok(()) => self.kept(&rights, from_us, RETENTION_HALTED),
            Err(Stale) => self.book(rights.asked.rig).sure(Count::Stale),
        }
    }

    /// Drops a lease; what the engine makes of it does not show.
    fn abandon(&mut self, owned: Owned) {
        self.leave(&owned.rights);
        self.book(owned.rights.asked.rig).maybe(&[Count::Cancels, Count::Stale]);
        drop(owned.lease);
    }

    fn unwind(&mut self, owned: Owned) {
        self.leave(&owned.rights);
        self.book(owned.rights.asked.rig).maybe(&[Count::Cancels, Count::Stale]);
        let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
            let _lease = owned.lease;
            panic::resume_unwind(Box::new(Planned))
        }));
        debug_assert!(unwound.is_err(), "it was resumed");
    }

    /// Moves the deadline. A lease that is over ends as every other, and must be told so again.
    fn renew(&mut self, owned: &mut Owned, millis: u64) {
        let rig = owned.rights.asked.rig;
        let result = owned.lease.renew(self.rig(rig).scaled(millis));
        self.judge(&owned.rights, "renew", result.is_ok());
        self.book(rig).sure(if result.is_ok() { Count::Renews } else { Count::Stale });
        if result.is_ok() {
            let until_us = self.sure_until(rig, &owned.lease);
            let rights = &mut owned.rights;
            rights.until_us = rights.until_us.max(until_us);
            let slot = self.soak.rigs[rig].slot(rights.asked.index);
            rights.mark = slot.zip(rights.mark).map(|(slot, mark)| slot.extend(mark, until_us));
        }
    }

    /// The lease as a token and back, or lost on the way.
    fn pass_token(&mut self, owned: Owned) -> Option<Owned> {
        let Owned { lease, rights } = owned;
        let token = lease.into_token();
        if self.one_in(4) {
            // Lost: nobody ends it but its age. The mark ends by itself.
            return None;
        }
        let lease = self.rig(rights.asked.rig).engine.lease(token);
        self.judge(&rights, "the token", lease.is_ok());
        Some(Owned { lease: lease.ok()?, rights })
    }
}
