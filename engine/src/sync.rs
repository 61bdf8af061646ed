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

/// A number for the calling thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Thread {
    /// Small. Threads may share it, so it only spreads load.
    pub(crate) number: u32,
    /// No other living thread has it. Whoever gets it next comes after all that this thread did.
    pub(crate) is_alone: bool,
}

/// Threads that can have a number alone; theirs are the lowest.
pub(crate) const THREADS_ALONE: u32 = if cfg!(idem_loom) { 0 } else { u64::BITS };

#[cfg(not(idem_loom))]
mod thread {
    use core::cell::Cell;
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use super::{THREADS_ALONE, Thread};

    /// Which of the lowest numbers are taken.
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    static NEXT: AtomicU32 = AtomicU32::new(THREADS_ALONE);

    const NONE: u32 = u32::MAX;

    std::thread_local! {
        // Without a destructor, so that it can be read to the very end of the thread.
        static NUMBER: Cell<u32> = const { Cell::new(NONE) };
        static GUARD: Guard = const { Guard };
    }

    /// Gives the number back as the thread ends.
    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            let number = NUMBER.replace(THREADS_ALONE);
            if number < THREADS_ALONE {
                // Release: pairs with `take`.
                TAKEN.fetch_and(!(1 << number), Ordering::Release);
            }
        }
    }

    #[inline]
    pub(crate) fn thread() -> Thread {
        let mut number = NUMBER.get();
        if number == NONE {
            number = first_call();
        }
        Thread { number, is_alone: number < THREADS_ALONE }
    }

    #[cold]
    fn first_call() -> u32 {
        // Without its guard nobody would give the number back.
        let number = GUARD.try_with(|_| take()).unwrap_or(THREADS_ALONE);
        NUMBER.set(number);
        number
    }

    fn take() -> u32 {
        // Acquire: what the number's last owner did comes before (see `Guard`).
        let lowest_free = |taken: u64| (taken != u64::MAX).then_some(taken | (taken + 1));
        match TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, lowest_free) {
            Ok(taken) => taken.trailing_ones(),
            // Relaxed: nothing is published through it. Far above any number of threads, it stays
            // above those that are alone when it wraps.
            Err(_) => NEXT.fetch_add(1, Ordering::Relaxed).max(THREADS_ALONE),
        }
    }
}

#[cfg(idem_loom)]
mod thread {
    /// Models run on one shard, and share what threads otherwise have alone: the harder case.
    pub(crate) fn thread() -> super::Thread {
        super::Thread { number: 0, is_alone: false }
    }
}

pub(crate) use thread::thread;

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
