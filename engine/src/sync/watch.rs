//! A check of who is ordered after whom, for models and for ThreadSanitizer.

/// Says who reads and who writes a piece of memory that has one owner at a time, or many readers.
/// The models fail, and ThreadSanitizer reports, if one access is not ordered after another that it
/// conflicts with. Elsewhere it is nothing.
#[derive(Default)]
pub(crate) struct Watch {
    #[cfg(idem_loom)]
    cell: loom::cell::UnsafeCell<()>,
}

// SAFETY: the cell holds nothing; loom makes of it a check of who is ordered after whom.
#[cfg(idem_loom)]
unsafe impl Sync for Watch {}

impl Watch {
    #[inline]
    pub(crate) fn read(&self) {
        #[cfg(idem_loom)]
        self.cell.with(|_| ());
        #[cfg(idem_tsan)]
        tsan::read(self);
    }

    #[inline]
    pub(crate) fn write(&self) {
        #[cfg(idem_loom)]
        self.cell.with_mut(|_| ());
        #[cfg(idem_tsan)]
        tsan::write(self);
    }
}

/// ThreadSanitizer lets atomic accesses meet, however weak their order. So it is told of plain
/// ones: not of the watched words, which others may guess at (arena.1, response.4), but of a word
/// that stands for them.
#[cfg(idem_tsan)]
mod tsan {
    use super::Watch;
    use crate::sync::AtomicU32;

    // What the compiler calls before each access of four bytes.
    unsafe extern "C" {
        fn __tsan_read4(address: *const AtomicU32);
        fn __tsan_write4(address: *const AtomicU32);
    }

    /// Watches are as far apart, at least.
    const DISTANCE: usize = 64;
    /// So many in a row have a word each; of 64 MiB of responses, then.
    const COUNT: usize = 1 << 20;

    static WORDS: [AtomicU32; COUNT] = [const { AtomicU32::new(0) }; COUNT];

    fn word(watch: &Watch) -> &'static AtomicU32 {
        &WORDS[core::ptr::from_ref(watch).addr() / DISTANCE % COUNT]
    }

    #[inline]
    pub(super) fn read(watch: &Watch) {
        // SAFETY: it only looks at the sanitizer's own books.
        unsafe { __tsan_read4(word(watch)) };
    }

    #[inline]
    pub(super) fn write(watch: &Watch) {
        // SAFETY: as above.
        unsafe { __tsan_write4(word(watch)) };
    }
}
