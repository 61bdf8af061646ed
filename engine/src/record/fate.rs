//! The fate word: the one word that says what becomes of a lease. Fencing happens here.
//!
//! ```text
//!            63..61   60..
//! Free       0        0
//! Leased     1        detached 1 | severed 1 | awaited 1 | generation 58
//! Vacated    2        reason 24 | generation 37 (low bits)
//! Ended      3        detached 1 | loc 32 | kept 1 | awaited 1 | generation 26 (low bits)
//! Dropped    4        detached 1 | reason 24 | awaited 1 | generation 35 (low bits)
//!
//! Free --claim--> Leased(g) --complete, halt, kept cancel--> Ended(loc) --> Free
//!                   |  ^   `--cancel or expiry, FailWaiters---> Dropped --> Free
//!                   |  |      or nobody waits, or severed         ^
//!                   v  `--accepted, generation g+1                |
//!                 Vacated --nobody may take it, queue closed------'
//!                          or ended by force
//! ```
//!
//! fate.1  Only a CAS from `Leased(g)` ends lease g, and it compares all 58 bits: whoever holds a
//!     token of another generation changes nothing (L2).
//! fate.2  The step that ends the lease carries the result with it: `Ended` names the response,
//!     `Dropped` the reason, `Vacated` that the queue is to be served. Any thread can do the rest
//!     (L3).
//! fate.3  `detached` is set at most once in a tenancy, by the thread whose CAS took the flight out of the
//!     table.
//! fate.4  A flight becomes `Free` only from a detached word with its queue closed and empty; or at
//!     once, by the thread that would detach it, when the queue is that already; or by its
//!     claimer, when it was never published.
//! fate.5  A lease that the table does not name is a draft, its claimer's alone. Whoever comes to a
//!     flight by its number and not through the table (sweeps do) asks the table first: so a lease
//!     that may never be published is not ended for its age.
//! fate.6  `awaited` is set by the first waiter, before it joins, and stays for the tenancy. Until
//!     then the queue is closed; and an end that finds it unset has nobody to tell, and nobody who
//!     may still come: joining needs a CAS of this word from `Leased`.
//! fate.7  `severed` means that the key is not this flight's any more, although its lease goes on: it is
//!     set before the slot is taken out, never taken back, and nothing it ends with gets into the
//!     table or passes to another owner. Whoever meets a severed flight in the table takes it out. So
//!     `detached` of a lease implies `severed`; and a lease that ends detached is freed by whoever
//!     sees its queue closed and empty, its ender among them.

use crate::outcome::Reason;
use crate::record::{Field, LOC_BITS};

const FREE: u64 = 0;
const LEASED: u64 = 1;
const VACATED: u64 = 2;
const ENDED: u64 = 3;
const DROPPED: u64 = 4;

type LeasedGeneration = Field<0, 58>;
type LeasedAwaited = Field<{ LeasedGeneration::END }, 1>;
type LeasedSevered = Field<{ LeasedAwaited::END }, 1>;
type VacatedGeneration = Field<0, 37>;
type VacatedReason = Field<{ VacatedGeneration::END }, { Reason::BITS }>;
type EndedGeneration = Field<0, 26>;
type EndedAwaited = Field<{ EndedGeneration::END }, 1>;
type EndedKept = Field<{ EndedAwaited::END }, 1>;
type EndedLoc = Field<{ EndedKept::END }, LOC_BITS>;
type DroppedGeneration = Field<0, 35>;
type DroppedAwaited = Field<{ DroppedGeneration::END }, 1>;
type DroppedReason = Field<{ DroppedAwaited::END }, { Reason::BITS }>;
type Detached = Field<60, 1>;
type State = Field<61, 3>;

const _: () = assert!(LeasedSevered::END <= 60);
const _: () = assert!(VacatedReason::END <= 61 && EndedLoc::END <= 60 && DroppedReason::END <= 60);

