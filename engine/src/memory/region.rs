//! A fixed array of `T` that starts as zeroes and costs no resident memory until it is touched
//! (R3).
//!
//! region.1  The memory is mapped, page aligned and all zero when it is made, and stays for as long
//!     as the region lives; and a type is put in it only if all-zero bytes are a valid value of it
//!     and it needs no drop (`Zeroed`).

#[cfg(not(idem_loom))]
mod storage {
    use core::marker::PhantomData;
    use core::ops::Deref;
    use core::ptr::NonNull;

    use memmap2::{MmapOptions, MmapRaw};

    /// See the module.
    pub(crate) struct Region<T> {
        // Holds the mapping; `base` points into it.
        _map: MmapRaw,
        base: NonNull<T>,
        count: usize,
        _owns: PhantomData<T>,
    }

    // SAFETY: region.1 (it owns its memory as a boxed slice does, and those are Send when T is).
    unsafe impl<T: Send> Send for Region<T> {}
    // SAFETY: region.1 (only `&[T]` is handed out).
    unsafe impl<T: Sync> Sync for Region<T> {}

    /// Types whose all-zero bytes are a valid value and which need no drop.
    ///
    /// # Safety
    /// Both must hold.
    pub(crate) unsafe trait Zeroed {}

    // SAFETY: region.1 (an integer atomic may be zero).
    unsafe impl Zeroed for crate::sync::AtomicU64 {}
    // SAFETY: region.1 (an array is valid when its elements are).
    unsafe impl<T: Zeroed, const N: usize> Zeroed for [T; N] {}

    impl<T: Zeroed> Region<T> {
        /// Reserves room for `count` values; `None` if the system has no address space for it.
        pub(crate) fn new(count: usize) -> Option<Self> {
            const { assert!(align_of::<T>() <= 4096 && size_of::<T>() > 0) };
            let bytes = count.checked_mul(size_of::<T>())?.max(1);
            let map = MmapOptions::new().len(bytes).no_reserve_swap().map_anon().ok()?;
            let map = MmapRaw::from(map);
            let base = NonNull::new(map.as_mut_ptr().cast::<T>())?;
            Some(Self { _map: map, base, count, _owns: PhantomData })
        }
    }

    /// Begins to bring a value into the cache; does not wait for it.
    #[inline]
    pub(crate) fn prefetch<T>(value: &T) {
        #[cfg(target_arch = "x86_64")]
        {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: region.1 (any reference will do; it is not read through).
            unsafe { _mm_prefetch(core::ptr::from_ref(value).cast(), _MM_HINT_T0) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = value;
    }

    impl<T> Deref for Region<T> {
        type Target = [T];

        #[inline]
        fn deref(&self) -> &[T] {
            // SAFETY: region.1 (the mapping holds `count` values for as long as `self` lives, page
            // aligned, zeroed by the system, and all-zero is a valid T by `Zeroed`).
            unsafe { core::slice::from_raw_parts(self.base.as_ptr(), self.count) }
        }
    }
}

#[cfg(idem_loom)]
mod storage {
    use core::ops::Deref;

    /// Loom's atomics carry bookkeeping and cannot live in zeroed memory: a plain vector here.
    pub(crate) struct Region<T>(Vec<T>);

    /// Marker with the same shape as the real one.
    ///
    /// # Safety
    /// None needed in models; `unsafe` so that the implementations read the same.
    pub(crate) unsafe trait Zeroed: Default {}

    // SAFETY: see the trait.
    unsafe impl Zeroed for crate::sync::AtomicU64 {}
    // SAFETY: see the trait.
    unsafe impl<T: Zeroed, const N: usize> Zeroed for [T; N] where [T; N]: Default {}

    impl<T: Zeroed> Region<T> {
        pub(crate) fn new(count: usize) -> Option<Self> {
            Some(Self((0..count).map(|_| T::default()).collect()))
        }
    }

    pub(crate) fn prefetch<T>(_: &T) {}

    impl<T> Deref for Region<T> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.0
        }
    }
}

pub(crate) use storage::{Region, Zeroed, prefetch};
