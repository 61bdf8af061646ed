//! Idempotency over HTTP: gates, and requests on their way through them. What is decided is decided by `idem-http`.

mod gate;
mod request;
mod types;

pub use gate::*;
pub(crate) use request::bytes_of;
pub use request::*;
pub use types::*;
