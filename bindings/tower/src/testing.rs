//! For tests of services behind the layer: keys that nobody has used, and what is to be seen of an answer.
//!
//! An engine for a test is `Engine::new()`; [`idem::testing`] has one with a clock to set, keys that are seeded in
//! flight or completed, and a record of calls. Give each test an engine or a namespace of its own.
//!
//! ```
//! use idem_tower::testing::{Outcome, fresh_key};
//! # let answer = http::Response::builder().status(201).header("idempotent-replayed", "true").body(()).unwrap();
//! let request = http::Request::post("/charges").header("idempotency-key", fresh_key());
//! # let _ = request;
//! assert_eq!(Outcome::of(&answer, b""), Outcome::Replayed);
//! ```

use core::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderValue, Response};

/// A key for one request, in quotes: no other call of this process has the same.
#[must_use]
pub fn fresh_key() -> HeaderValue {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Relaxed: a number.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let text = format!("\"test-{}-{number}\"", std::process::id());
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from(number))
}

/// What an answer says of its request, under a policy whose replays are marked as usual.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The handler's own answer, or one that has passed through.
    Executed,
    /// An earlier one's.
    Replayed,
    /// Refused; the problem's `code`, as [`Refusal::code`](idem_http::Refusal::code) has it.
    Refused(String),
}

impl Outcome {
    /// By an answer and its body.
    #[must_use]
    pub fn of<B>(answer: &Response<B>, body: &[u8]) -> Self {
        let header = |name: &str| answer.headers().get(name).map(HeaderValue::as_bytes);
        if header("idempotent-replayed") == Some(b"true") {
            return Self::Replayed;
        }
        if header("content-type") == Some(b"application/problem+json")
            && let Some(code) = idem_http::problem_code(body)
        {
            return Self::Refused(code);
        }
        Self::Executed
    }
}
