//! Claims and completions by the batch.
//!
//! Each is what it is alone, one after the other in the order given; nothing of it is one step. What is
//! gained is that the cache misses of a window overlap: first all lines of the table are asked for,
//! then all records that these name, and only then is anything decided.

use crate::memory::region::prefetch;
use crate::outcome::{Completion, Stale};
use crate::protocol::claim::{Ask, Undecided};
use crate::protocol::{Core, Ending, Held};
use crate::record::body::Body;
use crate::table::slot::Slot;
use crate::table::{Hit, Place, Seat};

/// Claims that are looked at together: as many cache misses as a processor has under way at a time, or a
/// few more.
pub(crate) const WINDOW: usize = 16;

/// Where a window of claims found their keys, and what is being brought in meanwhile.
pub(crate) struct Prefetched {
    places: [Place; WINDOW],
    hits: [Option<Hit>; WINDOW],
    now: u64,
}

impl Core {
    /// Begins to bring in what claims of these keys, `WINDOW` of them at most, will look at.
    pub(crate) fn prefetch(&self, ids: impl Iterator<Item = [u64; 2]>) -> Prefetched {
        let mut places = [Place::default(); WINDOW];
        let mut count = 0;
        for (place, id) in places.iter_mut().zip(ids) {
            *place = self.place(id);
            self.table.prefetch(place.line);
            count += 1;
        }
        let mut hits = [None; WINDOW];
        for (hit, place) in hits.iter_mut().zip(&places[..count]) {
            *hit = self.table.first(*place);
            self.prefetch_record(*hit);
        }
        // One clock for the window, as in `seek`.
        Prefetched { places, hits, now: self.clock.now() }
    }

    /// As `seek`, of the claim at `index` of a window.
    #[inline(always)]
    pub(crate) fn seek_in(
        &self,
        window: &Prefetched,
        index: usize,
        ask: &Ask,
    ) -> Result<u32, Undecided> {
        let undecided = Undecided { place: window.places[index], now: window.now };
        self.seek_by(window.hits[index], undecided, ask)
    }

    /// Begins to bring in what a slot names.
    #[inline]
    fn prefetch_record(&self, hit: Option<Hit>) {
        match hit.map(Hit::slot) {
            Some(Slot::Done { loc, .. }) => {
                self.arena.prefetch(loc);
                // A caller reads the bytes next.
                self.arena.prefetch(loc + 1);
            }
            Some(Slot::Flight { flight, .. }) => prefetch(self.flights.get(flight)),
            _ => {}
        }
    }

    /// Ends the lease of each of `items` with its response, in turn.
    pub(crate) fn complete_batch<'a, T: 'a, B: Body>(
        &self,
        items: &'a [T],
        of: impl Fn(&'a T) -> (Held, Ending<B>),
        mut settle: impl FnMut(Result<Completion, Stale>),
    ) {
        for window in items.chunks(WINDOW) {
            for item in window {
                prefetch(self.flights.get(of(item).0.flight));
            }
            for item in window {
                let seat = Seat::unpack(self.flights.get(of(item).0.flight).seat());
                self.table.prefetch(seat.place().line);
            }
            for item in window {
                let (held, ending) = of(item);
                settle(self.complete(&held, ending));
            }
        }
    }
}
