//! Claims and completions by the batch.
//!
//! Each is what it is alone, one after the other in the order given; nothing of it is one step. What is
//! gained is that the cache misses of a window overlap: first all lines of the table are asked for,
//! then all records that these name, and only then is anything decided.

use crate::memory::region::prefetch;
use crate::outcome::{Completion, Stale};
use crate::protocol::claim::{Ask, Claimed, Refusal};
use crate::protocol::{Core, Ending, Held};
use crate::table::slot::Slot;
use crate::table::{Place, Seat};

/// Claims that are looked at together: as many cache misses as a processor has under way at a time, or a
/// few more.
pub(crate) const WINDOW: usize = 16;

impl Core {
    /// Claims what each of `items` asks for, and settles each in turn.
    pub(crate) fn claim_batch<T>(
        &self,
        items: &[T],
        ask: impl Fn(&T) -> &Ask,
        mut settle: impl FnMut(&Ask, Claimed),
    ) {
        for window in items.chunks(WINDOW) {
            let mut places = [Place::default(); WINDOW];
            for (place, item) in places.iter_mut().zip(window) {
                *place = self.place(ask(item).identity.id);
                self.table.prefetch(place.line);
            }
            // One clock for the window: it may lag by what the window takes, which can only delay an
            // end; what ends a lease reads the clock itself (K7).
            let now = self.clock.now();
            for place in &places[..window.len()] {
                self.prefetch_record(*place);
            }
            for (place, item) in places.iter().zip(window) {
                let mut claimed = Claimed::Refused(Refusal::Closed);
                self.claim_at(*place, ask(item), now, &mut claimed);
                settle(ask(item), claimed);
            }
        }
    }

    /// Begins to bring in what the first slot with the tag names.
    #[inline]
    fn prefetch_record(&self, place: Place) {
        match self.table.scan(place).first().map(|hit| hit.slot()) {
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
    pub(crate) fn complete_batch<'a, T: 'a>(
        &self,
        items: &'a [T],
        of: impl Fn(&'a T) -> (Held, Ending<'a>),
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
