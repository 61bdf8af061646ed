//! What the engine remembers of one key: the flight while its owner executes, the response after.
//!
//! Each file is one word or one structure, with who may change it and when.

pub(crate) mod body;
pub(crate) mod fate;
pub(crate) mod flight;
pub(crate) mod response;
pub(crate) mod term;
pub(crate) mod value;

/// A bit field of a 64-bit word: `WIDTH` bits from bit `SHIFT`.
///
/// Layouts are chains of these, so that two fields cannot overlap by mistake: each starts where the
/// one before it ends.
pub(crate) struct Field<const SHIFT: u32, const WIDTH: u32>;

impl<const SHIFT: u32, const WIDTH: u32> Field<SHIFT, WIDTH> {
    /// The first bit after this field.
    pub(crate) const END: u32 = {
        assert!(SHIFT + WIDTH <= 64);
        SHIFT + WIDTH
    };
    /// The greatest value that fits.
    pub(crate) const MAX: u64 = (1 << WIDTH) - 1;

    /// `value`'s low bits, in place.
    #[inline]
    pub(crate) const fn put(value: u64) -> u64 {
        (value & Self::MAX) << SHIFT
    }

    #[inline]
    pub(crate) const fn get(word: u64) -> u64 {
        word >> SHIFT & Self::MAX
    }
}

/// Width of a point in time: milliseconds since the engine was built, 34 years.
pub(crate) const TIME_BITS: u32 = 40;
/// Width of a waiter node's number; 0 means none.
pub(crate) const NODE_BITS: u32 = 20;
/// Width of a granule's number in the arena.
pub(crate) const LOC_BITS: u32 = 32;

/// The greatest point in time; deadlines beyond are cut to it.
pub(crate) const TIME_MAX: u64 = (1 << TIME_BITS) - 1;
