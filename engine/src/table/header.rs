//! The header word of a line: which of its slots are part of the table.
//!
//! ```text
//! 63 ........... 23 | 22     | 21 ....... 6 | 5 .. 0
//! version 41        | frozen | overflow 16  | main 6
//! ```
//!
//! header.1  Every change of the header adds 1 to the version. So a CAS that publishes a slot
//!     succeeds only if no key entered or left the line since its caller read the header - and
//!     looked through it.
//! header.2  While `frozen`, the overflow pair is being taken off: nothing is published in it.

use crate::record::Field;

/// Slots in the line itself.
pub(crate) const MAIN_SLOTS: u32 = 6;
/// Slots in an overflow pair.
pub(crate) const PAIR_SLOTS: u32 = 16;
/// All of them.
pub(crate) const LINE_SLOTS: u32 = MAIN_SLOTS + PAIR_SLOTS;

type Live = Field<0, LINE_SLOTS>;
type Frozen = Field<{ Live::END }, 1>;
type Version = Field<{ Frozen::END }, 41>;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header(pub(crate) u64);

impl Header {
    /// The bits of the slots that are in the line itself.
    pub(crate) const MAIN: u64 = (1 << MAIN_SLOTS) - 1;

    /// Bit i: slot i is part of the table.
    #[inline]
    pub(crate) const fn live(self) -> u64 {
        Live::get(self.0)
    }

    #[inline]
    pub(crate) const fn is_live(self, slot: u32) -> bool {
        self.0 >> slot & 1 == 1
    }

    #[inline]
    pub(crate) const fn has_overflow(self) -> bool {
        self.live() & !Self::MAIN != 0
    }

    pub(crate) const fn is_frozen(self) -> bool {
        Frozen::get(self.0) == 1
    }

    pub(crate) const fn with(self, slot: u32) -> Self {
        self.next(self.live() | 1 << slot, Frozen::get(self.0))
    }

    pub(crate) const fn without(self, slot: u32) -> Self {
        self.next(self.live() & !(1 << slot), Frozen::get(self.0))
    }

    pub(crate) const fn freeze(self, frozen: bool) -> Self {
        self.next(self.live(), frozen as u64)
    }

    const fn next(self, live: u64, frozen: u64) -> Self {
        let version = Version::get(self.0).wrapping_add(1);
        Self(Live::put(live) | Frozen::put(frozen) | Version::put(version))
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_change_changes_the_version() {
        let empty = Header(0);
        let one = empty.with(3);
        assert!(one.is_live(3) && !one.is_live(2) && !one.has_overflow());
        assert_ne!(one.without(3), empty);
        assert!(empty.with(6).has_overflow());
        assert!(one.freeze(true).is_frozen() && one.freeze(true).is_live(3));
        assert_eq!(Header(u64::MAX).without(0).live(), Live::MAX - 1);
    }
}
