//! Numbers for threads.
//!
//! Edge "thread number": what a thread did with what only its number reaches comes before whatever
//! the next thread with that number does.

#[cfg(idem_loom)]
pub(crate) use loom::thread_local;
#[cfg(not(idem_loom))]
pub(crate) use std::thread_local;

/// The number of the calling thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Thread {
    /// Small. Threads may share it, so it only spreads load.
    pub(crate) number: u32,
    /// No other living thread has it. Whoever gets it next comes after all that this thread did.
    pub(crate) is_exclusive: bool,
}

/// Numbers that one thread has at a time, the lowest; the others are shared.
pub(crate) const EXCLUSIVE_NUMBERS: u32 = if cfg!(idem_loom) { 0 } else { u64::BITS };

#[cfg(not(idem_loom))]
mod imp {
    use core::cell::Cell;

    use super::{EXCLUSIVE_NUMBERS, Thread};
    use crate::sync::{AtomicU32, AtomicU64, Ordering};

    /// Which of the lowest numbers are taken.
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    static NEXT: AtomicU32 = AtomicU32::new(EXCLUSIVE_NUMBERS);

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
            // What runs later in this thread, destructors of other locals, has a shared number.
            let number = NUMBER.replace(EXCLUSIVE_NUMBERS);
            if number < EXCLUSIVE_NUMBERS {
                // Release (edge "thread number"): pairs with `take`.
                TAKEN.fetch_and(!(1 << number), Ordering::Release);
            }
        }
    }

    #[inline]
    pub(crate) fn current() -> Thread {
        let mut number = NUMBER.get();
        if number == NONE {
            number = first_call();
        }
        Thread { number, is_exclusive: number < EXCLUSIVE_NUMBERS }
    }

    #[cold]
    fn first_call() -> u32 {
        // Without its guard nobody would give the number back.
        let number = GUARD.try_with(|_| take()).unwrap_or(EXCLUSIVE_NUMBERS);
        NUMBER.set(number);
        number
    }

    fn take() -> u32 {
        // Acquire (edge "thread number"): pairs with `Guard`.
        let lowest_free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        match TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, lowest_free) {
            Ok(taken) => taken.trailing_ones(),
            // Relaxed: nothing is published through it. Shared numbers begin above the exclusive
            // ones; `max` keeps them there when the count wraps.
            Err(_) => NEXT.fetch_add(1, Ordering::Relaxed).max(EXCLUSIVE_NUMBERS),
        }
    }
}

#[cfg(idem_loom)]
mod imp {
    /// Models run on one shard, and share what threads otherwise have alone: the harder case.
    pub(crate) fn current() -> super::Thread {
        super::Thread { number: 0, is_exclusive: false }
    }
}

pub(crate) use imp::current;
