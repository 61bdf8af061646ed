//! The border to C: the one file that follows pointers.
//!
//! ffi.1  What C hands over is what the header asks for: a pointer to an object is null, or of an object of
//!     that type which is alive and stays so until the call returns; a pointer to `n` things is of `n` that
//!     may be read, or written where the header says so, and that nobody else writes meanwhile. What can be
//!     seen of a breach (null, alignment, size) is refused; the rest is the caller's promise, which
//!     each exported function is `unsafe` for.
//! ffi.2  `Border` is made by `call` alone, and `call` is for exported functions alone: so who has one is
//!     inside a call whose caller has given that promise.
//! ffi.3  What an object is handed out as comes from `Box::into_raw`, and is taken back once, by the
//!     function that the header names.

use core::ffi::c_void;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::types::{idem_bytes_t, idem_destroy_fn, idem_response_t};
use idem::Replay;

use crate::status::idem_status_t::{self, *};

/// What a call comes to on this side.
pub(crate) type Called<T = ()> = Result<T, idem_status_t>;

/// The right to follow C's pointers, for as long as the call lasts (ffi.2).
pub(crate) struct Border(());

/// Runs an exported function. A panic in it is told as a status, and goes no further.
#[inline]
pub(crate) fn call(body: impl FnOnce(&Border) -> Called) -> idem_status_t {
    match catch_unwind(AssertUnwindSafe(|| body(&Border(())))) {
        Ok(Ok(())) => IDEM_OK,
        Ok(Err(status)) => status,
        Err(payload) => {
            // Its destructor may panic as well.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            IDEM_ERR_PANIC
        }
    }
}

/// Structures that C fills in: integers and pointers only.
///
/// # Safety
/// Whatever bits it has, they are a valid value; so are all zeroes.
pub(crate) unsafe trait Plain: Copy {}

/// One that says in its first field, a `usize`, how long the caller knows it to be.
///
/// # Safety
/// The first field is that, and the structure is `repr(C)`.
pub(crate) unsafe trait Versioned: Plain {
    /// As long as it was in the first version of the ABI.
    const LEAST: usize;
}

/// A structure of C's: as it lies there, or copied and filled up.
pub(crate) enum Seen<'c, T> {
    Whole(&'c T),
    Filled(T),
}

impl<T> Deref for Seen<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Seen::Whole(value) => value,
            Seen::Filled(value) => value,
        }
    }
}

/// The longest structure that a caller may say to have.
const SIZED_MOST: usize = 4096;

#[allow(clippy::mut_from_ref, reason = "what is lent is C's, and not the border's")]
impl Border {
    fn check<T>(&self, at: *const T) -> Called<NonNull<T>> {
        let at = NonNull::new(at.cast_mut()).ok_or(IDEM_ERR_NULL)?;
        if at.is_aligned() { Ok(at) } else { Err(IDEM_ERR_MISALIGNED) }
    }

    /// So many of them, next to each other; the first of none may be anywhere.
    fn check_array<T>(&self, at: *const T, count: usize) -> Called<NonNull<T>> {
        if count == 0 {
            return Ok(NonNull::dangling());
        }
        if count > isize::MAX as usize / size_of::<T>().max(1) {
            return self.check(at).and(Err(IDEM_ERR_TOO_LONG));
        }
        self.check(at)
    }

    /// What a structure says of its length, if that may be.
    fn check_size<T: Versioned>(&self, at: *const T) -> Called<usize> {
        let size = *self.object(at.cast::<usize>())?;
        self.check(at)?;
        if (T::LEAST..=SIZED_MOST).contains(&size) { Ok(size) } else { Err(IDEM_ERR_SIZE) }
    }

    /// An object, or a structure to read.
    #[inline]
    pub(crate) fn object<T>(&self, at: *const T) -> Called<&T> {
        let at = self.check(at)?;
        // SAFETY: ffi.1, ffi.2.
        Ok(unsafe { at.as_ref() })
    }

    /// The same, where null says that there is none.
    #[inline]
    pub(crate) fn optional<T>(&self, at: *const T) -> Called<Option<&T>> {
        if at.is_null() { Ok(None) } else { self.object(at).map(Some) }
    }

    /// So many of them, next to each other; null if there are none.
    #[inline]
    pub(crate) fn array<T>(&self, at: *const T, count: usize) -> Called<&[T]> {
        let at = self.check_array(at, count)?;
        // SAFETY: ffi.1, ffi.2; and no longer than an array can be.
        Ok(unsafe { core::slice::from_raw_parts(at.as_ptr(), count) })
    }

