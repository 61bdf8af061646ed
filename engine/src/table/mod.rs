//! The table: which keys have a record, and where it is.
//!
//! ```text
//! line, 64 bytes:    header | slot 0 .. slot 5 | link          pair, 128 bytes: slot 6 .. slot 21
//! ```
//!
//! A key belongs to one line and never moves. A slot is claimed with a CAS of its word and becomes
//! part of the table with a CAS of the header; records change in place with a CAS of the slot.
//! Lines that need more than six slots borrow an overflow pair for as long as it is needed
//! (`overflow`). There is no resize: the number of keys is bounded (R1), and no tombstones: a
//! removed slot is vacant at once.
//!
//! The table knows tags and words, not what they name: who a record belongs to is decided by its
//! users, `protocol`.
//!
//! table.1  At most one published slot of a line belongs to a key. (Publishing needs the header
//!     under which the caller found no such slot, header.1.)
//! table.2  A published slot keeps its key until it is removed.

pub(crate) mod header;
mod overflow;
pub(crate) mod slot;

use crate::memory::pages::Paged;
use crate::memory::region::{Region, Zeroed, prefetch};
use crate::record::Field;
use crate::sync::{AtomicU64, Ordering};
use header::{Header, MAIN_SLOTS, PAIR_SLOTS};
use overflow::{Link, Pairs};
use slot::Slot;

/// Records that a line is meant for, on average.
const RECORDS_PER_LINE: u64 = 3;

#[repr(C, align(64))]
#[derive(Default)]
struct Line {
    header: AtomicU64,
    slots: [AtomicU64; MAIN_SLOTS as usize],
    link: AtomicU64,
}

impl Line {
    /// Which of its slots, reserved ones too, have a word that is wanted.
    #[inline(always)]
    fn scan(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let mut found = 0;
        // No branch a slot: which one matches is unpredictable, and a wrong guess on a line that is
        // not in the cache would stop the next claim's loads as well.
        for (slot, word) in self.slots.iter().enumerate() {
            // Acquire: what the word names was written before (edge "publish").
            found |= u64::from(wanted(word.load(Ordering::Acquire))) << slot;
        }
        found
    }
}

// SAFETY: region.1 (integer atomics; zero is an empty line).
unsafe impl Zeroed for Line {}

/// See the module.
pub(crate) struct Table {
    lines: Region<Line>,
    pairs: Pairs,
}

/// Where a key belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) tag: u64,
}

/// One slot of a line, as it was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotRef {
    line: u32,
    slot: u32,
    /// The link through which an overflow slot was reached.
    link: Link,
}

/// What a scan found: a slot with the right tag, and its word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hit {
    pub(crate) at: SlotRef,
    /// Packed: most of what is asked of it are a few of its bits.
    word: u64,
}

impl Hit {
    #[inline(always)]
    pub(crate) fn new(at: SlotRef, slot: Slot) -> Self {
        Self { at, word: slot.pack() }
    }

    #[inline(always)]
    pub(crate) fn slot(self) -> Slot {
        Slot::unpack(self.word)
    }

    /// Where the response is that the slot names.
    #[inline(always)]
    pub(crate) fn loc(self) -> Option<u32> {
        Slot::loc_of(self.word)
    }

    /// Where the key belongs.
    pub(crate) fn place(self) -> Place {
        Place { line: self.at.line, tag: Slot::tag_of(self.word) }
    }
}

/// Where a flight is named: what it takes to find its slot again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) at: SlotRef,
    pub(crate) tag: u64,
}

type SeatLine = Field<0, 32>;
type SeatSlot = Field<{ SeatLine::END }, 8>;
type SeatTag = Field<{ SeatSlot::END }, 12>;

impl Seat {
    #[inline]
    pub(crate) fn pack(self) -> [u64; 2] {
        let SlotRef { line, slot, link } = self.at;
        let place = SeatLine::put(line.into()) | SeatSlot::put(slot.into());
        [place | SeatTag::put(self.tag), link.pack()]
    }

    #[inline]
    pub(crate) fn unpack([place, link]: [u64; 2]) -> Self {
        let (line, slot) = (SeatLine::get(place) as u32, SeatSlot::get(place) as u32);
        let at = SlotRef { line, slot, link: Link::unpack(link) };
        Self { at, tag: SeatTag::get(place) }
    }

