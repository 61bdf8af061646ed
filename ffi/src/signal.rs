//! A descriptor that is readable when it is set: an eventfd, or a pipe where there is none.

use core::sync::atomic::{AtomicBool, Ordering};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::{read, write};

/// See the module.
pub(crate) struct Signal {
    /// Whether it was written to, or is about to be, since it was last read from.
    is_set: AtomicBool,
    reader: OwnedFd,
    /// Of a pipe; an eventfd is both.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    writer: OwnedFd,
}

impl Signal {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    pub(crate) fn new() -> rustix::io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        let reader = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { is_set: AtomicBool::new(false), reader })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    pub(crate) fn new() -> rustix::io::Result<Self> {
        use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
        let (reader, writer) = rustix::pipe::pipe()?;
        for end in [&reader, &writer] {
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
            ioctl_fionbio(end, true)?;
        }
        Ok(Self { is_set: AtomicBool::new(false), reader, writer })
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    fn writer(&self) -> &OwnedFd {
        &self.reader
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    fn writer(&self) -> &OwnedFd {
        &self.writer
    }

    /// Makes it readable.
    pub(crate) fn set(&self) {
        // AcqRel, with `clear`: what was left before this is found by whoever clears it afterwards.
        if !self.is_set.swap(true, Ordering::AcqRel) {
            // It fails only if it is full, and then it is readable.
            while write(self.writer(), &1_u64.to_ne_bytes()) == Err(rustix::io::Errno::INTR) {}
        }
    }

    /// Makes it unreadable. What was left before a `set` that this undoes is to be looked for afterwards.
    pub(crate) fn clear(&self) {
        // Acquire, with `set`. It spares a call of the system where nothing was left.
        if self.is_set.load(Ordering::Acquire) && self.empty() {
            // AcqRel: a `set` since then has written nothing, and what was left before it is seen from here on.
            self.is_set.swap(false, Ordering::AcqRel);
        }
        // Set, and nothing there: somebody is about to write, and it stays set, so that whoever sees that clears it.
    }

    /// Whether there was anything to be read.
    fn empty(&self) -> bool {
        let (mut bytes, mut was_set) = ([0; 8], false);
        loop {
            match read(&self.reader, &mut bytes) {
                Err(rustix::io::Errno::INTR) => {}
                // A pipe may have been written to more than once.
                Ok(read) if read == bytes.len() && !cfg!(target_os = "linux") => was_set = true,
                Ok(_) => return true,
                Err(_) => return was_set,
            }
        }
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.reader.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn it_is_readable_while_it_is_set() {
        let signal = Signal::new().unwrap();
        let is_readable = || {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let mut watched = [PollFd::new(&signal.reader, PollFlags::IN)];
            poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
        };
        for sets in [1, 3] {
            assert!(!is_readable());
            signal.clear();
            (0..sets).for_each(|_| signal.set());
            assert!(is_readable());
            signal.clear();
        }
    }

    /// Two threads that leave something and set the signal, and two that clear it and take what is there, when the
    /// descriptor is readable and once without that, step by step in every order. They take all, and do not go on for
    /// ever.
    #[derive(Clone, Default, PartialEq, Eq, Hash)]
    struct Model {
        is_set: bool,
        written: u32,
        left: u32,
        taken: u32,
        /// The steps that each of those who leave something has done: left, swapped, written.
        setters: [Setter; 2],
        clearers: [Clearer; 2],
        looked_in: bool,
        polls: u32,
    }

    #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
    enum Setter {
        #[default]
        Begins,
        Left,
        Writes,
        Over,
    }

    #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
    enum Clearer {
        #[default]
        Waits,
        Looks,
        Reads,
        Swaps,
        Takes,
    }

    impl Model {
        fn set(&mut self, index: usize) -> bool {
            self.setters[index] = match self.setters[index] {
                Setter::Begins => {
                    self.left += 1;
                    Setter::Left
                }
                Setter::Left if core::mem::replace(&mut self.is_set, true) => Setter::Over,
                Setter::Left => Setter::Writes,
                Setter::Writes => {
                    self.written += 1;
                    Setter::Over
                }
                Setter::Over => return false,
            };
            true
        }

        fn clear(&mut self, index: usize) -> bool {
            self.clearers[index] = match self.clearers[index] {
                Clearer::Waits if self.written > 0 => {
                    self.polls += 1;
                    Clearer::Looks
                }
                Clearer::Waits if core::mem::replace(&mut self.looked_in, true) => return false,
                Clearer::Waits => Clearer::Looks,
                Clearer::Looks if self.is_set => Clearer::Reads,
                Clearer::Looks => Clearer::Takes,
                Clearer::Reads if core::mem::take(&mut self.written) > 0 => Clearer::Swaps,
                Clearer::Reads => Clearer::Takes,
                Clearer::Swaps => {
                    self.is_set = false;
                    Clearer::Takes
                }
                Clearer::Takes => {
                    self.taken += core::mem::take(&mut self.left);
                    Clearer::Waits
                }
            };
            true
        }

        fn explore(self, seen: &mut HashSet<Self>) {
            if !seen.insert(self.clone()) {
                return;
            }
            assert!(self.polls < 9, "it goes on for ever");
            let mut is_over = true;
            for step in 0..4 {
                let mut next = self.clone();
                let goes_on = if step < 2 { next.set(step) } else { next.clear(step - 2) };
                if goes_on {
                    is_over = false;
                    next.explore(seen);
                }
            }
            if is_over {
                assert_eq!((self.taken, self.written), (2, 0));
            }
        }
    }

    #[test]
    fn whoever_waits_for_it_misses_nothing() {
        let mut seen = HashSet::new();
        Model::default().explore(&mut seen);
        assert!(seen.len() > 1000, "{}", seen.len());
    }
}
