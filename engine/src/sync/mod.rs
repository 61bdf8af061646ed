//! The one place that names atomics.
//!
//! Everything in the engine reaches them through here, so that the loom models (`--cfg idem_loom`)
//! drive the shipped modules and not a copy, and that a thread can be stopped at each access
//! (`--cfg idem_pause`). `clippy.toml` forbids the types anywhere else.
#![cfg_attr(
    not(idem_loom),
    expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "this file is the facade the rules point to"
    )
)]

pub(crate) mod atomic_box;
#[cfg(idem_pause)]
pub(crate) mod pause;
pub(crate) mod thread;
pub(crate) mod watch;

#[cfg(not(any(idem_loom, idem_pause)))]
use core::sync::atomic as imp;
#[cfg(idem_loom)]
use loom::sync::atomic as imp;
#[cfg(idem_pause)]
use pause as imp;

pub(crate) use imp::Ordering;
// Aliases rather than re-exports: the rule is about the original names.
pub(crate) type AtomicU32 = imp::AtomicU32;
pub(crate) type AtomicU64 = imp::AtomicU64;
pub(crate) type AtomicPtr<T> = imp::AtomicPtr<T>;

/// A fence; see the atomics' own documentation.
#[inline]
#[cfg_attr(idem_pause, track_caller)]
pub(crate) fn fence(order: Ordering) {
    imp::fence(order);
}

/// An Acquire fence after a step on `word`: whatever was released to that word before the step
/// comes before all that follows.
///
/// ThreadSanitizer does not know fences; it gets a load of the word, which says the same to it.
#[inline]
#[cfg_attr(idem_pause, track_caller)]
pub(crate) fn acquire_fence(word: &AtomicU64) {
    if cfg!(idem_tsan) {
        word.load(Ordering::Acquire);
    } else {
        fence(Ordering::Acquire);
    }
}

/// Lets the model run another thread, which this one waits for.
#[cfg(idem_loom)]
pub(crate) fn yield_now() {
    loom::thread::yield_now();
}

/// For models only; elsewhere it is nothing.
///
/// Loom takes SeqCst accesses for `AcqRel`; where one order of all of them matters, this fence says so
/// to the model. And where a call looks again after a step that failed, it keeps the model from
/// exploring views that are older than what made the step fail.
#[inline]
pub(crate) fn model_fence() {
    #[cfg(idem_loom)]
    fence(Ordering::SeqCst);
}