    /// Where the key belongs.
    pub(crate) fn place(self) -> Place {
        Place { line: self.at.line, tag: self.tag }
    }
}

/// Why no slot was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// The line changed since it was scanned: scan again.
    Changed,
    /// There is none to be had.
    Full,
}

impl Table {
    /// Room for `record_count` keys.
    pub(crate) fn new(record_count: u64, shard_count: u32) -> Option<Self> {
        let line_count = Self::line_count_for(record_count);
        Some(Self {
            lines: Region::new(line_count as usize)?,
            pairs: Pairs::new(line_count, shard_count)?,
        })
    }

    /// What `Pages` may back, before anybody uses it.
    pub(crate) fn regions(&mut self) -> Vec<&mut dyn Paged> {
        let mut regions = self.pairs.regions();
        regions.push(&mut self.lines);
        regions
    }

    pub(crate) fn line_count_for(record_count: u64) -> u64 {
        record_count.div_ceil(RECORDS_PER_LINE).max(1)
    }

    pub(crate) fn line_count(&self) -> u32 {
        self.lines.len() as u32
    }

    /// Where `placement`, 64 evenly spread bits, belongs.
    #[inline]
    pub(crate) fn place(&self, placement: u64) -> Place {
        let line = ((placement >> 32) * self.lines.len() as u64) >> 32;
        Place { line: line as u32, tag: Slot::tag(placement) }
    }

