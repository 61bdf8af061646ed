//! A descriptor that is readable when it is set: an eventfd, or a pipe where there is none.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::{read, write};

/// See the module.
pub(crate) struct Signal {
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
        Ok(Self { reader })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    pub(crate) fn new() -> rustix::io::Result<Self> {
        use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
        let (reader, writer) = rustix::pipe::pipe()?;
        for end in [&reader, &writer] {
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
            ioctl_fionbio(end, true)?;
        }
        Ok(Self { reader, writer })
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
        // It fails only if it is full, and then it is readable.
        while write(self.writer(), &1_u64.to_ne_bytes()) == Err(rustix::io::Errno::INTR) {}
    }

    /// Makes it unreadable.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 8];
        loop {
            match read(&self.reader, &mut bytes) {
                Err(rustix::io::Errno::INTR) => {}
                // A pipe may have been written to more than once.
                Ok(read) if read == bytes.len() && !cfg!(target_os = "linux") => {}
                _ => return,
            }
        }
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.reader.as_raw_fd()
    }
}
