//! The arena: where responses live, in granules of one cache line.
//!
//! It has a quarter more granules than the byte limit allows to be in use, and a page, so resident
//! memory is within 1.25 times the limit by construction. Where what lives is scattered so that a run
//! is missing, `protocol::compaction` makes one.
//!
//! arena.1  Granules are reached only by whoever allocated them, or holds the response in them
//!     (response.2), but for guesses at an id (`head_id`), which are words read one by one and
//!     believed only once a slot confirms them. So a run may become anything next.

use crate::memory::bitmap::Bitmap;
use crate::memory::pages::Paged;
use crate::memory::region::{Region, Zeroed, prefetch};
use crate::record::response::ID;
use crate::sync::watch::Watch;
use crate::sync::{AtomicU64, Ordering};

/// One cache line of the arena.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct Granule {
    pub(crate) words: [AtomicU64; 8],
    /// Written by its owner, and when it is freed; read by those who hold the response (arena.1).
    pub(crate) watch: Watch,
}

impl Granule {
    pub(crate) const BYTES: usize = 64;

    #[inline]
    fn write(&self, bytes: &[u8; Self::BYTES]) {
        let (chunks, _) = bytes.as_chunks::<8>();
        // Relaxed: published with the response (response.3). Word by word and atomic,
        // so that models see it.
        for (word, chunk) in self.words.iter().zip(chunks) {
            word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
    }

    #[inline]
    fn read(&self, bytes: &mut [u8; Self::BYTES]) {
        let (chunks, _) = bytes.as_chunks_mut::<8>();
        for (word, chunk) in self.words.iter().zip(chunks) {
            // Relaxed: the reader validates (edge "glance").
            *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
        }
    }
}

// SAFETY: region.1 (integer atomics).
unsafe impl Zeroed for Granule {}

/// See the module.
pub(crate) struct Arena {
    granules: Region<Granule>,
    in_use: Bitmap,
}

#[cfg(idem_asan)]
impl Drop for Arena {
    /// What is mapped here next is not poisoned.
    fn drop(&mut self) {
        poison::unpoison(&self.granules);
    }
}

impl Arena {
    pub(crate) fn new(granule_count: u32, shard_count: u32) -> Option<Self> {
        let granules = Region::new(granule_count as usize)?;
        // 64 words a chunk: 256 KiB of responses, so that a shard walks memory in order.
        let in_use = Bitmap::new(granule_count, 1, 64, shard_count)?;
        poison::poison(&granules);
        Some(Self { granules, in_use })
    }

    /// What `Pages` may back, before anybody uses it.
    pub(crate) fn regions(&mut self) -> Vec<&mut dyn Paged> {
        vec![&mut self.granules, self.in_use.region()]
    }

    /// A run of `size` granules; 0 is never one.
    pub(crate) fn alloc(&self, size: u32, shard: usize) -> Option<u32> {
        let loc = self.in_use.alloc(size, shard)?;
        self.open(loc, size);
        Some(loc)
    }

    /// Takes what is free from `from` on, before `to`, for a run in the making; see `open`.
    pub(crate) fn take_free(&self, from: u32, to: u32) -> u32 {
        self.in_use.take_free(from, to)
    }

    /// The beginning of a run of `size` granules that has few in use, among some from `from` on; and
    /// where to look next.
    pub(crate) fn sparsest_run(&self, size: u32, from: u32) -> (Option<u32>, u32) {
        self.in_use.sparsest_run(size, from)
    }

    /// Makes a run that was put together accessible; it is the caller's.
    pub(crate) fn open(&self, loc: u32, size: u32) {
        poison::unpoison(&self.granules[loc as usize..(loc + size) as usize]);
    }

    /// What the id would be of a response that begins at `loc`. Only a guess: what lies there is not
    /// the caller's, and may change meanwhile.
    pub(crate) fn head_id(&self, loc: u32) -> Option<[u64; 2]> {
        let granule = &self.granules[loc as usize];
        // Relaxed: a guess.
        let word = |index: usize| granule.words[index].load(Ordering::Relaxed);
        (!poison::is_poisoned(granule)).then(|| [word(ID), word(ID + 1)])
    }