    /// Bytes.
    #[inline]
    pub(crate) fn bytes(&self, bytes: idem_bytes_t) -> Called<&[u8]> {
        self.array(bytes.data.cast(), bytes.len)
    }

    /// Where a result goes.
    #[inline]
    pub(crate) fn out<T>(&self, at: *mut T) -> Called<&mut MaybeUninit<T>> {
        let at = self.check(at)?;
        // SAFETY: ffi.1, ffi.2 (it may hold anything before).
        Ok(unsafe { at.cast().as_mut() })
    }

    /// The same, where null says that nobody wants it.
    #[inline]
    pub(crate) fn optional_out<T>(&self, at: *mut T) -> Called<Option<&mut MaybeUninit<T>>> {
        if at.is_null() { Ok(None) } else { self.out(at).map(Some) }
    }

    /// Where so many results go; null if there are none.
    #[inline]
    pub(crate) fn outs<T>(&self, at: *mut T, count: usize) -> Called<&mut [MaybeUninit<T>]> {
        let at = self.check_array(at, count)?;
        // SAFETY: ffi.1, ffi.2; and no longer than an array can be.
        Ok(unsafe { core::slice::from_raw_parts_mut(at.cast().as_ptr(), count) })
    }

    /// An object that one thread uses at a time.
    #[inline]
    pub(crate) fn object_mut<T>(&self, at: *mut T) -> Called<&mut T> {
        let mut at = self.check(at)?;
        // SAFETY: ffi.1, ffi.2 (the header says so of the object).
        Ok(unsafe { at.as_mut() })
    }

    /// A structure of C's, to be changed in place. What C has not written in it is some bytes, and `Plain`.
    #[inline]
    pub(crate) fn change<T: Plain>(&self, at: *mut T) -> Called<&mut T> {
        let mut at = self.check(at)?;
        // SAFETY: ffi.1, ffi.2.
        Ok(unsafe { at.as_mut() })
    }

    /// So many of them.
    pub(crate) fn change_array<T: Plain>(&self, at: *mut T, count: usize) -> Called<&mut [T]> {
        let at = self.check_array(at, count)?;
        // SAFETY: ffi.1, ffi.2; and no longer than an array can be.
        Ok(unsafe { core::slice::from_raw_parts_mut(at.as_ptr(), count) })
    }

    /// What was handed out as a response, without letting go of it.
    pub(crate) fn replay(&self, response: &idem_response_t) -> Called<ManuallyDrop<Replay>> {
        if response.opaque[0] == 0 {
            return Err(IDEM_ERR_RELEASED);
        }
        // SAFETY: ffi.1 (the structure is as `of_replay` made it, and its hold has not been let go of).
        Ok(ManuallyDrop::new(unsafe { Replay::from_raw(response.opaque) }))
    }

    /// So many structures next to each other, each as long as the first says of itself.
    #[inline]
    pub(crate) fn sized_array<T: Versioned + 'static>(
        &self,
        at: *const T,
        count: usize,
    ) -> Called<impl Iterator<Item = Called<Seen<'_, T>>> + Clone> {
        let size = if count == 0 { 0 } else { *self.object(at.cast::<usize>())? };
        let mut next = at.cast::<u8>();
        Ok((0..count).map(move |_| {
            let at: *const T = next.cast();
            next = next.wrapping_add(size);
            // One that says that it is longer would be read beyond its end.
            if *self.object(at.cast::<usize>())? != size {
                return Err(IDEM_ERR_SIZE);
            }
            self.sized(at)
        }))
    }

    /// A structure of the length that the caller knows. Shorter than ours: the rest is zero, which is the
    /// default. Longer: the rest must be zero, for else it asks for something that we do not know.
    #[inline]
    pub(crate) fn sized<T: Versioned>(&self, at: *const T) -> Called<Seen<'_, T>> {
        let size = *self.object(at.cast::<usize>())?;
        if size == size_of::<T>() { self.object(at).map(Seen::Whole) } else { self.fit(at) }
    }

    #[cold]
    fn fit<T: Versioned>(&self, at: *const T) -> Called<Seen<'_, T>> {
        let (size, known) = (self.check_size(at)?, size_of::<T>());
        let given = self.array(at.cast::<u8>(), size)?;
        if given.iter().skip(known).any(|byte| *byte != 0) {
            return Err(IDEM_ERR_UNSUPPORTED);
        }
        if size > known {
            return self.object(at).map(Seen::Whole);
        }
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: ffi.1 (`size` bytes may be read; no more than a `T` is long are written).
        unsafe { core::ptr::copy_nonoverlapping(given.as_ptr(), value.as_mut_ptr().cast(), size) };
        // SAFETY: `Plain` (any bits are a value).
        Ok(Seen::Filled(unsafe { value.assume_init() }))
    }

    /// Fills in a structure of the length that the caller knows, and leaves its size as it is.
    pub(crate) fn fill_sized<T: Versioned>(&self, at: *mut T, mut value: T) -> Called {
        let size = self.check_size(at)?;
        // SAFETY: `Versioned` (its first field is its size).
        unsafe { (&raw mut value).cast::<usize>().write(size) };
        let given = self.outs(at.cast::<u8>(), size)?;
        for byte in given.iter_mut().skip(size_of::<T>()) {
            byte.write(0);
        }
        let length = size.min(size_of::<T>());
        // SAFETY: ffi.1 (`size` bytes may be written; no more than a `T` is long are read).
        unsafe {
            core::ptr::copy_nonoverlapping((&raw const value).cast(), given.as_mut_ptr(), length);
        }
        Ok(())
    }

    /// An object taken back for good (ffi.3).
    pub(crate) fn take<T>(&self, at: *mut T) -> Called<Box<T>> {
        let at = self.check(at)?;
        // SAFETY: ffi.1, ffi.3.
        Ok(unsafe { Box::from_raw(at.as_ptr()) })
    }

    /// The same, where null says that there is none.
    pub(crate) fn take_optional<T>(&self, at: *mut T) -> Called<Option<Box<T>>> {
        if at.is_null() { Ok(None) } else { self.take(at).map(Some) }
    }
}

