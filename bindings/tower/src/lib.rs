//! Idempotency for tower services: servers made with axum, hyper or tonic, and the clients that they call.
//!
//! [`IdempotencyLayer`] handles `Idempotency-Key` as a [`Policy`](idem_http::Policy) says: duplicates are
//! refused, wait, or get the first one's answer, byte for byte. [`CoalesceLayer`] is for outgoing clients:
//! identical calls at the same time go out once.
//!
//! ```
//! use axum::{Router, routing::post};
//! use idem_http::{Gate, Policy};
//! use idem_tower::IdempotencyLayer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = idem::Engine::new()?;
//! // Keys are unique for each account.
//! let gate = Gate::new(&engine, Policy::ietf(), |head| {
//!     // Or what a layer outside of this one has found out: Overrides::scope.
//!     head.values("x-account").next().map(<[u8]>::to_vec)
//! })?;
//! let app: Router = Router::new()
//!     .route("/charges", post(|| async { "charged" }))
//!     .layer(IdempotencyLayer::new(gate));
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//! - A request that nothing is done about goes through untouched, its body as a stream.
//! - A keyed request is read to [`body_max`](idem_http::Policy::body_max) before its key is claimed, if its
//!   body counts. A handler that is not done at once goes on as a task of tokio, also if its client goes away, and its
//!   answer is kept for the retry. So a keyed handler must be called within a tokio runtime, and has no task-local
//!   values of the caller's.
//! - The answer is sent when it has been stored. It is held in memory until then, but for one that is longer
//!   than [`response_max`](idem_http::Policy::response_max), which is not kept, or for
//!   [streamed](IdempotencyLayer::stream_responses) ones, whose promise is weaker.
//! - A handler that is slower than its lease keeps it, up to [`max_run`](idem_http::Policy::max_run); but not one
//!   that blocks its thread meanwhile: that needs a longer lease.
//! - A handler sees and drives what becomes of its request by a [`Control`](idem_http::Control), which is an
//!   extension of the request. A request is told apart otherwise by [`Overrides`](idem_http::Overrides), an
//!   extension that a layer outside of this one puts there.
//!
//! Whoever waits for another one's answer has a place in the inner service (its readiness) meanwhile: limits of
//! concurrency go outside of the layer.
//!
//! # Seeing it
//! With the feature `tracing` the field `idempotency` of the current span says what became of a request, if the span
//! has declared it; with `metrics` the counter `idem_http_requests_total` does. The engine's own counters are
//! [`Engine::stats`](idem::Engine::stats), its events [`Builder::hook`](idem::Builder::hook).
//!
//! # Work that is no HTTP
//! Jobs, messages of queues and webhooks take the engine itself: `engine.run(key, || ...)`, `run_async`, or
//! [`once`](idem::Engine::once), which stores no response.

mod body;
mod coalesce;
mod execute;
mod layer;
mod observe;
mod outlive;
mod stream;
pub mod testing;

pub use body::{BoxError, RequestBody, ResponseBody};
pub use coalesce::CoalesceLayer;
pub use layer::{Idempotency, IdempotencyLayer, ResponseFuture};
