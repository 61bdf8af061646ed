//! What the layer costs requests that it does nothing about, over loopback HTTP: pairs of short runs, with the layer
//! and without, in turn.
//!
//! ```text
//! cargo run --release -p idem-tower --example loopback -- [PAIRS]
//! ```
//!
//! Prints the median ratio of throughput, and the 95 % bounds of that median (by order statistics).

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::routing::post;
use idem::Engine;
use idem_http::{Gate, Policy, global};
use idem_tower::IdempotencyLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Requests of a run.
const REQUESTS: usize = 500;

const REQUEST: &[u8] = b"POST /charges HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Seconds of a run over one connection.
async fn run(stream: &mut TcpStream) -> f64 {
    let mut answer = [0; 1024];
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        stream.write_all(REQUEST).await.expect("it is sent");
        let length = stream.read(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer[..length].ends_with(b"done"));
    }
    begun.elapsed().as_secs_f64()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pairs = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(400_usize);
    let engine = Engine::new().expect("an engine by default");
    let policy = Policy { require_key: false, ..Policy::ietf() };
    let router = Router::new().route("/charges", post(|| async { "done" }));
    let layer = IdempotencyLayer::of(Gate::new(&engine, policy, global).expect("a right policy"));
    let (with, without) = (serve(router.clone().layer(layer)).await, serve(router).await);
    let mut with = TcpStream::connect(with).await.expect("a connection");
    let mut without = TcpStream::connect(without).await.expect("a connection");
    for stream in [&mut with, &mut without] {
        stream.set_nodelay(true).expect("an option");
        run(stream).await;
    }
    let (mut ratios, mut spent) = (Vec::with_capacity(pairs), 0.0);
    for pair in 0..pairs {
        // Each goes first as often as the other.
        let (a, b) = if pair % 2 == 0 {
            let a = run(&mut with).await;
            (a, run(&mut without).await)
        } else {
            let b = run(&mut without).await;
            (run(&mut with).await, b)
        };
        ratios.push(b / a);
        spent += b;
    }
    ratios.sort_by(f64::total_cmp);
    let half_width = 0.98 * (pairs as f64).sqrt();
    let at = |place: f64| ratios[(place.max(0.0) as usize).min(pairs - 1)];
    let middle = pairs as f64 / 2.0;
    println!(
        "throughput with the layer: {:.3} of that without ({:.3} to {:.3}; {pairs} pairs of {REQUESTS} requests)",
        at(middle),
        at(middle - half_width),
        at(middle + half_width)
    );
    println!("a request without: {:.1} us", spent * 1e6 / (pairs * REQUESTS) as f64);
}
