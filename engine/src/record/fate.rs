//! The fate word: the one word that says what becomes of a lease. Fencing happens here.
//!
//! ```text
//!            63..61   60..
//! Free       0        0
//! Drafted    5        generation 61
//! Leased     1        generation 61
//! Vacated    2        reason 24 | generation 37 (low bits)
//! Ended      3        detached 1 | loc 32 | kept 1 | generation 27 (low bits)
//! Dropped    4        detached 1 | reason 24 | generation 36 (low bits)
//!
//! Free --claim--> Drafted(g) --published--> Leased(g)
//!
//!                 Leased(g) --complete, halt, kept cancel--> Ended(loc) --> Free
//!                   |  ^   `--cancel or expiry, FailWaiters---> Dropped --> Free
//!                   |  |                                          ^
//!                   v  `--accepted, generation g+1                |
//!                 Vacated --nobody may take it, queue closed------'
//! ```
//!
//! fate.1  Only a CAS from `Leased(g)` ends lease g, and it compares all 61 bits: whoever holds a
//!     token of another generation changes nothing (L2).
//! fate.2  The step that ends the lease carries the result with it: `Ended` names the response,
//!     `Dropped` the reason, `Vacated` that the queue is to be served. Any thread can do the rest
//!     (L3).
//! fate.3  `detached` is set at most once in a tenancy, by the thread whose CAS took the flight out of the
//!     table.
//! fate.4  A flight becomes `Free` only from a detached word with its queue closed and empty; or in
//!     one step for both, by the thread that would detach it, when the queue is that already; or
//!     from `Drafted`, by its claimer, when it was never published.
//! fate.5  `Drafted` belongs to its claimer alone, and no sweep touches it, until the table names
//!     it; from then on whoever meets it makes it `Leased`. So a lease that is not published yet,
//!     and may never be, cannot be ended for its age.

use crate::outcome::Reason;
use crate::record::{Field, LOC_BITS};

const FREE: u64 = 0;
const LEASED: u64 = 1;
const VACATED: u64 = 2;
const ENDED: u64 = 3;
const DROPPED: u64 = 4;
const DRAFTED: u64 = 5;

type LeasedGeneration = Field<0, 61>;
type VacatedGeneration = Field<0, 37>;
type VacatedReason = Field<{ VacatedGeneration::END }, { Reason::BITS }>;
type EndedGeneration = Field<0, 27>;
type EndedKept = Field<{ EndedGeneration::END }, 1>;
type EndedLoc = Field<{ EndedKept::END }, LOC_BITS>;
type DroppedGeneration = Field<0, 36>;
type DroppedReason = Field<{ DroppedGeneration::END }, { Reason::BITS }>;
type Detached = Field<60, 1>;
type State = Field<61, 3>;

const _: () = assert!(VacatedReason::END <= 61 && EndedLoc::END <= 60 && DroppedReason::END <= 60);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Free,
    Drafted {
        generation: u64,
    },
    Leased {
        generation: u64,
    },
    Vacated {
        reason: Reason,
        generation: u64,
    },
    /// `kept`: the response goes into the table; otherwise it is for the waiters only.
    Ended {
        detached: bool,
        loc: u32,
        kept: bool,
        generation: u64,
    },
    Dropped {
        detached: bool,
        reason: Reason,
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
            Fate::Drafted { generation } => State::put(DRAFTED) | LeasedGeneration::put(generation),
            Fate::Leased { generation } => State::put(LEASED) | LeasedGeneration::put(generation),
            Fate::Vacated { reason, generation } => {
                State::put(VACATED)
                    | VacatedReason::put(reason.pack())
                    | VacatedGeneration::put(generation)
            }
            Fate::Ended { detached, loc, kept, generation } => {
                State::put(ENDED)
                    | Detached::put(detached.into())
                    | EndedLoc::put(loc.into())
                    | EndedKept::put(kept.into())
                    | EndedGeneration::put(generation)
            }
            Fate::Dropped { detached, reason, generation } => {
                State::put(DROPPED)
                    | Detached::put(detached.into())
                    | DroppedReason::put(reason.pack())
                    | DroppedGeneration::put(generation)
            }
        }
    }

    #[inline(always)]
    pub(crate) fn unpack(word: u64) -> Self {
        let detached = Detached::get(word) == 1;
        match State::get(word) {
            LEASED => Fate::Leased { generation: LeasedGeneration::get(word) },
            DRAFTED => Fate::Drafted { generation: LeasedGeneration::get(word) },
            VACATED => Fate::Vacated {
                reason: Reason::unpack(VacatedReason::get(word)),
                generation: VacatedGeneration::get(word),
            },
            ENDED => Fate::Ended {
                detached,
                loc: EndedLoc::get(word) as u32,
                kept: EndedKept::get(word) == 1,
                generation: EndedGeneration::get(word),
            },
            DROPPED => Fate::Dropped {
                detached,
                reason: Reason::unpack(DroppedReason::get(word)),
                generation: DroppedGeneration::get(word),
            },
            _ => Fate::Free,
        }
    }

    /// The same word with `detached` set.
    pub(crate) fn detach(self) -> Self {
        match self {
            Fate::Ended { loc, kept, generation, .. } => {
                Fate::Ended { detached: true, loc, kept, generation }
            }
            Fate::Dropped { reason, generation, .. } => {
                Fate::Dropped { detached: true, reason, generation }
            }
            other => other,
        }
    }

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
            Fate::Drafted { generation: Fate::GENERATION_MAX },
            Fate::Leased { generation: Fate::GENERATION_MAX },
            Fate::Vacated { reason, generation: VacatedGeneration::MAX },
            Fate::Ended {
                detached: false,
                loc: u32::MAX,
                kept: true,
                generation: EndedGeneration::MAX,
            },
            Fate::Dropped { detached: true, reason, generation: DroppedGeneration::MAX },
        ] {
            assert_eq!(Fate::unpack(fate.pack()), fate);
            assert_eq!(Fate::unpack(fate.detach().pack()), fate.detach());
        }
    }
}