/// What else has to do with a lease: waiters, the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ties {
    /// Somebody has waited (fate.6).
    pub(crate) awaited: bool,
    /// The key is not this lease's any more (fate.7).
    pub(crate) severed: bool,
    /// No slot names the flight any more.
    pub(crate) detached: bool,
}

impl Ties {
    /// As a lease begins.
    pub(crate) const NEW: Self = Self { awaited: false, severed: false, detached: false };
    /// As it passes to a waiter.
    pub(crate) const AWAITED: Self = Self { awaited: true, ..Self::NEW };
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Free,
    /// `awaited`, here and below: somebody has waited, ever since the tenancy began.
    Leased {
        ties: Ties,
        generation: u64,
    },
    /// Only what is awaited.
    Vacated {
        reason: Reason,
        generation: u64,
    },
    /// `kept`: the response goes into the table; otherwise it is for the waiters only.
    Ended {
        detached: bool,
        loc: u32,
        kept: bool,
        awaited: bool,
        generation: u64,
    },
    Dropped {
        detached: bool,
        reason: Reason,
        awaited: bool,
        generation: u64,
    },
}

impl Fate {
    /// The greatest generation of a lease.
    pub(crate) const GENERATION_MAX: u64 = LeasedGeneration::MAX;

    #[inline(always)]
    pub(crate) fn pack(self) -> u64 {
        match self {
            Fate::Free => State::put(FREE),
            Fate::Leased { ties, generation } => {
                State::put(LEASED)
                    | Detached::put(ties.detached.into())
                    | LeasedSevered::put(ties.severed.into())
                    | LeasedAwaited::put(ties.awaited.into())
                    | LeasedGeneration::put(generation)
            }
            Fate::Vacated { reason, generation } => {
                State::put(VACATED)
                    | VacatedReason::put(reason.pack())
                    | VacatedGeneration::put(generation)
            }
            Fate::Ended { detached, loc, kept, awaited, generation } => {
                State::put(ENDED)
                    | Detached::put(detached.into())
                    | EndedLoc::put(loc.into())
                    | EndedKept::put(kept.into())
                    | EndedAwaited::put(awaited.into())
                    | EndedGeneration::put(generation)
            }
            Fate::Dropped { detached, reason, awaited, generation } => {
                State::put(DROPPED)
                    | Detached::put(detached.into())
                    | DroppedReason::put(reason.pack())
                    | DroppedAwaited::put(awaited.into())
                    | DroppedGeneration::put(generation)
            }
        }
    }

    #[inline(always)]
    pub(crate) fn unpack(word: u64) -> Self {
        let detached = Detached::get(word) == 1;
        match State::get(word) {
            LEASED => Fate::Leased {
                ties: Ties {
                    awaited: LeasedAwaited::get(word) == 1,
                    severed: LeasedSevered::get(word) == 1,
                    detached,
                },
                generation: LeasedGeneration::get(word),
            },
            VACATED => Fate::Vacated {
                reason: Reason::unpack(VacatedReason::get(word)),
                generation: VacatedGeneration::get(word),
            },
            ENDED => Fate::Ended {
                detached,
                loc: EndedLoc::get(word) as u32,
                kept: EndedKept::get(word) == 1,
                awaited: EndedAwaited::get(word) == 1,
                generation: EndedGeneration::get(word),
            },
            DROPPED => Fate::Dropped {
                detached,
                reason: Reason::unpack(DroppedReason::get(word)),
                awaited: DroppedAwaited::get(word) == 1,
                generation: DroppedGeneration::get(word),
            },
            _ => Fate::Free,
        }
    }

    /// The same word with `detached` set.
    pub(crate) fn detach(mut self) -> Self {
        if let Fate::Leased { ties: Ties { detached, .. }, .. }
        | Fate::Ended { detached, .. }
        | Fate::Dropped { detached, .. } = &mut self
        {
            *detached = true;
        }
        self
    }

    /// Whether the key is not the flight's any more, although its lease goes on (fate.7).
    #[inline(always)]
    pub(crate) fn is_severed(self) -> bool {
        matches!(self, Fate::Leased { ties: Ties { severed: true, .. }, .. })
    }

