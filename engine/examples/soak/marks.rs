//! The judge of double executions: a word for each key, which owners set while their lease is
//! surely live, and for as long afterwards as the key is surely kept from being executed.
//!
//! The judge asks the engine for nothing but the time that a lease has left when it begins.
//!
//! - *Surely live*: the lease has begun, its owner has not begun to end it, its deadline has not
//!   come.
//! - What ends a lease or a record from outside (a forced end, forget, detach, clear, close)
//!   excuses the owners whose lease it may have ended: it is counted before and after it is done.
//!   Whoever finds the counts equal knows that nothing of the kind lies in between.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::time;

/// The point in time (32 bits, milliseconds), the count of what was done from outside (16), and a
/// number that tells marks apart (16).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark(u64);

impl Mark {
    fn new(until_us: u64, since: u16, number: u16) -> Self {
        Self((until_us / 1000) << 32 | u64::from(since) << 16 | u64::from(number))
    }

    fn until_us(self) -> u64 {
        (self.0 >> 32) * 1000
    }

    fn since(self) -> u16 {
        (self.0 >> 16) as u16
    }

    fn number(self) -> u16 {
        self.0 as u16
    }
}

/// Two leases of one key, both surely live.
pub(crate) struct Double;

/// What is known of one key.
#[derive(Default)]
pub(crate) struct Slot {
    mark: AtomicU64,
    begun: AtomicU32,
    ended: AtomicU32,
}

// Acquire and AcqRel throughout: whoever learned from the engine that a lease is over sees what was
// done here before it was ended.
impl Slot {
    /// To be asked before a claim: the count that a lease from it is to be judged by.
    pub(crate) fn since(&self) -> u16 {
        self.ended.load(Ordering::Acquire) as u16
    }

    /// Whether anything was done from outside, or has begun, since then.
    pub(crate) fn is_disturbed(&self, since: u16) -> bool {
        self.begun.load(Ordering::Acquire) as u16 != since
    }

    /// Before something is done from outside.
    pub(crate) fn begin_disturbance(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
    }

    /// After it is done.
    pub(crate) fn end_disturbance(&self) {
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    /// An owner has begun. `None`: its lease is not surely live any more.
    pub(crate) fn take(
        &self,
        until_us: u64,
        since: u16,
        number: u16,
    ) -> Result<Option<Mark>, Double> {
        let mine = Mark::new(until_us, since, number);
        let mut found = self.mark.load(Ordering::Acquire);
        loop {
            // In this order: first the mark, then the time, then whether anything was done.
            let now = time::micros();
            if mine.until_us() <= now || self.is_disturbed(since) {
                return Ok(None);
            }
            if self.is_sure(Mark(found), now) {
                return Err(Double);
            }
            match self.change(found, mine.0) {
                Ok(()) => return Ok(Some(mine)),
                Err(other) => found = other,
            }
        }
    }

    /// The owner's deadline has moved.
    pub(crate) fn extend(&self, mark: Mark, until_us: u64) -> Mark {
        let later = Mark::new(until_us.max(mark.until_us()), mark.since(), mark.number());
        self.change(mark.0, later.0).map_or(mark, |()| later)
    }

    /// To be said before an owner ends its lease.
    pub(crate) fn leave(&self, mark: Mark) {
        // Another mark: this one was not surely live any more.
        let _ = self.change(mark.0, 0);
    }

    /// The key has a record until then, and does not execute.
    pub(crate) fn keep(&self, until_us: u64, since: u16, number: u16) {
        // Another mark: it came to another lease since, and this is over.
        let _ = self.change(0, Mark::new(until_us, since, number).0);
    }

    /// If the key surely has a record now: the mark that says so.
    pub(crate) fn taken(&self) -> Option<Mark> {
        let found = Mark(self.mark.load(Ordering::Acquire));
        self.is_sure(found, time::micros()).then_some(found)
    }

    /// Whether the key has had a record all the time since that mark was found.
    pub(crate) fn is_still(&self, mark: Mark) -> bool {
        self.taken() == Some(mark)
    }

    fn is_sure(&self, mark: Mark, now: u64) -> bool {
        mark.until_us() > now && !self.is_disturbed(mark.since())
    }

    fn change(&self, from: u64, to: u64) -> Result<(), u64> {
        self.mark.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}
