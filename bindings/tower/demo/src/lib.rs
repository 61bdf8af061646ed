//! A payments service behind the idempotency layer, and a storm of clients against it: `make demo`.

mod ledger;
mod server;
mod storm;

pub use ledger::{Ledger, Sums};
pub use server::{Purchase, Shop};
pub use storm::{Http, Seen, Storm, latencies};

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use idem_http::Policy;

/// The policy of the payments service: the draft's, with a lease so short that some handlers are slower.
#[must_use]
pub fn policy() -> Policy {
    Policy { lease: Duration::from_millis(200), ..Policy::ietf() }
}

/// Serves on a port of the system's choice, for as long as the runtime lives.
///
/// # Errors
/// The system has no port to give.
pub async fn serve(router: Router, port: u16) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
