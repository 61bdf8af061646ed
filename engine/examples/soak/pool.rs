//! A small executor: workers poll what is ready, between what else they do.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::{mem, panic};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that are ready to be polled.
#[derive(Default)]
pub(crate) struct Pool(Arc<Ready>);

#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<Arc<Task>>>,
    /// Tasks that have not ended.
    left: AtomicUsize,
}

struct Task {
    ready: Arc<Ready>,
    is_queued: AtomicBool,
    state: Mutex<State>,
}

struct State {
    job: Option<Job>,
    /// Polls after which it is dropped, whatever has become of it.
    patience: u32,
}

impl Pool {
    pub(crate) fn left(&self) -> usize {
        // Relaxed: nothing is read because of it.
        self.0.left.load(Ordering::Relaxed)
    }

    pub(crate) fn spawn(&self, job: Job, patience: u32) {
        self.0.left.fetch_add(1, Ordering::Relaxed);
        let state = Mutex::new(State { job: Some(job), patience });
        let task = Task { ready: self.0.clone(), is_queued: AtomicBool::new(false), state };
        Arc::new(task).wake();
    }

    /// Polls one task; false if none is ready.
    pub(crate) fn poll_one(&self) -> bool {
        let Some(task) = lock(&self.0.queue).pop_front() else { return false };
        // AcqRel: whoever wakes it from now on puts it in the queue again.
        task.is_queued.swap(false, Ordering::AcqRel);
        task.poll();
        true
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        // AcqRel: see `poll_one`.
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            let ready = self.ready.clone();
            lock(&ready.queue).push_back(self);
        }
    }
}

impl Task {
    fn poll(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut state = lock(&self.state);
        let Some(mut job) = state.job.take() else { return };
        let polled = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            job.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        state.patience = state.patience.saturating_sub(1);
        if matches!(polled, Ok(Poll::Pending)) && state.patience > 0 {
            state.job = Some(job);
            return;
        }
        // What is dropped here may wake this very task.
        mem::drop(state);
        drop(job);
        self.ready.left.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
