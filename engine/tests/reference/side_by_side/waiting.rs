//! The three ways to wait, on both sides. A waiter may be polled first, and wait another way then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use idem::{WaitOutcome, Waiter};

use super::{Pick, SideBySide, take};
use crate::reference::machine::{Id, Said};

/// Counts its calls.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) struct Waiting {
    pub(super) waiter: Waiter,
    pub(super) id: Id,
    /// Of the last poll, which was pending.
    bell: Option<Arc<Bell>>,
}

impl Waiting {
    pub(super) fn new(waiter: Waiter, id: Id) -> Self {
        Self { waiter, id, bell: None }
    }
}

impl SideBySide {
    pub(super) fn wait(&mut self, waiter: Pick) {
        let Some(Waiting { waiter, id, .. }) = take(&mut self.waiters, waiter) else { return };
        let expected = self.machine.wait(id);
        self.waited(waiter.wait_for(Duration::ZERO), id, &expected);
    }

    pub(super) fn drop_waiter(&mut self, waiter: Pick) {
        let Some(Waiting { waiter, id, .. }) = take(&mut self.waiters, waiter) else { return };
        drop(waiter);
        self.machine.leave(id);
    }

    pub(super) fn poll(&mut self, waiter: Pick) {
        let Some(mut waiting) = take(&mut self.waiters, waiter) else { return };
        let bell = Arc::<Bell>::default();
        let waker = Waker::from(bell.clone());
        let mut context = Context::from_waker(&waker);
        let expected = self.machine.look(waiting.id);
        match (Pin::new(&mut waiting.waiter).poll(&mut context), expected) {
            (Poll::Pending, None) => {
                waiting.bell = Some(bell);
                self.waiters.push(waiting);
            }
            (Poll::Ready(outcome), Some(expected)) => {
                self.waited(outcome, waiting.id, &expected);
                let again = Pin::new(&mut waiting.waiter).poll(&mut context);
                assert!(matches!(again, Poll::Ready(WaitOutcome::TimedOut)), "it was ready");
            }
            (polled, expected) => panic!("the engine: {polled:?}; the machine: {expected:?}"),
        }
    }

    /// W2: for whom there is something, it has been woken since it was polled.
    pub(super) fn assert_futures_are_woken(&self) {
        for Waiting { id, bell, .. } in &self.waiters {
            let Some(bell) = bell else { continue };
            let is_woken = bell.0.load(Ordering::Relaxed) > 0;
            assert!(is_woken || !self.machine.is_ready(*id), "a future that nobody has woken");
        }
    }

    pub(super) fn on_end(&mut self, waiter: Pick) {
        let Some(Waiting { waiter, id, .. }) = take(&mut self.waiters, waiter) else { return };
        let sender = self.calls.0.clone();
        let callback = waiter.on_end(move |outcome| {
            sender.send((id, outcome)).expect("the test listens");
        });
        self.callbacks.push((callback, id));
        self.machine.call_back(id);
    }

    pub(super) fn cancel_callback(&mut self, callback: Pick) {
        let Some((callback, id)) = take(&mut self.callbacks, callback) else { return };
        assert_eq!(callback.cancel(), self.machine.cancel_callback(id));
        assert!(!callback.cancel(), "it was cancelled, or called, before");
    }

    /// W2: the same callbacks were called, each once and with the same.
    pub(super) fn compare_calls(&mut self) {
        let mut expected = self.machine.take_called();
        while let Ok((id, outcome)) = self.calls.1.try_recv() {
            let expected = expected.remove(&id);
            let expected: Said = expected.unwrap_or_else(|| panic!("called with {outcome:?}"));
            self.waited(outcome, id, &expected);
        }
        assert!(expected.is_empty(), "callbacks that were not called: {expected:?}");
    }
}
