//! What pages the system backs the engine's memory with, and when.
//!
//! Left alone, a region costs nothing until it is touched, and then a small page at a time (R3). Both
//! options here give that up: for fewer misses of the address translation, or for first touches that
//! are paid when the engine is built.

/// How the regions are to be backed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pages {
    /// By huge pages, where the system has them.
    pub(crate) huge: bool,
    /// All of it at once.
    pub(crate) prefault: bool,
}

/// Memory whose pages can be asked for.
pub(crate) trait Paged {
    /// Its length in bytes.
    fn size(&self) -> usize;

    /// Asks for huge pages. Advice: a system without them goes on as before.
    fn prefer_huge(&self);

    /// Has every page made resident, its contents as they are. False: the system refuses.
    fn prefault(&mut self) -> bool;
}

/// The least region that huge pages are asked for. The second level of a processor's translation buffer
/// covers as much with small pages; and a small engine stays small.
const HUGE_LEAST: usize = 8 << 20;

impl Pages {
    /// Backs `regions`, which nobody else uses yet. False: the system has not got the memory.
    pub(crate) fn back(self, mut regions: Vec<&mut dyn Paged>) -> bool {
        if self.huge {
            let large = regions.iter().filter(|region| region.size() >= HUGE_LEAST);
            large.for_each(|region| region.prefer_huge());
        }
        if !self.prefault {
            return true;
        }
        // Linux lends more than it has, and ends the process that uses it. So what cannot be is refused
        // before it is tried.
        let whole: usize = regions.iter().map(|region| region.size()).sum();
        whole as u64 <= system_bytes() && regions.iter_mut().all(|region| region.prefault())
    }
}

/// The memory of the machine, and what it can swap out.
#[cfg(all(target_os = "linux", not(idem_loom)))]
fn system_bytes() -> u64 {
    let system = rustix::system::sysinfo();
    // The types of these differ between processors.
    #[allow(clippy::unnecessary_cast, reason = "32 bits wide elsewhere")]
    let units = (system.totalram as u64).saturating_add(system.totalswap as u64);
    units.saturating_mul(system.mem_unit.into())
}

#[cfg(not(all(target_os = "linux", not(idem_loom))))]
fn system_bytes() -> u64 {
    u64::MAX
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    /// A region that notes what is asked of it.
    struct Noted {
        size: usize,
        refuses: bool,
        huge: core::cell::Cell<bool>,
        prefaulted: bool,
    }

    impl Paged for Noted {
        fn size(&self) -> usize {
            self.size
        }

        fn prefer_huge(&self) {
            self.huge.set(true);
        }

        fn prefault(&mut self) -> bool {
            self.prefaulted = !self.refuses;
            self.prefaulted
        }
    }

    fn noted(size: usize) -> Noted {
        Noted { size, refuses: false, huge: false.into(), prefaulted: false }
    }

    fn back(pages: Pages, noted: &mut [Noted]) -> bool {
        pages.back(noted.iter_mut().map(|noted| noted as &mut dyn Paged).collect())
    }

    #[test]
    fn nothing_is_asked_of_the_system_unless_said() {
        let mut regions = [noted(HUGE_LEAST)];
        assert!(back(Pages::default(), &mut regions));
        assert!(!regions[0].huge.get() && !regions[0].prefaulted);
    }

    #[test]
    fn only_large_regions_are_huge() {
        let mut regions = [noted(HUGE_LEAST), noted(HUGE_LEAST - 1)];
        assert!(back(Pages { huge: true, prefault: false }, &mut regions));
        assert_eq!(regions.map(|region| region.huge.get()), [true, false]);
    }

    #[test]
    fn all_regions_are_prefaulted_or_it_is_said() {
        let prefault = Pages { huge: false, prefault: true };
        let mut regions = [noted(1), noted(HUGE_LEAST)];
        assert!(back(prefault, &mut regions));
        assert!(regions.iter().all(|region| region.prefaulted && !region.huge.get()));
        regions[1].refuses = true;
        assert!(!back(prefault, &mut regions));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn more_than_the_machine_has_is_not_tried() {
        let mut regions = [noted(system_bytes() as usize), noted(1)];
        assert!(!back(Pages { huge: false, prefault: true }, &mut regions));
        assert!(!regions[0].prefaulted);
    }
}
