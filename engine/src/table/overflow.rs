//! Overflow pairs: sixteen more slots for a line that needs them, for as long as it does.
//!
//! ```text
//! link word of a line:  version 32 | pair + 1 32
//! ```
//!
//! A pair is put on by whoever finds the line full, and taken off by whoever removes its last record:
//!
//! 1. freeze: CAS of the header, from one without live overflow slots. Reservations made under an
//!    older header cannot be published any more (header.1), new ones are not made (header.2).
//! 2. CAS of the link to none. Its winner gives the pair back.
//! 3. thaw: CAS of the header.
//!
//! Anyone who needs the line's overflow meanwhile does steps 2 and 3 as well: a thread stopped
//! between them holds up nobody.
//!
//! overflow.1  The link's version changes with every change, so step 2 cannot take a later pair
//!     off.
//! overflow.2  A pair that is given back may still have slots that are not vacant: late
//!     reservations, and removals that have not reached their last store. Their makers vacate them;
//!     until then the pair's next line takes them for somebody's reservation, which they are.

use crate::memory::bitmap::Bitmap;
use crate::memory::pages::Paged;
use crate::memory::region::{Region, Zeroed};
use crate::record::Field;
use crate::sync::{AtomicU64, Ordering};
use crate::table::Table;
use crate::table::header::{Header, PAIR_SLOTS};

type PairBits = Field<0, 32>;
type Version = Field<{ PairBits::END }, 32>;

/// A link word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link(u64);

impl Link {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn unpack(word: u64) -> Self {
        Self(word)
    }

    pub(crate) fn pack(self) -> u64 {
        self.0
    }

    fn pair(self) -> Option<u32> {
        (PairBits::get(self.0) as u32).checked_sub(1)
    }

    fn next(self, pair: Option<u32>) -> Self {
        let number = pair.map_or(0, |pair| u64::from(pair) + 1);
        Self(Version::put(Version::get(self.0).wrapping_add(1)) | PairBits::put(number))
    }
}

#[repr(C, align(128))]
#[derive(Default)]
struct Pair([AtomicU64; PAIR_SLOTS as usize]);

// SAFETY: region.1 (integer atomics).
unsafe impl Zeroed for Pair {}

/// Pairs beyond one for every second line.
const SPARE_PAIRS: u64 = if cfg!(idem_loom) { 3 } else { 64 };

/// All pairs, and which are in use.
pub(crate) struct Pairs {
    pairs: Region<Pair>,
    in_use: Bitmap,
}

impl Pairs {
    /// One for every second line: ten times what evenly spread keys need (DESIGN.md, "Table"). They
    /// cost nothing until used.
    pub(crate) fn new(line_count: u64, shard_count: u32) -> Option<Self> {
        let count = u32::try_from(line_count / 2 + SPARE_PAIRS).ok()?;
        Some(Self {
            pairs: Region::new(count as usize)?,
            in_use: Bitmap::new(count, 0, 1, shard_count)?,
        })
    }

    /// What `Pages` may back, before anybody uses it.
    pub(crate) fn regions(&mut self) -> Vec<&mut dyn Paged> {
        vec![&mut self.pairs, self.in_use.region()]
    }

    pub(crate) fn get(&self, link: Link) -> Option<&[AtomicU64; PAIR_SLOTS as usize]> {
        link.pair().map(|pair| &self.pairs[pair as usize].0)
    }

    /// The slot of a pair; `link` must have one.
    pub(crate) fn slot(&self, link: Link, index: u32) -> &AtomicU64 {
        let pair = link.pair().unwrap_or_default();
        &self.pairs[pair as usize].0[index as usize]
    }

    /// The line's pair, put on if it has none.
    pub(crate) fn attach(&self, word: &AtomicU64, shard: usize) -> Option<Link> {
        // Acquire: pairs with the CAS below, of whoever put it on.
        let seen = Link(word.load(Ordering::Acquire));
        if seen.pair().is_some() {
            return Some(seen);
        }
        let pair = self.in_use.alloc(1, shard)?;
        let link = seen.next(Some(pair));
        match word.compare_exchange(seen.0, link.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(link),
            Err(now) => {
                self.in_use.free(pair, 1);
                Some(Link(now)).filter(|now| now.pair().is_some())
            }
        }
    }

    /// Pairs in use. For tests.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u32 {
        self.in_use.used()
    }
}

