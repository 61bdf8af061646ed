//! Closing (P4): no new keys and no hand-overs from now on; and at a deadline, the end of every lease.
//!
//! The deadline is checked by whoever acts on a lease - its owner, a waiter, a tick - and not only
//! by ticks: so an owner that comes too late is `Stale`, whoever ticks or does not.

use crate::hook::What;
use crate::outcome::{OnEnd, Reason, Stale};
use crate::protocol::{Core, Held};
use crate::record::fate::Fate;
use crate::record::flight::Holder;
use crate::record::term::Term;
use crate::stats::Count;
use crate::sync::Ordering;

/// `closing` of an engine that is open.
pub(super) const OPEN: u64 = u64::MAX;
/// Of one that is closed, without a deadline for those who are at work.
const NEVER: u64 = u64::MAX - 1;

impl Core {
    /// No new keys and no hand-overs from now on; at `deadline`, if there is one, leases end. Closing
    /// again can only bring the deadline forward.
    pub(crate) fn close(&self, deadline: Option<u64>) {
        // AcqRel: what the caller did before closing is seen by whoever is refused for it.
        self.closing.fetch_min(deadline.unwrap_or(NEVER), Ordering::AcqRel);
        if deadline.is_some() {
            self.wake_waiters();
        }
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closing() != OPEN
    }

    /// When every lease ends, if the engine was closed by a deadline.
    #[inline]
    pub(super) fn closing(&self) -> u64 {
        // Acquire: pairs with `close`.
        self.closing.load(Ordering::Acquire)
    }

    /// `Stale`, if the engine has closed for those who are at work; then the lease has ended.
    #[inline(always)]
    pub(super) fn check_open(&self, held: &Held) -> Result<(), Stale> {
        if self.closing() >= NEVER { Ok(()) } else { self.check_time(held) }
    }

    #[cold]
    fn check_time(&self, held: &Held) -> Result<(), Stale> {
        if self.closing() > self.clock.now() {
            return Ok(());
        }
        self.shut(held.flight, held.generation);
        Err(Stale)
    }

    /// Ends a lease, since the engine has closed: halted, where that is what its age would do.
    pub(super) fn shut(&self, index: u32, generation: u64) {
        let policy = match self.flights.get(index).term() {
            Term::Lease { on_expiry: OnEnd::Halt, .. } => OnEnd::Halt,
            _ => OnEnd::FailWaiters,
        };
        let id = self.flights.get(index).id();
        let reason = Reason::Shutdown;
        if self.end_without_result(index, generation, policy, reason).is_ok() {
            self.report(Count::Shutdowns, What::Forced(reason), id);
        }
    }

    /// The same for a flight that is known to be a record; true if it was in flight.
    pub(super) fn shut_flight(&self, index: u32, fate: Fate) -> bool {
        match Holder::of(fate) {
            Some(Holder::Lease(generation)) => self.shut(index, generation),
            Some(holder) => {
                let _ = self.let_go(index, holder, OnEnd::FailWaiters, Reason::Shutdown);
            }
            None => return false,
        }
        true
    }

    /// Waiters sleep until a deadline that was right before the engine was closed.
    fn wake_waiters(&self) {
        let words = 0..self.flights.active_word_count();
        for index in words.flat_map(|word| self.flights.in_use(word)) {
            self.flights.get(index).queue.notify_all(&self.nodes, &self.parker);
        }
    }
}
