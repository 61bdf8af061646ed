//! A value: what an owner handed in instead of bytes. It lies on the heap, and responses have a handle
//! to it.
//!
//! value.1  Each response with a handle counts as a holder of the value from when it is written, or
//!     copied, until it is freed; each `Own` (`own.rs`) from when it is made until it is dropped.
//!     Whoever has neither does not follow a handle.
//! value.2  The count reaches 0 exactly once, since only holders add to it; whoever brings it there
//!     has the value alone, and gives it to `drop_later`.
//! value.3  A held value is only borrowed, shared, and it is `Send`, `Sync` and `'static`; so any thread
//!     may use it, and any drop it.
//! value.4  `drop_pending` is called as the last step of a call of the engine, and by nobody in the
//!     middle of one: a value is dropped by the thread that let go of it last, before its call
//!     returns. What the caller's own code lets go of that runs in the middle (wakers, callbacks,
//!     hooks) belongs to its own calls: `set_aside` keeps the two apart. Destructors run one after
//!     the other, and may call the engine; what they let go of has its turn after them.

use core::any::TypeId;
use core::cell::Cell;
use core::ptr::NonNull;

use crate::realms::Realm;
use crate::record::Field;
use crate::sync::thread::thread_local;
use crate::sync::{AtomicU64, Ordering, acquire_fence};
use crate::wait::alarm::contain;

type Granules = Field<0, 32>;
type RealmBits = Field<{ Granules::END }, 32>;

/// What every value has in front of it.
struct Head {
    holders: AtomicU64,
    /// What its weight has drawn, of which realm; 0: nothing. It goes back with the last holder.
    charge: AtomicU64,
    drop: fn(Handle),
    of: TypeId,
    /// Behind it in the list of what is to be dropped; its thread's alone (value.2).
    next: Cell<Option<Handle>>,
}

#[repr(C)]
struct Block<T> {
    head: Head,
    value: T,
}

/// Where a value is. Copies are no holders: value.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handle(NonNull<Head>);

// SAFETY: value.3.
unsafe impl Send for Handle {}
// SAFETY: value.3; `next` is used by one thread alone (value.2).
unsafe impl Sync for Handle {}

impl Handle {
    /// Puts a value on the heap; the caller is its one holder.
    pub(crate) fn new<T: Send + Sync + 'static>(value: T) -> Self {
        let head = Head {
            holders: AtomicU64::new(1),
            charge: AtomicU64::new(0),
            drop: Self::drop_as::<T>,
            of: TypeId::of::<T>(),
            next: Cell::new(None),
        };
        let block = NonNull::from(Box::leak(Box::new(Block { head, value })));
        Self(block.cast())
    }

    /// For a word of the arena.
    pub(crate) fn bits(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// From the word of a response that the caller holds.
    pub(crate) fn from_bits(bits: u64) -> Self {
        let head = core::ptr::with_exposed_provenance_mut::<Head>(bits as usize);
        Self(
            NonNull::new(head)
                .expect("value.1: a response has the handle that it was written with"),
        )
    }

    fn head(&self) -> &Head {
        // SAFETY: value.1 (the caller is a holder, so it is there).
        unsafe { self.0.as_ref() }
    }

    /// The value, if it is of this type. The caller holds it for as long as it uses it.
    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let is_one = self.head().of == TypeId::of::<T>();
        // SAFETY: value.1, and it was made of a `Block<T>`, which has its head in front.
        let block = is_one.then(|| unsafe { self.0.cast::<Block<T>>().as_ref() });
        block.map(|block| &block.value)
    }

    /// One holder more. The caller is one (value.2).
    pub(crate) fn hold(&self) {
        // Relaxed: it cannot go to 0 meanwhile.
        self.head().holders.fetch_add(1, Ordering::Relaxed);
    }

    /// One holder fewer; true if the caller has the value alone now (value.2).
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        let holders = &self.head().holders;
        // Release: what this holder did with it comes before its destructor (edge "drop").
        let before = holders.fetch_sub(1, Ordering::Release);
        debug_assert!(before > 0, "value.2: let go of more often than held");
        if before == 1 {
            // Acquire: pairs with every other holder's Release above.
            acquire_fence(holders);
        }
        before == 1
    }

    /// Whether its weight is counted.
    pub(crate) fn is_charged(&self) -> bool {
        // Relaxed: set by who stores it, before others have it.
        self.head().charge.load(Ordering::Relaxed) != 0
    }

    /// Its weight has drawn so many granules, once. Before others have it.
    pub(crate) fn set_charge(&self, realm: Realm, granules: u32) {
        let charge = RealmBits::put(realm.bits().into()) | Granules::put(granules.into());
        // Relaxed: published with the response that has the handle.
        self.head().charge.store(charge, Ordering::Relaxed);
    }

    /// What its weight has drawn, for whoever has it alone.
    pub(crate) fn charge(&self) -> (Realm, u32) {
        // Relaxed: ordered by `release`.
        let charge = self.head().charge.load(Ordering::Relaxed);
        (Realm::from_bits(RealmBits::get(charge) as u32), Granules::get(charge) as u32)
    }

    fn drop_as<T>(self) {
        // SAFETY: value.2 (the caller has it alone), and it was made of this type, by `new`.
        drop(unsafe { Box::from_raw(self.0.cast::<Block<T>>().as_ptr()) });
    }
}

thread_local! {
    /// The first of those that this thread has let go of last, and is yet to drop. No destructor, so
    /// that it can be used to the very end of the thread.
    #[cfg_attr(
        not(idem_loom),
        expect(clippy::missing_const_for_thread_local, reason = "loom's has no such form")
    )]
    static PENDING: Cell<Option<Handle>> = Cell::new(None);
    #[cfg_attr(
        not(idem_loom),
        expect(clippy::missing_const_for_thread_local, reason = "loom's has no such form")
    )]
    static IS_DROPPING: Cell<bool> = Cell::new(false);
}

/// The caller has the value alone (value.2), and is in the middle of a call: it is dropped at its end.
#[cold]
pub(crate) fn drop_later(value: Handle) {
    PENDING.with(|pending| value.head().next.set(pending.replace(Some(value))));
}

/// Drops what this thread has let go of; the last step of a call (value.4). The values' panics are
/// contained.
#[inline]
pub(crate) fn drop_pending() {
    if PENDING.with(Cell::get).is_some() {
        drop_each();
    }
}

#[cold]
fn drop_each() {
    if IS_DROPPING.with(|is| is.replace(true)) {
        // A destructor is calling: those that it let go of have their turn after it.
        return;
    }
    while let Some(value) = PENDING.with(Cell::take) {
        PENDING.with(|pending| pending.set(value.head().next.take()));
        let drop = value.head().drop;
        contain(|| drop(value));
    }
    IS_DROPPING.with(|is| is.set(false));
}

/// What a call has let go of so far, while code of the caller's runs in the middle of it (value.4).
#[must_use]
pub(crate) struct Aside(Option<Handle>);

/// From here on, until what is returned is dropped, the thread has let go of nothing.
pub(crate) fn set_aside() -> Aside {
    Aside(PENDING.with(Cell::take))
}

impl Drop for Aside {
    fn drop(&mut self) {
        while let Some(value) = self.0 {
            self.0 = value.head().next.take();
            drop_later(value);
        }
    }
}
