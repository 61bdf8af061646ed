//! Signals: the helper thread takes none. A program that waits for them (sigwait, signalfd) has blocked them in
//! all of its threads, and would lose them to one that has not.

#[cfg(unix)]
mod imp {
    use core::mem::MaybeUninit;

    /// Runs `body` while this thread has all signals blocked: so has every thread that it starts.
    pub(crate) fn blocked<R>(body: impl FnOnce() -> R) -> R {
        let _restored = Blocked::all();
        body()
    }

    struct Blocked(libc::sigset_t);

    impl Blocked {
        fn all() -> Self {
            let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            // SAFETY: `all` may be written.
            unsafe { libc::sigfillset(all.as_mut_ptr()) };
            // SAFETY: `all` has been written, `before` may be.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
            // SAFETY: it cannot fail with these arguments (POSIX), so `before` has been written.
            Self(unsafe { before.assume_init() })
        }
    }

    impl Drop for Blocked {
        fn drop(&mut self) {
            // SAFETY: a mask that this thread had; nothing is to be written.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, core::ptr::null_mut())
            };
        }
    }
}

#[cfg(not(unix))]
mod imp {
    pub(crate) fn blocked<R>(body: impl FnOnce() -> R) -> R {
        body()
    }
}

pub(crate) use imp::blocked;
