//! Threads that begin and end in a way that ThreadSanitizer knows.
//!
//! Those of the standard library pass words to each other that it does not see written, since that
//! library is not built for it, and it reports them. It does know pthread_create and pthread_join.

pub(crate) type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Runs each job in a thread of its own, and comes back when all of them are done.
#[cfg(not(idem_tsan))]
pub(crate) fn run_all(jobs: Vec<Job<'_>>) {
    std::thread::scope(|scope| {
        for job in jobs {
            scope.spawn(job);
        }
    });
}

#[cfg(idem_tsan)]
pub(crate) use pthread::run_all;

#[cfg(idem_tsan)]
mod pthread {
    use core::ffi::{c_int, c_ulong, c_void};
    use core::ptr::{null, null_mut};

    use super::Job;

    unsafe extern "C" {
        fn pthread_create(
            thread: *mut c_ulong,
            attributes: *const c_void,
            start: extern "C" fn(*mut c_void) -> *mut c_void,
            job: *mut c_void,
        ) -> c_int;
        fn pthread_join(thread: c_ulong, result: *mut *mut c_void) -> c_int;
    }

    /// A panic ends the process: it may not leave a function that C has called.
    extern "C" fn start(job: *mut c_void) -> *mut c_void {
        // SAFETY: `run_all` has made it of a box of this type, for this call alone.
        let job = unsafe { Box::from_raw(job.cast::<Job<'_>>()) };
        job();
        null_mut()
    }

    /// As the other one.
    pub(crate) fn run_all(jobs: Vec<Job<'_>>) {
        let threads: Vec<c_ulong> = jobs
            .into_iter()
            .map(|job| {
                let mut thread = 0;
                let job = Box::into_raw(Box::new(job)).cast();
                // SAFETY: `start` takes the job; what it borrows outlives the thread, which is
                // waited for below.
                let error = unsafe { pthread_create(&raw mut thread, null(), start, job) };
                // Others may run already and borrow from the caller, so it must not unwind.
                if error != 0 {
                    eprintln!("races: no thread: error {error}");
                    std::process::abort();
                }
                thread
            })
            .collect();
        for thread in threads {
            // SAFETY: each is waited for once.
            let error = unsafe { pthread_join(thread, null_mut()) };
            if error != 0 {
                eprintln!("races: a thread cannot be waited for: error {error}");
                std::process::abort();
            }
        }
    }
}