    /// Gives a run back; nobody holds what was in it (arena.1).
    pub(crate) fn free(&self, loc: u32, size: u32) {
        let run = &self.granules[loc as usize..(loc + size) as usize];
        run.iter().for_each(|granule| granule.watch.write());
        poison::poison(run);
        self.in_use.free(loc, size);
    }

    /// Begins to bring a granule into the cache, if there is one of that number.
    #[inline]
    pub(crate) fn prefetch(&self, loc: u32) {
        if let Some(granule) = self.granules.get(loc as usize) {
            prefetch(granule);
        }
    }

    #[inline]
    pub(crate) fn granule(&self, loc: u32) -> &Granule {
        &self.granules[loc as usize]
    }

    /// Granules in use. For tests and reports.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u32 {
        self.in_use.used()
    }

    /// Copies `bytes` to the granules from `loc`. The caller alone has them (arena.1).
    pub(crate) fn write_bytes(&self, loc: u32, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks::<{ Granule::BYTES }>();
        let granules = &self.granules[loc as usize..];
        for (granule, chunk) in granules.iter().zip(whole) {
            granule.write(chunk);
        }
        if !rest.is_empty() {
            let mut padded = [0; Granule::BYTES];
            padded[..rest.len()].copy_from_slice(rest);
            granules[whole.len()].write(&padded);
        }
    }

    /// Copies `length` bytes from `loc` to the end of `into`, for a reader that holds nothing: what it
    /// gets may be of several responses, until it has been seen that it is not (response.4).
    #[inline]
    pub(crate) fn copy_bytes(&self, loc: u32, length: usize, into: &mut Vec<u8>) {
        let size = length.div_ceil(Granule::BYTES);
        let begin = into.len();
        // Written where they are to be: what goes through a buffer on the stack is slow to load again
        // while it is still being written.
        into.resize(begin + size * Granule::BYTES, 0);
        let (chunks, _) = into[begin..].as_chunks_mut();
        for (granule, chunk) in self.granules[loc as usize..][..size].iter().zip(chunks) {
            granule.read(chunk);
        }
        into.truncate(begin + length);
    }

    /// `length` bytes from `loc`.
    ///
    /// # Safety
    /// The caller holds the response they belong to (response.2), for as long as the slice is used.
    #[cfg(not(idem_loom))]
    #[inline]
    pub(crate) unsafe fn bytes(&self, loc: u32, length: usize) -> &[u8] {
        if length == 0 {
            return &[];
        }
        let run = &self.granules[loc as usize..][..length.div_ceil(Granule::BYTES)];
        // SAFETY: response.2, response.3 (the run is allocated, initialised and no longer written
        // to), and the slice above checked that it lies within the arena.
        unsafe { core::slice::from_raw_parts(run.as_ptr().cast::<u8>(), length) }
    }
}

/// Under AddressSanitizer free granules are poisoned, so that a stray access is caught although the
/// memory stays mapped.
#[cfg(idem_asan)]
mod poison {
    use super::Granule;

    unsafe extern "C" {
        fn __asan_poison_memory_region(address: *const core::ffi::c_void, size: usize);
        fn __asan_unpoison_memory_region(address: *const core::ffi::c_void, size: usize);
        fn __asan_address_is_poisoned(address: *const core::ffi::c_void) -> core::ffi::c_int;
    }

    pub(super) fn is_poisoned(granule: &Granule) -> bool {
        // SAFETY: it only looks at the sanitizer's own books.
        unsafe { __asan_address_is_poisoned(core::ptr::from_ref(granule).cast()) != 0 }
    }

    pub(super) fn poison(granules: &[Granule]) {
        // SAFETY: arena.1 (the range is the engine's and nobody's response).
        unsafe {
            __asan_poison_memory_region(granules.as_ptr().cast(), size_of_val(granules));
        }
    }

    pub(super) fn unpoison(granules: &[Granule]) {
        // SAFETY: as above.
        unsafe {
            __asan_unpoison_memory_region(granules.as_ptr().cast(), size_of_val(granules));
        }
    }
}

#[cfg(not(idem_asan))]
mod poison {
    use super::Granule;

    pub(super) fn is_poisoned(_: &Granule) -> bool {
        false
    }

    pub(super) fn poison(_: &[Granule]) {}
    pub(super) fn unpoison(_: &[Granule]) {}
}
