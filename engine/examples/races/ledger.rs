//! Plain words, one for each key: written by its owner and nobody else.

use std::cell::UnsafeCell;

/// What ThreadSanitizer looks at to see that owners of a key come one after the other (K3): two
/// that are not ordered, by the engine and by it alone, race for the key's word.
pub(crate) struct Ledger(Box<[UnsafeCell<u64>]>);

// SAFETY: K3 (a key has one owner at a time, who comes after the one before). That it is so is what
// the program is to show.
unsafe impl Sync for Ledger {}

impl Ledger {
    pub(crate) fn new(key_count: usize) -> Self {
        Self((0..key_count).map(|_| UnsafeCell::new(0)).collect())
    }

    /// Notes one execution; by the owner of the key.
    pub(crate) fn add_one(&self, key: usize) {
        let word = self.0[key].get();
        // SAFETY: K3, as above.
        unsafe { *word += 1 };
    }

    /// Executions noted, when no thread is there any more to note one.
    pub(crate) fn into_counts(self) -> Vec<u64> {
        self.0.into_iter().map(UnsafeCell::into_inner).collect()
    }
}
