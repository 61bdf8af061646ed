//! A check of who is ordered after whom, for models.

/// Tells the models who reads and who writes a piece of memory that has one owner at a time, or many
/// readers: they fail if one access is not ordered after another that it conflicts with. Elsewhere
/// it is nothing.
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
    }

    #[inline]
    pub(crate) fn write(&self) {
        #[cfg(idem_loom)]
        self.cell.with_mut(|_| ());
    }
}
