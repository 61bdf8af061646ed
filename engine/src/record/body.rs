//! What an owner hands in: bytes, which are copied into the arena, or a handle to a value.

use crate::memory::arena::{Arena, Granule};
use crate::realms::Realm;
use crate::record::response::granules_for;
use crate::record::value::Handle;
use crate::sync::Ordering;

/// The body of a response, as it is written. Bytes do not pay for there being values: what is done with
/// a body is compiled for each kind of it.
pub(crate) trait Body: Copy {
    /// Whether the response has a handle, not bytes.
    const IS_BY_HANDLE: bool;

    /// Bytes; or what the value weighs.
    fn length(self) -> usize;

    /// Granules of the arena that the response takes, its header included.
    fn size(self) -> u32;

    /// Granules that it takes of the budget.
    fn cost(self) -> u32;

    /// Writes what comes after the header, from `loc` on. The caller alone has the run.
    fn write(self, arena: &Arena, loc: u32, realm: Realm);
}

impl Body for &[u8] {
    const IS_BY_HANDLE: bool = false;

    #[inline]
    fn length(self) -> usize {
        self.len()
    }

    #[inline]
    fn size(self) -> u32 {
        // Within the limit of one response it fits.
        granules_for(self.len()) as u32
    }

    #[inline]
    fn cost(self) -> u32 {
        self.size()
    }

    #[inline]
    fn write(self, arena: &Arena, loc: u32, _: Realm) {
        arena.write_bytes(loc, self);
    }
}

/// A value that the caller holds for as long as it hands this in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByHandle {
    pub(crate) value: Handle,
    pub(crate) weight: usize,
    /// The first of its bytes, if it stands for bytes; these are its weight.
    pub(crate) bytes: *const u8,
}

/// Where they are in the granule after the header.
const HANDLE: usize = 0;
const BYTES: usize = 1;

impl ByHandle {
    /// Granules of a response with a handle: one for the header, one for the handle.
    pub(crate) const SIZE: u32 = 2;

    /// Granules that the weight takes of the budget, besides those of the response.
    fn charge(self) -> u32 {
        self.weight.div_ceil(Granule::BYTES) as u32
    }

    /// The handle in a granule of a response that the caller holds, or has alone.
    pub(crate) fn handle(granule: &Granule) -> Handle {
        granule.watch.read();
        // Relaxed: immutable since before the response was published (response.3).
        Handle::from_bits(granule.words[HANDLE].load(Ordering::Relaxed))
    }

    /// Where the bytes begin that the value stands for, if it does.
    #[cfg(not(idem_loom))]
    pub(crate) fn bytes(granule: &Granule) -> *const u8 {
        granule.watch.read();
        // Relaxed: as above.
        core::ptr::with_exposed_provenance(granule.words[BYTES].load(Ordering::Relaxed) as usize)
    }
}

impl Body for ByHandle {
    const IS_BY_HANDLE: bool = true;

    fn length(self) -> usize {
        self.weight
    }

    fn size(self) -> u32 {
        Self::SIZE
    }

    fn cost(self) -> u32 {
        // Once for a value: where it was not stored after all, its weight is counted until its owner
        // lets go of it, or hands it in again.
        Self::SIZE + if self.value.is_charged() { 0 } else { self.charge() }
    }

    fn write(self, arena: &Arena, loc: u32, realm: Realm) {
        // The response is a holder from here on (value.1).
        self.value.hold();
        if !self.value.is_charged() {
            self.value.set_charge(realm, self.charge());
        }
        let granule = arena.granule(loc);
        granule.watch.write();
        // Relaxed: published with the response (response.3).
        granule.words[HANDLE].store(self.value.bits(), Ordering::Relaxed);
        granule.words[BYTES].store(self.bytes.expose_provenance() as u64, Ordering::Relaxed);
    }
}
