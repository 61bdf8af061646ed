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

    use crate::memory::pages::Paged;

    /// See the module.
    pub(crate) struct Region<T> {
        // Holds the mapping; `base` points into it.
        map: MmapRaw,
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
            Some(Self { map, base, count, _owns: PhantomData })
        }
    }

    impl<T> Region<T> {
        /// Writes to each page what is in it.
        pub(super) fn touch(&mut self) {
            // No system has smaller ones; a larger page is touched more than once.
            const PAGE: usize = 4096;
            for offset in (0..self.map.len()).step_by(PAGE) {
                let byte = self.map.as_mut_ptr().wrapping_add(offset);
                // SAFETY: region.1 (within the mapping; `&mut self`: nobody else looks at it).
                let value = unsafe { byte.read_volatile() };
                // SAFETY: as above. Volatile: a write of what was read could be left out.
                unsafe { byte.write_volatile(value) };
            }
        }
    }

    impl<T> Paged for Region<T> {
        fn size(&self) -> usize {
            self.map.len()
        }

        fn prefer_huge(&self) {
            // What comes of it does not matter: without huge pages everything works as it did.
            #[cfg(target_os = "linux")]
            let _ = self.map.advise(memmap2::Advice::HugePage);
        }

        fn prefault(&mut self) -> bool {
            #[cfg(target_os = "linux")]
            match self.map.advise(memmap2::Advice::PopulateWrite) {
                Ok(()) => return true,
                // Linux before 5.14 does not know this advice.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {}
                Err(_) => return false,
            }
            self.touch();
            true
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

    use crate::memory::pages::Paged;

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

    impl<T> Paged for Region<T> {
        fn size(&self) -> usize {
            size_of_val(&*self.0)
        }

        fn prefer_huge(&self) {}

        fn prefault(&mut self) -> bool {
            true
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

#[cfg(all(test, target_os = "linux", target_arch = "x86_64", not(idem_loom)))]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::Region;
    use crate::memory::pages::Paged;
    use crate::sync::{AtomicU64, Ordering};

    const PAGE: usize = 4096;
    const PAGES: usize = 64;
    /// In an entry of the page map.
    const OWN: u64 = 1 << 63 | 1 << 56;

    /// How many of its pages are resident, as the system says of each.
    fn resident(region: &Region<[AtomicU64; 512]>) -> usize {
        let map = std::fs::File::open("/proc/self/pagemap").expect("Linux has it");
        let first = region.as_ptr().addr() / PAGE;
        let is_resident = |page: &usize| {
            let mut entry = [0; 8];
            map.read_exact_at(&mut entry, ((first + page) * 8) as u64).expect("it is mapped");
            // Present, and mapped nowhere else: not the page of zeroes that everybody reads.
            u64::from_ne_bytes(entry) & OWN == OWN
        };
        (0..PAGES).filter(is_resident).count()
    }

    /// Makes the whole region resident, one way or the other, and changes nothing in it.
    fn fault(way: fn(&mut Region<[AtomicU64; 512]>)) {
        let mut region = Region::<[AtomicU64; 512]>::new(PAGES).expect("64 pages of address space");
        region[3][0].store(7, Ordering::Relaxed);
        assert_eq!(resident(&region), 1, "untouched but for one page");
        way(&mut region);
        assert_eq!(resident(&region), PAGES);
        let sum = |page: &[AtomicU64; 512]| -> u64 {
            page.iter().map(|word| word.load(Ordering::Relaxed)).sum()
        };
        assert_eq!((sum(&region[3]), region.iter().map(sum).sum::<u64>()), (7, 7));
    }

    #[test]
    fn prefaulting_makes_all_pages_resident() {
        fault(|region| assert!(region.prefault()));
    }

    #[test]
    fn touching_makes_all_pages_resident() {
        fault(Region::touch);
    }
}
