//! The term word: how long the lease holds, or who has been offered it.
//!
//! ```text
//!            63..62   61..
//! Lease      0        tag 20 | on_expiry 2 | deadline 40
//! Lapsed     1        tag 20 | on_expiry 2 | deadline 40 (the one that has passed)
//! Offer      2        node 20 | -          | accept deadline 40
//! ```
//!
//! `tag` is the low bits of the lease's generation. What the word means depends on the fate word:
//!
//! | fate       | term                        | meaning                                              |
//! |------------|-----------------------------|------------------------------------------------------|
//! | Leased(g)  | Lease, tag g                | lease g ends at the deadline                         |
//! | Leased(g)  | anything else               | lease g has lapsed; anyone may end it in the fate    |
//! | Vacated(g) | Lease, tag g, or Lapsed     | nobody has been offered the record yet               |
//! | Vacated(g) | Offer(node)                 | that waiter may accept until the deadline            |
//! | Vacated(g) | Lease, another tag          | accepted; anyone may write Leased(that generation)   |
//!
//! term.1  Renew and lapse contend here: `renew` is a CAS Lease -> Lease with a later deadline, and
//!     whoever ends a lease for its age first makes it `Lapsed`. So a renewed lease cannot be taken
//!     over on the strength of the old deadline, nor a lapsed one be renewed (L2).
//! term.2  Accepting is a CAS Offer(me) -> Lease, passing on is a CAS Offer(a) -> Offer(b): exactly
//!     one waiter gets a vacated record (L5, L7).

use crate::outcome::OnEnd;
use crate::record::{Field, NODE_BITS, TIME_BITS};

const LEASE: u64 = 0;
const LAPSED: u64 = 1;
const OFFER: u64 = 2;

type Deadline = Field<0, TIME_BITS>;
type Policy = Field<{ Deadline::END }, 2>;
type Tag = Field<{ Policy::END }, NODE_BITS>;
type Kind = Field<{ Tag::END }, 2>;

const _: () = assert!(Kind::END == 64);

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Term {
    Lease { tag: u64, on_expiry: OnEnd, deadline: u64 },
    Lapsed { tag: u64, on_expiry: OnEnd, deadline: u64 },
    Offer { node: u32, deadline: u64 },
}

impl Term {
    /// The tag of a generation.
    pub(crate) const fn tag(generation: u64) -> u64 {
        generation & Tag::MAX
    }

    #[inline(always)]
    pub(crate) fn pack(self) -> u64 {
        match self {
            Term::Lease { tag, on_expiry, deadline } => lease(LEASE, tag, on_expiry, deadline),
            Term::Lapsed { tag, on_expiry, deadline } => lease(LAPSED, tag, on_expiry, deadline),
            Term::Offer { node, deadline } => {
                Kind::put(OFFER) | Tag::put(node.into()) | Deadline::put(deadline)
            }
        }
    }

    #[inline(always)]
    pub(crate) fn unpack(word: u64) -> Self {
        let (tag, deadline) = (Tag::get(word), Deadline::get(word));
        let on_expiry = OnEnd::unpack(Policy::get(word));
        match Kind::get(word) {
            LEASE => Term::Lease { tag, on_expiry, deadline },
            OFFER => Term::Offer { node: tag as u32, deadline },
            _ => Term::Lapsed { tag, on_expiry, deadline },
        }
    }

    pub(crate) fn deadline(self) -> u64 {
        match self {
            Term::Lease { deadline, .. }
            | Term::Lapsed { deadline, .. }
            | Term::Offer { deadline, .. } => deadline,
        }
    }
}

fn lease(kind: u64, tag: u64, on_expiry: OnEnd, deadline: u64) -> u64 {
    Kind::put(kind) | Tag::put(tag) | Policy::put(on_expiry as u64) | Deadline::put(deadline)
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn packing_round_trips() {
        for term in [
            Term::Lease { tag: Tag::MAX, on_expiry: OnEnd::Halt, deadline: Deadline::MAX },
            Term::Lapsed { tag: 5, on_expiry: OnEnd::FailWaiters, deadline: 9 },
            Term::Offer { node: Tag::MAX as u32, deadline: 1 },
        ] {
            assert_eq!(Term::unpack(term.pack()), term);
        }
    }
}
