//! Work that goes on without whoever waits for it.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::panic::resume_unwind;

use tokio::task::JoinHandle;

/// Work that is done where it is waited for if it is done at once; and otherwise as a task of its own, which needs
/// nobody to wait for it, or to poll in time.
pub(crate) struct Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// Until it was polled once.
    work: Option<Pin<Box<F>>>,
    task: Option<JoinHandle<F::Output>>,
}

impl<F> Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(crate) fn new(work: F) -> Self {
        Self { work: Some(Box::pin(work)), task: None }
    }
}

impl<F> Future for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    /// # Panics
    /// Outside of a runtime of tokio; and as the work does.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(mut work) = self.work.take() {
            let done = work.as_mut().poll(cx);
            if done.is_ready() {
                return done;
            }
            self.task = Some(tokio::spawn(work));
        }
        let Some(task) = &mut self.task else { return Poll::Pending };
        match ready!(Pin::new(task).poll(cx)) {
            Ok(done) => Poll::Ready(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Poll::Pending,
            },
        }
    }
}