/// Writes a result, if somebody wants it.
#[inline]
pub(crate) fn tell<T>(out: Option<&mut MaybeUninit<T>>, value: T) {
    if let Some(out) = out {
        out.write(value);
    }
}

/// An object for C to have (ffi.3).
pub(crate) fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// A function of C's with its user data, and what is called once neither is needed any more.
pub(crate) struct Foreign<A> {
    function: unsafe extern "C" fn(*mut c_void, A),
    keeper: Keeper,
}

impl<A> Foreign<A> {
    pub(crate) fn new(
        function: unsafe extern "C" fn(*mut c_void, A),
        user: *mut c_void,
        destroy: idem_destroy_fn,
    ) -> Self {
        Self { function, keeper: Keeper::new(user, destroy) }
    }

    /// The same, whose user data stays the caller's until `keep`.
    pub(crate) fn borrowed(
        function: unsafe extern "C" fn(*mut c_void, A),
        user: *mut c_void,
        destroy: idem_destroy_fn,
    ) -> Self {
        Self { function, keeper: Keeper { user, destroy, is_ours: AtomicBool::new(false) } }
    }

    /// From here on `destroy` is to be called.
    pub(crate) fn keep(&self) {
        // Relaxed: whoever drops it comes after this.
        self.keeper.is_ours.store(true, Ordering::Relaxed);
    }

    pub(crate) fn call(&self, argument: A) {
        // SAFETY: ffi.1 (a function of this type, which the header says is called on other threads).
        unsafe { (self.function)(self.keeper.user, argument) };
    }
}

/// Bytes of C's that stay where they are, until they are given back.
pub(crate) struct Lent {
    data: *const u8,
    len: usize,
    _keeper: Keeper,
}

impl Lent {
    pub(crate) fn new(bytes: idem_bytes_t, user: *mut c_void, destroy: idem_destroy_fn) -> Self {
        let data = bytes.data.cast();
        Self { data, len: bytes.len, _keeper: Keeper::new(user, destroy) }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: ffi.1 (the header says that they stay as they are until `destroy` is called).
        unsafe { core::slice::from_raw_parts(self.data, self.len) }
    }
}

// SAFETY: ffi.1 (nobody writes to them, and the header says that other threads read them).
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

/// What is called with the user data as it is let go of.
pub(crate) struct Keeper {
    user: *mut c_void,
    destroy: idem_destroy_fn,
    is_ours: AtomicBool,
}

impl Keeper {
    pub(crate) fn new(user: *mut c_void, destroy: idem_destroy_fn) -> Self {
        Self { user, destroy, is_ours: AtomicBool::new(true) }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if *self.is_ours.get_mut()
            && let Some(destroy) = self.destroy
        {
            // SAFETY: ffi.1 (a function of this type; once).
            unsafe { destroy(self.user) };
        }
    }
}

// SAFETY: nothing here follows the pointer; the header says that it is used on other threads.
unsafe impl Send for Keeper {}
// SAFETY: as above.
unsafe impl Sync for Keeper {}
