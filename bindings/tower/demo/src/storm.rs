//! Clients as they are: impatient, double-clicking, going away, mistaken.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A client of the service.
pub type Http = Client<HttpConnector, Full<Bytes>>;

/// What came of the storm, as its clients saw it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests that were sent.
    pub requests: u64,
    /// Answers by status; 0 are those that never came: timeouts, disconnects, panics.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers that were marked as replays.
    pub replays: u64,
    /// Purchases whose client has an answer of 201.
    pub bought: u64,
    /// Purchases whose outcome their client was told to be unknown.
    pub unknown: u64,
}

/// Buys so many things, `at_once` of them at a time.
pub struct Storm {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Storm {
    /// Against the service at this address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, seen: Arc::default() }
    }

    /// What has been seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    /// Buys each of these, as different kinds of clients.
    pub async fn buy(&self, purchases: impl IntoIterator<Item = String>, at_once: usize) {
        let room = Arc::new(Semaphore::new(at_once));
        let http = Client::builder(TokioExecutor::new()).build_http();
        let mut clients = tokio::task::JoinSet::new();
        for (number, purchase) in purchases.into_iter().enumerate() {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            let buyer = Buyer {
                http: http.clone(),
                address: self.address,
                seen: self.seen.clone(),
                kind: number % 10,
                purchase,
            };
            clients.spawn(async move {
                buyer.buy().await;
                drop(permit);
            });
        }
        while clients.join_next().await.is_some() {}
    }
}

struct Buyer {
    http: Http,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    kind: usize,
    purchase: String,
}

impl Buyer {
    /// How the handler behaves, and how long this client waits for it before it tries again.
    fn manners(&self) -> (u64, &'static str, Duration) {
        let patient = Duration::from_secs(20);
        match self.kind {
            // Slower than the client has patience for: it goes away, and comes again.
            0 | 1 => (60, "", Duration::from_millis(25)),
            // Slower than the lease.
            2 => (500, "", patient),
            3 => (5, "before", patient),
            4 => (5, "after", patient),
            _ => (3, "", patient),
        }
    }

    async fn buy(&self) {
        let (delay_ms, panics, patience) = self.manners();
        let body = |panics: &str| {
            format!(
                "{{\"purchase\":\"{}\",\"delay_ms\":{delay_ms},\"panics\":\"{panics}\"}}",
                self.purchase
            )
        };
        // The same key for the same purchase, however often it is tried.
        let body = body(panics);
        if self.kind >= 7 {
            // Clicks twice.
            tokio::join!(
                self.try_until_answered(&body, patience),
                self.try_until_answered(&body, patience)
            );
        } else {
            self.try_until_answered(&body, patience).await;
        }
        if self.kind == 6 {
            // Uses its key once more, by mistake, for something else.
            let other = body.replace(&self.purchase, &format!("{}-other", self.purchase));
            self.send(&other, Duration::from_secs(20)).await;
        }
    }

    async fn try_until_answered(&self, body: &str, mut patience: Duration) {
        for attempt in 0..200 {
            let (status, _) = self.send(body, patience).await;
            match status {
                201 => return self.seen.lock().bought += 1,
                // Nobody knows whether it was charged: an operator settles it.
                500 => return self.seen.lock().unknown += 1,
                // Gone away, broken off, or refused for now.
                0 | 409 | 503 => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => return,
            }
            // Its handler panics before the charge every time.
            if self.kind == 3 && attempt >= 2 {
                return;
            }
            patience = patience.saturating_mul(2).min(Duration::from_secs(20));
        }
    }

    /// One request: its status, 0 if there was no answer, and whether that was a replay.
    async fn send(&self, body: &str, patience: Duration) -> (u16, bool) {
        let request = Request::post(format!("http://{}/charges", self.address))
            .header("content-type", "application/json")
            .header("authorization", "storm")
            .header("idempotency-key", format!("\"{}\"", self.purchase))
            .body(Full::new(Bytes::from(body.to_owned())));
        let Ok(request) = request else { return (0, false) };
        let exchange = async {
            let response = self.http.request(request).await.ok()?;
            let is_replay = response.headers().contains_key("idempotent-replayed");
            let status = response.status().as_u16();
            response.into_body().collect().await.ok()?;
            Some((status, is_replay))
        };
        let (status, is_replay) =
            timeout(patience, exchange).await.ok().flatten().unwrap_or_default();
        let mut seen = self.seen.lock();
        seen.requests += 1;
        seen.replays += u64::from(is_replay);
        *seen.statuses.entry(status).or_default() += 1;
        (status, is_replay)
    }
}

/// How long quick charges take: so many, one after the other. In microseconds, in order.
pub async fn latencies(address: SocketAddr, prefix: &str, count: usize) -> Vec<u64> {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let mut micros = Vec::with_capacity(count);
    for number in 0..count {
        let body = format!("{{\"purchase\":\"{prefix}-{number}\"}}");
        let request = Request::post(format!("http://{address}/charges"))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("\"{prefix}-{number}\""))
            .body(Full::new(Bytes::from(body)));
        let Ok(request) = request else { continue };
        let begun = Instant::now();
        if let Ok(response) = http.request(request).await
            && response.into_body().collect().await.is_ok()
        {
            micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }
    micros.sort_unstable();
    micros
}