impl Table {
    /// Takes the overflow pair off a line if none of its slots is live.
    pub(super) fn take_pair_off(&self, number: u32) {
        let line = &self.lines[number as usize];
        // Acquire: the link is read after the header that says what may be done with it.
        let mut header = Header(line.header.load(Ordering::Acquire));
        let link = Link(line.link.load(Ordering::Acquire));
        if header.has_overflow() || (link.pair().is_none() && !header.is_frozen()) {
            return;
        }
        if !header.is_frozen() {
            let frozen = header.freeze(true);
            // AcqRel: step 1. A failure means that a key entered or left the line: look again.
            let step = line.header.compare_exchange(
                header.0,
                frozen.0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if step.is_err() {
                return self.take_pair_off(number);
            }
            header = frozen;
        } else if line.header.load(Ordering::Acquire) != header.0 {
            // Thawed since: the link may be a later pair's.
            return;
        }
        if let Some(pair) = link.pair() {
            // AcqRel: step 2; its winner is the one that gives the pair back (overflow.1).
            let none = link.next(None);
            let step =
                line.link.compare_exchange(link.0, none.0, Ordering::AcqRel, Ordering::Relaxed);
            if step.is_ok() {
                self.pairs.in_use.free(pair, 1);
            }
        }
        // AcqRel: step 3. A failure: others use the main slots meanwhile; whoever needs the
        // overflow thaws it.
        let _ = line.header.compare_exchange(
            header.0,
            header.freeze(false).0,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }

    /// Overflow pairs in use. For tests.
    #[cfg(test)]
    pub(crate) fn pairs_used(&self) -> u32 {
        self.pairs.used()
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;
    use crate::table::header::MAIN_SLOTS;
    use crate::table::slot::Slot;
    use crate::table::{Place, SlotRef};

    fn slot(tag: u64) -> Slot {
        Slot::Flight { tag, flight: 0, tenancy: 1 }
    }

    fn header(table: &Table) -> Header {
        Header(table.lines[0].header.load(Ordering::Relaxed))
    }

    fn reserve(table: &Table, tag: u64) -> SlotRef {
        table.reserve(0, header(table), slot(tag), &mut None, 0).expect("there is room")
    }

    fn publish(table: &Table, tag: u64) -> SlotRef {
        let at = reserve(table, tag);
        assert!(table.publish(at, header(table)));
        at
    }

    /// One line, whose own slots are all taken.
    fn full() -> Table {
        let table = Table::new(1, 1).expect("one line");
        for tag in 1..=MAIN_SLOTS.into() {
            publish(&table, tag);
        }
        table
    }

    #[test]
    fn a_pair_with_a_live_slot_stays_on() {
        let table = full();
        let at = publish(&table, 20);
        table.take_pair_off(0);
        assert_eq!(table.pairs_used(), 1);
        assert!(table.scan(Place { line: 0, tag: 20 }).next().is_some_and(|hit| hit.at == at));
        table.remove(at, slot(20)).expect("nobody else is there");
        assert_eq!(table.pairs_used(), 0, "the last removal takes it off");
        assert!(!header(&table).is_frozen());
    }

    #[test]
    fn what_was_reserved_before_the_pair_went_off_is_not_published() {
        let table = full();
        let scanned = header(&table);
        let at = reserve(&table, 20);
        table.take_pair_off(0);
        assert_eq!(table.pairs_used(), 0);
        assert!(!table.publish(at, scanned), "header.1: the line was frozen since");
        assert_eq!(header(&table).live(), Header::MAIN);
    }

    #[test]
    fn a_line_that_was_left_frozen_is_thawed_with_its_pair_or_without() {
        for is_pair_off in [false, true] {
            let table = full();
            let at = reserve(&table, 20);
            let line = &table.lines[0];
            line.header.store(header(&table).freeze(true).0, Ordering::Relaxed);
            if is_pair_off {
                let link = Link(line.link.load(Ordering::Relaxed));
                line.link.store(link.next(None).0, Ordering::Relaxed);
                table.pairs.in_use.free(link.pair().expect("it has one"), 1);
            }
            table.take_pair_off(0);
            assert!(!header(&table).is_frozen());
            assert_eq!(table.pairs_used(), 0);
            assert!(!table.publish(at, header(&table).freeze(true)));
        }
    }

    #[test]
    fn a_line_without_a_pair_is_left_alone() {
        let table = full();
        let before = header(&table);
        table.take_pair_off(0);
        assert_eq!(header(&table), before);
    }
}
