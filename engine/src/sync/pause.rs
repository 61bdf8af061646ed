//! Atomics at each access of which a thread can be stopped (`--cfg idem_pause`, `make pause`).
//!
//! Thin wrappers: each access first tells whoever watches the thread where it is about to happen,
//! and then is the ordinary one. The place is the caller's, so no access has to be named and none
//! can be forgotten. A thread that nobody watches pays for a look at a thread local.

use core::cell::RefCell;
use core::panic::Location;
use core::sync::atomic;
use std::sync::Arc;

pub(crate) use core::sync::atomic::Ordering;

/// What a thread is about to do, and where that is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Point {
    pub(crate) place: &'static Location<'static>,
    pub(crate) access: &'static str,
}

type Watcher = Arc<dyn Fn(Point) + Send + Sync>;

std::thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Runs `work`, and tells `watcher` of each access before it happens; it may keep the thread there.
#[cfg(test)]
pub(crate) fn watch<T>(watcher: Watcher, work: impl FnOnce() -> T) -> T {
    /// Also if the work panics.
    struct Watched;
    impl Drop for Watched {
        fn drop(&mut self) {
            WATCHER.set(None);
        }
    }
    WATCHER.set(Some(watcher));
    let _watched = Watched;
    work()
}

#[track_caller]
fn point(access: &'static str) {
    let place = Location::caller();
    // As the thread ends the local may be gone, and with it whoever watched.
    let watcher = WATCHER.try_with(|watcher| watcher.borrow().clone()).ok().flatten();
    if let Some(watcher) = watcher {
        watcher(Point { place, access });
    }
}

#[track_caller]
pub(crate) fn fence(order: Ordering) {
    point("fence");
    atomic::fence(order);
}

/// The accesses of one type that the engine makes. One that is not here does not compile.
macro_rules! wrapper {
    ($name:ident, $value:ty, $($access:ident)*) => {
        // region.1: transparent, so that zero is as good a value as of the wrapped one.
        #[repr(transparent)]
        #[derive(Debug, Default)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                point("load");
                self.0.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                point("store");
                self.0.store(value, order);
            }

            $(
                #[track_caller]
                pub(crate) fn $access(&self, value: $value, order: Ordering) -> $value {
                    point(stringify!($access));
                    self.0.$access(value, order)
                }
            )*
        }
    };
}

macro_rules! compare_exchange {
    ($name:ident, $value:ty) => {
        impl $name {
            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                point("compare_exchange");
                self.0.compare_exchange(from, to, success, failure)
            }

            /// In its steps: between them a thread can be stopped as well.
            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut seen = self.load(failure);
                while let Some(to) = update(seen) {
                    match self.compare_exchange(seen, to, success, failure) {
                        Ok(before) => return Ok(before),
                        Err(now) => seen = now,
                    }
                }
                Err(seen)
            }
        }
    };
}

/// For the system, which sleeps on such a word. An access that goes this way is not told; the tests
/// compare those they were told of with those that are written.
impl core::ops::Deref for AtomicU32 {
    type Target = atomic::AtomicU32;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// As the others; only of pointers to anything.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct AtomicPtr<T>(atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(value: *mut T) -> Self {
        Self(atomic::AtomicPtr::new(value))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        point("load");
        self.0.load(order)
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        point("swap");
        self.0.swap(value, order)
    }
}

wrapper!(AtomicU32, u32, swap fetch_add fetch_sub fetch_max);
wrapper!(AtomicU64, u64, fetch_add fetch_sub fetch_max fetch_min fetch_and fetch_or);
compare_exchange!(AtomicU32, u32);
compare_exchange!(AtomicU64, u64);