    /// Whether it is this lease, awaited or not.
    #[inline(always)]
    pub(crate) fn is_lease(self, lease: u64) -> bool {
        matches!(self, Fate::Leased { generation, .. } if generation == lease)
    }

    /// The same of a raw word.
    #[inline(always)]
    pub(crate) const fn is_lease_word(word: u64, lease: u64) -> bool {
        State::get(word) == LEASED && LeasedGeneration::get(word) == lease
    }

    /// Whether lease `ended` is the last that there was. By the low bits that the word has of it.
    pub(crate) fn is_after(self, ended: u64) -> bool {
        match self {
            Fate::Free | Fate::Leased { .. } => false,
            Fate::Vacated { generation, .. } => generation == ended & VacatedGeneration::MAX,
            Fate::Ended { generation, .. } => generation == ended & EndedGeneration::MAX,
            Fate::Dropped { generation, .. } => generation == ended & DroppedGeneration::MAX,
        }
    }

    /// The response that the flight holds itself: for its waiters, or because no slot will.
    pub(crate) fn holds(self) -> Option<u32> {
        match self {
            Fate::Ended { loc, kept, awaited, .. } if awaited || !kept => Some(loc),
            _ => None,
        }
    }

    /// Whether there may be waiters to tell of the end (fate.6).
    #[inline(always)]
    pub(crate) fn is_awaited(self) -> bool {
        match self {
            Fate::Free => false,
            Fate::Vacated { .. } => true,
            Fate::Leased { ties: Ties { awaited, .. }, .. }
            | Fate::Ended { awaited, .. }
            | Fate::Dropped { awaited, .. } => awaited,
        }
    }

    /// Whether the lease is over and no slot names the flight any more.
    pub(crate) fn is_detached(self) -> bool {
        matches!(self, Fate::Ended { detached: true, .. } | Fate::Dropped { detached: true, .. })
    }
}

/// Equal as words: where a state keeps only the low bits of a generation, only those count.
impl PartialEq for Fate {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.pack() == other.pack()
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn packing_round_trips() {
        let reason = Reason::Code(0xBEEF);
        for fate in [
            Fate::Free,
            Fate::Leased { ties: Ties::NEW, generation: Fate::GENERATION_MAX },
            Fate::Leased { ties: Ties::AWAITED, generation: 1 },
            Fate::Leased { ties: Ties { severed: true, ..Ties::NEW }, generation: 2 },
            Fate::Vacated { reason, generation: VacatedGeneration::MAX },
            Fate::Ended {
                detached: false,
                loc: u32::MAX,
                kept: true,
                awaited: false,
                generation: EndedGeneration::MAX,
            },
            Fate::Dropped {
                detached: true,
                reason,
                awaited: true,
                generation: DroppedGeneration::MAX,
            },
        ] {
            assert_eq!(Fate::unpack(fate.pack()), fate);
            assert_eq!(Fate::unpack(fate.detach().pack()), fate.detach());
        }
    }

    #[test]
    fn the_last_lease_is_known_by_what_a_word_keeps_of_its_generation() {
        let reason = Reason::Owner;
        let lease = Fate::GENERATION_MAX - 1;
        let vacated = |generation| Fate::Vacated { reason, generation };
        let ended = |generation| Fate::Ended {
            detached: false,
            loc: 1,
            kept: true,
            awaited: true,
            generation,
        };
        let dropped =
            |generation| Fate::Dropped { detached: false, reason, awaited: true, generation };
        let words: [&dyn Fn(u64) -> Fate; 3] = [&vacated, &ended, &dropped];
        for word in words {
            let of = |generation| Fate::unpack(word(generation).pack());
            assert!(of(lease).is_after(lease));
            assert!(!of(lease).is_after(lease - 1) && !of(lease - 1).is_after(lease));
        }
        let leased = Fate::Leased { ties: Ties::AWAITED, generation: lease };
        assert!(!leased.is_after(lease) && !Fate::Free.is_after(lease));
    }
}