    /// The slots of the line that carry the tag.
    #[inline]
    pub(crate) fn scan(&self, place: Place) -> Scan<'_> {
        self.scan_for(place.line, |word| Slot::matches(word, place.tag))
    }

    /// What `scan` would find first, if the line itself has it.
    #[inline(always)]
    pub(crate) fn first(&self, place: Place) -> Option<Hit> {
        let line = &self.lines[place.line as usize];
        let found = line.scan(|word| Slot::matches(word, place.tag));
        // Acquire: as in `scan_for`, of the header. Read last: what is found by it is validated anyway.
        let slot = (found & Header(line.header.load(Ordering::Acquire)).live()).trailing_zeros();
        // Acquire: edge "publish".
        let word = line.slots.get(slot as usize)?.load(Ordering::Acquire);
        Some(Hit { at: SlotRef { line: place.line, slot, link: Link::NONE }, word })
    }

    /// The slots of a line whose tag is wanted.
    pub(crate) fn scan_tagged(&self, line: u32, wanted: impl Fn(u64) -> bool) -> Scan<'_> {
        self.scan_for(line, |word| wanted(Slot::tag_of(word)))
    }

    /// All slots of a line that are part of the table.
    pub(crate) fn scan_line(&self, line: u32) -> Scan<'_> {
        self.scan_for(line, |_| true)
    }

    #[inline(always)]
    fn scan_for(&self, number: u32, wanted: impl Fn(u64) -> bool) -> Scan<'_> {
        let line = &self.lines[number as usize];
        // Acquire (edge "publish"): pairs with the Release of the header CAS that published a slot,
        // and keeps the loads of the slots after it.
        let header = Header(line.header.load(Ordering::Acquire));
        let found = line.scan(&wanted);
        let mut scan = Scan {
            table: self,
            line: number,
            header,
            link: Link::NONE,
            left: found & header.live(),
        };
        if header.has_overflow() {
            scan.add_pair(wanted);
        }
        scan
    }

    /// Begins to bring a line into the cache.
    #[inline]
    pub(crate) fn prefetch(&self, line: u32) {
        prefetch(&self.lines[line as usize]);
    }

    /// Brings lines into the cache, with their overflow; all at once, nothing here waits for one of
    /// them before it asks for the next.
    pub(crate) fn warm(&self, lines: impl Iterator<Item = u32> + Clone) {
        // Relaxed: only touched.
        let header = |line: &Line| Header(line.header.load(Ordering::Relaxed));
        for line in lines.clone() {
            core::hint::black_box(header(&self.lines[line as usize]));
        }
        for line in lines.map(|line| &self.lines[line as usize]) {
            if header(line).has_overflow()
                && let Some(pair) = self.pairs.get(Link::unpack(line.link.load(Ordering::Relaxed)))
            {
                prefetch(pair);
            }
        }
    }

    /// The slot as it is now.
    #[inline(always)]
    pub(crate) fn look(&self, at: SlotRef) -> Hit {
        // Acquire: edge "publish".
        Hit { at, word: self.word(at).load(Ordering::Acquire) }
    }

    /// The word of a slot now.
    #[inline(always)]
    pub(crate) fn load(&self, at: SlotRef) -> Slot {
        self.look(at).slot()
    }

    /// Whether a slot that was found with this word is part of the table with it (slot.2). For an
    /// overflow slot also that the pair is still this line's.
    ///
    /// The word is looked at last: it was there before and is after, so it was when the header said
    /// that the slot is live. (A word that names a flight never comes again, flight.1.)
    #[inline]
    pub(crate) fn confirms(&self, at: SlotRef, slot: Slot) -> bool {
        let line = &self.lines[at.line as usize];
        // Acquire: one after the other.
        Header(line.header.load(Ordering::Acquire)).is_live(at.slot)
            && (at.slot < MAIN_SLOTS || Link::unpack(line.link.load(Ordering::Acquire)) == at.link)
            && self.load(at) == slot
    }

    /// Changes a published slot in place. `Err` has what is there instead.
    #[inline(always)]
    pub(crate) fn change(&self, at: SlotRef, from: Slot, to: Slot) -> Result<(), Slot> {
        // AcqRel (edge "publish"): what `to` names was written before; Acquire also on failure.
        self.word(at)
            .compare_exchange(from.pack(), to.pack(), Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
            .map_err(Slot::unpack)
    }

    /// Counts one pin more at a slot that names a response, if it still is what was found and there are
    /// fewer than `high`: the short form of such a `change`.
    #[inline(always)]
    pub(crate) fn pin(&self, hit: Hit, high: u64) -> bool {
        // AcqRel: as in `change`.
        Slot::pinned(hit.word, high).is_some_and(|pinned| {
            self.word(hit.at)
                .compare_exchange(hit.word, pinned, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// Reserves a slot of the line for `slot`, under the header that the caller scanned; or keeps the
    /// one it has `reserved` already.
    pub(crate) fn reserve(
        &self,
        number: u32,
        scanned: Header,
        slot: Slot,
        reserved: &mut Option<SlotRef>,
        shard: usize,
    ) -> Result<SlotRef, NoSlot> {
        let line = &self.lines[number as usize];
        if let Some(at) = *reserved
            && at.slot >= MAIN_SLOTS
            && (scanned.is_frozen() || Link::unpack(line.link.load(Ordering::Acquire)) != at.link)
        {
            // The pair it is in is not this line's any more.
            self.vacate(at);
            *reserved = None;
        }
        if reserved.is_none() {
            *reserved = self.take_vacant(number, scanned, slot, shard);
        }
        reserved.ok_or_else(|| self.why_none(number, scanned))
    }

    /// Makes a reserved slot part of its line, if the header still is `scanned`, under which the caller
    /// did not find the key. If not: scan again; the reservation stays.
    #[inline]
    pub(crate) fn publish(&self, at: SlotRef, scanned: Header) -> bool {
        let line = &self.lines[at.line as usize];
        // AcqRel (edge "publish"): the flight is written before; what the line's next owner sees
        // comes after. Relaxed on failure: scan again.
        let publish = line.header.compare_exchange(
            scanned.0,
            scanned.with(at.slot).0,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        publish.is_ok()
    }

    /// Gives back a reservation that will not be published.
    pub(crate) fn unreserve(&self, reserved: Option<SlotRef>) {
        let Some(at) = reserved else { return };
        self.vacate(at);
        if at.slot >= MAIN_SLOTS {
            // The pair may have been put on for this alone. Only here, where the caller is done:
            // two that go on trying would take each other's off for ever.
            self.take_pair_off(at.line);
        }
    }

    fn vacate(&self, at: SlotRef) {
        // Release: whoever reserves it next comes after us. Nobody else writes a reservation
        // (slot.4), nor a dead slot (slot.3).
        self.word(at).store(Slot::Vacant.pack(), Ordering::Release);
    }

    /// Takes the key of a published slot out of the table. `Err` has what is there instead.
    pub(crate) fn remove(&self, at: SlotRef, from: Slot) -> Result<(), Slot> {
        let Place { tag, .. } = Hit::new(at, from).place();
        self.change(at, from, Slot::Dead { tag })?;
        let line = &self.lines[at.line as usize];
        // AcqRel: the next scan of the line sees the slot gone, and ours is after what is there.
        // Cannot fail: the closure refuses nothing. We alone clear this bit (slot.3).
        let before = line
            .header
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |header| {
                Some(Header(header).without(at.slot).0)
            })
            .unwrap_or_default();
        self.vacate(at);
        if at.slot >= MAIN_SLOTS && !Header(before).without(at.slot).has_overflow() {
            self.take_pair_off(at.line);
        }
        Ok(())
    }

    /// Claims a vacant slot of the line, without making it part of the table.
    fn take_vacant(&self, number: u32, scanned: Header, to: Slot, shard: usize) -> Option<SlotRef> {
        let line = &self.lines[number as usize];
        // By bits: which slot is vacant is as unpredictable as which one matches.
        let mut left = !scanned.live() & Header::MAIN;
        while left != 0 {
            let slot = left.trailing_zeros();
            left &= left - 1;
            if Self::take(&line.slots[slot as usize], to) {
                return Some(SlotRef { line: number, slot, link: Link::NONE });
            }
        }
        if scanned.is_frozen() {
            return None;
        }
        let link = self.pairs.attach(&line.link, shard)?;
        for (index, word) in (MAIN_SLOTS..).zip(self.pairs.get(link)?) {
            if !scanned.is_live(index) && Self::take(word, to) {
                return Some(SlotRef { line: number, slot: index, link });
            }
        }
        None
    }

    fn take(word: &AtomicU64, slot: Slot) -> bool {
        // Relaxed: a look before the CAS. Acquire: after whoever vacated it; nothing is published
        // yet, the header does that.
        word.load(Ordering::Relaxed) == 0
            && word.compare_exchange(0, slot.pack(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Slots of the line itself that are not vacant. For tests.
    #[cfg(all(test, not(idem_loom)))]
    pub(crate) fn slots_taken(&self, number: u32) -> usize {
        let slots = &self.lines[number as usize].slots;
        slots.iter().filter(|slot| slot.load(Ordering::Relaxed) != 0).count()
    }

    /// Why nothing could be reserved: the line is in the middle of a change, or it is full.
    fn why_none(&self, number: u32, scanned: Header) -> NoSlot {
        if scanned.is_frozen() {
            self.take_pair_off(number);
            return NoSlot::Changed;
        }
        let line = &self.lines[number as usize];
        let unchanged = line.header.load(Ordering::Acquire) == scanned.0;
        if unchanged { NoSlot::Full } else { NoSlot::Changed }
    }

    #[inline(always)]
    fn word(&self, at: SlotRef) -> &AtomicU64 {
        if at.slot < MAIN_SLOTS {
            return &self.lines[at.line as usize].slots[at.slot as usize];
        }
        self.pairs.slot(at.link, at.slot - MAIN_SLOTS)
    }
}

/// The hits of one scan.
pub(crate) struct Scan<'a> {
    table: &'a Table,
    line: u32,
    pub(crate) header: Header,
    link: Link,
    left: u64,
}

impl Scan<'_> {
    /// Whether it found nothing.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Adds the wanted ones among the live slots of the overflow pair.
    #[inline(never)]
    fn add_pair(&mut self, wanted: impl Fn(u64) -> bool) {
        // Acquire: pairs with the CAS that put the pair on.
        let link = self.table.lines[self.line as usize].link.load(Ordering::Acquire);
        self.link = Link::unpack(link);
        let Some(pair) = self.table.pairs.get(self.link) else { return };
        let mut left = self.header.live() >> MAIN_SLOTS;
        while left != 0 {
            let slot = left.trailing_zeros();
            left &= left - 1;
            // Acquire: as in `scan_for`.
            let word = pair[slot as usize].load(Ordering::Acquire);
            self.left |= u64::from(wanted(word)) << (MAIN_SLOTS + slot);
        }
    }

    /// The word is read again rather than kept: hits are validated anyway, and six words to keep cost
    /// each claim more than one to read.
    #[inline(always)]
    fn hit(&self, at: SlotRef) -> Hit {
        self.table.look(at)
    }
}

impl Iterator for Scan<'_> {
    type Item = Hit;

    #[inline]
    fn next(&mut self) -> Option<Hit> {
        if self.left == 0 {
            return None;
        }
        let slot = self.left.trailing_zeros();
        self.left &= self.left - 1;
        let link = if slot < MAIN_SLOTS { Link::NONE } else { self.link };
        Some(self.hit(SlotRef { line: self.line, slot, link }))
    }
}

const _: () = assert!(PAIR_SLOTS * 8 == 128);
