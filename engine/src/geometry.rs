//! The sizes of an engine's structures, all in one place.
//!
//! The builder derives them from the limits. Tests make them tiny, so that wrap-around, overflow
//! and `Full` really happen.

use crate::memory::arena::Granule;
use crate::memory::budget::Room;
use crate::realms::Realms;
use crate::record::fate::Fate;
use crate::record::flight::Flights;
use crate::record::{Field, NODE_BITS};
use crate::table::slot::Slot;
use crate::wheel::{Entry, Shape};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Places where threads allocate and count side by side.
    pub(crate) shards: u32,
    /// Keys with a record.
    pub(crate) records: u64,
    /// Records that the table's lines are laid out for.
    pub(crate) lines_for: u64,
    /// Flights there are.
    pub(crate) flights: u32,
    /// Waiters.
    pub(crate) waiters: u32,
    /// Granules that may be in use.
    pub(crate) granules: u64,
    /// Granules that there are.
    pub(crate) arena_granules: u32,
    /// Namespaces, and scopes that have limits.
    pub(crate) realms: u32,
    pub(crate) wheel: Shape,
    /// Bits of a lease's generation that are used.
    pub(crate) generation_mask: u64,
    /// Pins in a slot from which on they are moved to the response.
    pub(crate) pins_high: u64,
}

impl Geometry {
    /// The most waiters there can be.
    pub(crate) const WAITERS_MAX: usize = Field::<0, NODE_BITS>::MAX as usize - 1;
    /// The most records there can be.
    pub(crate) const RECORDS_MAX: usize = (Entry::LINE_COUNT_MAX - 1) as usize;
    /// The most bytes of responses there can be.
    pub(crate) const BYTES_MAX: u64 = (u32::MAX as u64 / 5 * 4 - 4096) * Granule::BYTES as u64;

    /// What may be in use of the two things that claims draw on.
    pub(crate) fn room(&self) -> Room {
        // Within the constants above both fit.
        let fit = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Room::of(fit(self.records), fit(self.granules))
    }

    /// For these limits, which the caller has checked against the constants above.
    pub(crate) fn for_limits(records: usize, bytes: u64, waiters: usize) -> Self {
        let threads = std::thread::available_parallelism().map_or(4, core::num::NonZero::get);
        let records = records as u64;
        let granules = bytes / Granule::BYTES as u64;
        // A quarter more than may be in use, and a page.
        let arena = granules + granules / 4 + 64;
        Self {
            shards: (threads as u32 * 2).clamp(2, 64).next_power_of_two(),
            records,
            lines_for: records,
            // One for each record, for each that is over but has waiters which have not looked, and
            // those that lie idle with threads; up to what a slot can name.
            flights: (records + waiters as u64 + 64 + u64::from(Flights::SPARE_COUNT))
                .min(Slot::FLIGHT_COUNT_MAX) as u32,
            waiters: waiters as u32,
            granules,
            arena_granules: arena.min(u32::MAX.into()) as u32,
            realms: Realms::COUNT_MAX,
            // 128^4 ms: 3 days; what has longer is looked at once in that time.
            wheel: Shape { slot_bits: 7, level_count: 4 },
            generation_mask: Fate::GENERATION_MAX,
            pins_high: Slot::PINS_MAX / 2,
        }
    }
}
