//! Running a future at most once at a time, and sharing what comes of it (L9).

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

use futures_channel::oneshot;

use crate::claim::{Claim, ClaimError};
use crate::engine::Engine;
use crate::lease::Lease;
use crate::outcome::Reason;
use crate::run::{Begun, Ran, end_run, go_on};

/// Work that is to be given to an executor; see [`Engine::run_shared`].
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long shared work goes on when the caller that began it is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum OnDrop {
    /// To its end: its result is stored, whoever is still there to see it.
    #[default]
    Finish,
    /// For as long as anybody waits for it. It is looked at whenever the work is polled: work that
    /// nobody waits for any more ends at its next step, and its lease as one that is dropped.
    WhileAwaited,
}

impl Engine {
    /// As [`run`](Self::run), for a function that returns a future, on any executor; no thread is
    /// blocked.
    ///
    /// Claims when it is first polled. The caller drives the work: if it is dropped before that ends,
    /// the lease is [abandoned](crate::Claim::on_abandon), and by default the longest waiting waiter
    /// executes next. For work that goes on, see [`run_shared`](Self::run_shared).
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub async fn run_async<R, E, F>(
        &self,
        claim: impl Into<Claim>,
        function: impl FnOnce() -> F,
    ) -> Result<Ran<R, E>, ClaimError>
    where
        F: Future<Output = Result<R, E>>,
        R: AsRef<[u8]>,
        E: AsRef<[u8]>,
    {
        let lease = match self.lease_to_run(claim).await? {
            Ok(lease) => lease,
            Err(ran) => return Ok(ran),
        };
        Ok(end_run(lease, function().await, self.run_options().1))
    }

    /// As [`run_async`](Self::run_async), but no caller drives the work: it is given to `spawn`, which
    /// hands it to an executor, and goes on although its caller is dropped, as `on_drop` says.
    ///
    /// ```
    /// use idem::{Engine, OnDrop, Scope};
    /// # fn spawn(_: idem::Work) {} // For instance: |work| drop(tokio::spawn(work))
    /// # async fn example(engine: &Engine) -> Result<(), Box<dyn std::error::Error>> {
    /// let key = engine.key(Scope::None, b"report-2026-11")?;
    /// let make = || async { Ok::<_, String>("made") };
    /// let ran = engine.run_shared(key, OnDrop::Finish, spawn, make).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If the executor drops the work, its caller gets [`Ran::Cancelled`].
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub async fn run_shared<R, E, F>(
        &self,
        claim: impl Into<Claim>,
        on_drop: OnDrop,
        spawn: impl FnOnce(Work),
        function: impl FnOnce() -> F,
    ) -> Result<Ran<R, E>, ClaimError>
    where
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: AsRef<[u8]> + Send + 'static,
        E: AsRef<[u8]> + Send + 'static,
    {
        let lease = match self.lease_to_run(claim).await? {
            Ok(lease) => lease,
            Err(ran) => return Ok(ran),
        };
        let (mut caller, ran) = oneshot::channel();
        let (future, policy) = (function(), self.run_options().1);
        spawn(Box::pin(async move {
            let mut future = pin!(future);
            let result = poll_fn(|context| {
                let is_alone = on_drop == OnDrop::WhileAwaited
                    && caller.poll_canceled(context).is_ready()
                    && !lease.is_awaited();
                if is_alone {
                    return Poll::Ready(None);
                }
                future.as_mut().poll(context).map(Some)
            });
            if let Some(result) = result.await {
                // A caller that has gone does not see it; those who wait do.
                let _ = caller.send(end_run(lease, result, policy));
            }
        }));
        Ok(ran.await.unwrap_or(Ran::Cancelled(Reason::Dropped)))
    }

    /// Claims, and waits if somebody else is at it: the lease, if the work is to be done here.
    async fn lease_to_run<R, E>(
        &self,
        claim: impl Into<Claim>,
    ) -> Result<Result<Lease, Ran<R, E>>, ClaimError> {
        Ok(match self.begin_run(claim)? {
            Begun::Owns(lease) => Ok(lease),
            Begun::Over(ran) => Err(ran),
            Begun::Waits(other) => {
                let info = other.info();
                go_on(other.await, info)
            }
        })
    }
}
