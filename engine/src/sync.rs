//! The one file that names atomics and threads.
//!
//! Everything in the engine reaches them through here, so that the loom models (`--cfg idem_loom`)
//! drive the shipped modules and not a copy. `clippy.toml` forbids the types anywhere else.
#![cfg_attr(
    not(idem_loom),
    expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "this file is the facade the rules point to"
    )
)]

#[cfg(not(idem_loom))]
use core::sync::atomic as imp;
#[cfg(idem_loom)]
use loom::sync::atomic as imp;

pub(crate) use imp::Ordering;
// Aliases rather than re-exports: the rule is about the original names.
pub(crate) type AtomicBool = imp::AtomicBool;
pub(crate) type AtomicU32 = imp::AtomicU32;
pub(crate) type AtomicU64 = imp::AtomicU64;

/// A fence; see the atomics' own documentation.
#[inline]
pub(crate) fn fence(order: Ordering) {
    imp::fence(order);
}

#[cfg(not(idem_loom))]
mod thread_number {
    use core::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    std::thread_local! {
        // Relaxed: a number, nothing is published through it.
        static NUMBER: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }

    /// A small number of the calling thread. It only spreads load: two threads may share one.
    ///
    /// While a thread's locals are being destroyed it answers 0 instead of panicking.
    #[inline]
    pub(crate) fn thread_number() -> u32 {
        NUMBER.try_with(|n| *n).unwrap_or(0)
    }
}

#[cfg(idem_loom)]
mod thread_number {
    /// Models run on one shard: sharing is the harder case.
    pub(crate) fn thread_number() -> u32 {
        0
    }
}

pub(crate) use thread_number::thread_number;

/// Tells the processor (or the model) that this thread waits for another to move on.
#[cfg(idem_loom)]
pub(crate) fn yield_now() {
    loom::thread::yield_now();
}

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

/// Loom takes SeqCst accesses for AcqRel; where one order of all of them matters, this fence says so
/// to the model. Elsewhere it is nothing.
#[inline]
pub(crate) fn model_fence() {
    #[cfg(idem_loom)]
    fence(Ordering::SeqCst);
}
