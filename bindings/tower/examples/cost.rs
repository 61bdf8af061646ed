//! What the layer adds to a request, in process: a handler that does nothing, with the layer and without, in
//! turn, medians of rounds.
//!
//! ```text
//! cargo run --release -p idem-tower --example cost -- [ROUNDS]
//! ```
//!
//! One thread, a runtime of one thread, bodies of 256 bytes. Answers are checked.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use idem::Engine;
use idem_http::{Gate, Policy, global};
use idem_tower::IdempotencyLayer;
use tower::{Layer, Service, ServiceExt};

/// Requests of a round, of each kind.
const REQUESTS: u32 = 2000;

type Body = Full<Bytes>;

async fn handle<B>(_: Request<B>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from_static(b"done")))
}

trait FromStatic {
    fn from_static(bytes: &'static [u8]) -> Self;
}

impl FromStatic for Body {
    fn from_static(bytes: &'static [u8]) -> Self {
        Full::new(Bytes::from_static(bytes))
    }
}

fn request(key: Option<u32>) -> Request<Body> {
    let mut request = Request::post("/charges").header("accept", "*/*");
    if let Some(key) = key {
        request = request.header("idempotency-key", format!("\"{key}\""));
    }
    request.body(Full::new(Bytes::from_static(&[7; 256]))).expect("the request is right")
}

/// Time of a request, of those with these keys.
async fn time<S, R>(service: &mut S, keys: impl Iterator<Item = Option<u32>>, replayed: bool) -> f64
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
    R: http_body::Body<Data = Bytes>,
{
    let mut spent = Duration::ZERO;
    for key in keys {
        let request = request(key);
        let begun = Instant::now();
        let Ok(ready) = service.ready().await;
        let Ok(response) = ready.call(request).await;
        let is_replay = response.headers().contains_key("idempotent-replayed");
        let body = response.into_body().collect().await.map_err(|_| ()).expect("it has a body");
        spent += begun.elapsed();
        assert_eq!((&body.to_bytes()[..], is_replay), (&b"done"[..], replayed));
    }
    spent.as_secs_f64() * 1e9 / f64::from(REQUESTS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(30_u32);
    // As one that has run for a while: its memory has been touched.
    let engine = Engine::builder().prefault(true).build().expect("an engine by default");
    let policy = Policy { require_key: false, ..Policy::ietf() };
    let layer = IdempotencyLayer::of(Gate::new(&engine, policy, global).expect("a right policy"));
    let mut with = layer.layer(tower::service_fn(handle));
    let mut without = tower::service_fn(handle);
    let mut rows: [Vec<f64>; 5] = Default::default();
    for round in 0..rounds {
        let bare = || (0..REQUESTS).map(|_| None);
        let keys = || (round * REQUESTS..(round + 1) * REQUESTS).map(Some);
        rows[0].push(time(&mut without, bare(), false).await);
        rows[1].push(time(&mut with, bare(), false).await);
        rows[2].push(time(&mut without, keys(), false).await);
        rows[3].push(time(&mut with, keys(), false).await);
        rows[4].push(time(&mut with, keys(), true).await);
    }
    let [bare, passed, keyed, first, replay] = rows.map(median);
    println!("| a request | without, ns | with the layer, ns | added |\n|---|--:|--:|--:|");
    for (name, without, with) in [
        ("without a key", bare, passed),
        ("first execution", keyed, first),
        ("replay", keyed, replay),
    ] {
        println!("| {name} | {without:.0} | {with:.0} | {:.0} |", with - without);
    }
}
