//! The slot word: what one of a line's slots names.
//!
//! ```text
//!            63..52    51..50    49..0
//! Vacant     0         0         0
//! Flight     tag 12    1         flight 22 | tenancy 28 (low bits)
//! Done       tag 12    2         loc 32 | pins 18
//! Dead       tag 12    3         -
//! ```
//!
//! slot.1  A slot goes Vacant -> Flight (reserved) -> Vacant, or, published by the header, -> Done -> Dead ->
//!     Vacant, or Flight -> Dead, or in place Done -> Flight and Flight -> Flight for the same key.
//!     Done -> Done, with another count of pins or a copy of the same response.
//! slot.2  A slot that says Done is always published. One that says Flight may be a reservation: it
//!     is part of the table only if the header says so.
//! slot.3  Only whoever made a slot Dead clears its header bit, and then makes it Vacant.
//! slot.4  A reservation is written only by its maker, who publishes it or makes it Vacant.

use crate::record::{Field, LOC_BITS};

const FLIGHT: u64 = 1;
const DONE: u64 = 2;
const DEAD: u64 = 3;

type Tenancy = Field<0, 28>;
type FlightBits = Field<{ Tenancy::END }, 22>;
type Pins = Field<0, 18>;
type Loc = Field<{ Pins::END }, LOC_BITS>;
type Kind = Field<50, 2>;
type Tag = Field<{ Kind::END }, 12>;

const _: () = assert!(FlightBits::END == 50 && Loc::END == 50 && Tag::END == 64);

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    Vacant,
    Flight { tag: u64, flight: u32, tenancy: u64 },
    Done { tag: u64, loc: u32, pins: u64 },
    Dead { tag: u64 },
}

impl Slot {
    /// The greatest number of flights.
    pub(crate) const FLIGHT_COUNT_MAX: u64 = FlightBits::MAX + 1;
    /// The greatest number of pins a slot can count.
    pub(crate) const PINS_MAX: u64 = Pins::MAX;

    /// The tag of a placement: bits that do not choose the line.
    pub(crate) const fn tag(placement: u64) -> u64 {
        placement & Tag::MAX
    }

    /// What a slot keeps of a tenancy.
    pub(crate) const fn tenancy(tenancy: u64) -> u64 {
        tenancy & Tenancy::MAX
    }

    /// What names a flight, in this tenancy.
    pub(crate) fn of_flight(tag: u64, flight: u32, tenancy: u64) -> Self {
        Self::Flight { tag, flight, tenancy: Self::tenancy(tenancy) }
    }

    /// Whether the slot names this flight, in this tenancy.
    pub(crate) fn names(self, index: u32, of: u64) -> bool {
        matches!(self, Self::Flight { flight, tenancy, .. }
            if flight == index && tenancy == Self::tenancy(of))
    }

    /// Whether a raw word carries `tag`, without a branch.
    #[inline]
    pub(crate) const fn matches(word: u64, tag: u64) -> bool {
        Self::tag_of(word) == tag
    }

    /// Of a raw word: where the response is that it names.
    #[inline]
    pub(crate) const fn loc_of(word: u64) -> Option<u32> {
        if Kind::get(word) == DONE { Some(Loc::get(word) as u32) } else { None }
    }

    /// Of a raw word that names a response: the same with one pin more, as long as there are fewer than
    /// `high`.
    #[inline]
    pub(crate) const fn pinned(word: u64, high: u64) -> Option<u64> {
        if Kind::get(word) == DONE && Pins::get(word) + 1 < high {
            Some(word + Pins::put(1))
        } else {
            None
        }
    }

    /// The tag of a raw word.
    #[inline]
    pub(crate) const fn tag_of(word: u64) -> u64 {
        Tag::get(word)
    }

    #[inline(always)]
    pub(crate) fn pack(self) -> u64 {
        match self {
            Slot::Vacant => 0,
            Slot::Flight { tag, flight, tenancy } => {
                Tag::put(tag)
                    | Kind::put(FLIGHT)
                    | FlightBits::put(flight.into())
                    | Tenancy::put(tenancy)
            }
            Slot::Done { tag, loc, pins } => {
                Tag::put(tag) | Kind::put(DONE) | Loc::put(loc.into()) | Pins::put(pins)
            }
            Slot::Dead { tag } => Tag::put(tag) | Kind::put(DEAD),
        }
    }

    #[inline(always)]
    pub(crate) fn unpack(word: u64) -> Self {
        let tag = Tag::get(word);
        match Kind::get(word) {
            FLIGHT => Slot::Flight {
                tag,
                flight: FlightBits::get(word) as u32,
                tenancy: Tenancy::get(word),
            },
            DONE => Slot::Done { tag, loc: Loc::get(word) as u32, pins: Pins::get(word) },
            DEAD => Slot::Dead { tag },
            _ => Slot::Vacant,
        }
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn packing_round_trips() {
        for slot in [
            Slot::Vacant,
            Slot::Flight { tag: Tag::MAX, flight: FlightBits::MAX as u32, tenancy: Tenancy::MAX },
            Slot::Done { tag: 1, loc: u32::MAX, pins: Pins::MAX },
            Slot::Dead { tag: Tag::MAX },
        ] {
            assert_eq!(Slot::unpack(slot.pack()), slot);
        }
    }
}
