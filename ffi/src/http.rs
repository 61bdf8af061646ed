//! Idempotency over HTTP: gates, and requests on their way through them. What is decided is decided by `idem-http`.

mod gate;
mod request;
mod shown;
mod types;

pub use gate::*;
pub use request::*;
pub use types::*;
