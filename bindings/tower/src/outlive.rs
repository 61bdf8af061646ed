//! Work that goes on without whoever waits for it.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use tokio::runtime::Handle;

/// Work that is done where it is waited for, as if there were nothing about it; and if nobody waits any more, as a
/// task of its own.
pub(crate) struct Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// Until it is done, or has panicked.
    work: Option<Pin<Box<F>>>,
    runtime: Handle,
}

impl<F> Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// # Panics
    /// Outside of a runtime of tokio.
    pub(crate) fn new(work: F) -> Self {
        Self { work: Some(Box::pin(work)), runtime: Handle::current() }
    }
}

impl<F> Future for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that work that panics is not gone on with.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let done = work.as_mut().poll(cx);
        if done.is_pending() {
            self.work = Some(work);
        }
        done
    }
}

impl<F> Drop for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            // A runtime that is shutting down drops it: an interrupted request.
            drop(self.runtime.spawn(work));
        }
    }
}
