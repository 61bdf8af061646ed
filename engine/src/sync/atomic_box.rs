//! A box that threads hand to each other: put in and taken out by a swap of its pointer.
//!
//! atomic_box.1  A pointer in the word came from `Box::into_raw`, and whoever swaps it out has it alone.

use super::{AtomicPtr, Ordering};

/// A boxed value, or none. Zeroed it is none.
pub(crate) struct AtomicBox<T>(AtomicPtr<T>);

impl<T> Default for AtomicBox<T> {
    fn default() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }
}

impl<T> AtomicBox<T> {
    pub(crate) fn new(value: Box<T>) -> Self {
        Self(AtomicPtr::new(Box::into_raw(value)))
    }

    /// Puts a value in, or none, and returns what was there.
    pub(crate) fn swap(&self, value: Option<Box<T>>) -> Option<Box<T>> {
        let new = value.map_or(core::ptr::null_mut(), Box::into_raw);
        // AcqRel: the value is written before it is taken.
        let old = self.0.swap(new, Ordering::AcqRel);
        // SAFETY: atomic_box.1.
        (!old.is_null()).then(|| unsafe { Box::from_raw(old) })
    }

    pub(crate) fn take(&self) -> Option<Box<T>> {
        self.swap(None)
    }

    /// Whether there was nothing in it, for whoever alone puts something in.
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: nothing is read through it.
        self.0.load(Ordering::Relaxed).is_null()
    }
}

impl<T> Drop for AtomicBox<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

// SAFETY: atomic_box.1 (it is shared as a `Box` is sent: one thread at a time has the value).
unsafe impl<T: Send> Send for AtomicBox<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for AtomicBox<T> {}
