//! A server made with axum, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use idem::Engine;
use idem_http::{Control, Gate, Policy, WhileInFlight, global};
use idem_tower::IdempotencyLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often handlers were called.
type Calls = Arc<AtomicU32>;

async fn charge(Extension(calls): Extension<Calls>, body: Bytes) -> impl IntoResponse {
    let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
    let headers = [("x-a", "1"), ("x-b", "2"), ("set-cookie", "session=1")];
    (StatusCode::CREATED, headers, format!("{number}: {} bytes", body.len()))
}

async fn slow(Extension(calls): Extension<Calls>) -> String {
    tokio::time::sleep(Duration::from_millis(400)).await;
    format!("{}", calls.fetch_add(1, Ordering::SeqCst) + 1)
}

async fn fails(Extension(calls): Extension<Calls>) -> impl IntoResponse {
    calls.fetch_add(1, Ordering::SeqCst);
    (StatusCode::INTERNAL_SERVER_ERROR, "failed")
}

async fn panics(Extension(calls): Extension<Calls>, Extension(control): Extension<Control>) {
    if calls.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
        control.side_effects_began();
    }
    panic!("as planned");
}

async fn empty(Extension(calls): Extension<Calls>) -> StatusCode {
    calls.fetch_add(1, Ordering::SeqCst);
    StatusCode::NO_CONTENT
}

/// A body that breaks off, and then is over.
struct Broken(u8);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0 += 1;
        std::task::Poll::Ready(match self.0 {
            1 => Some(Ok(http_body::Frame::data(Bytes::from_static(b"half")))),
            2 => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
            _ => None,
        })
    }
}

async fn broken(Extension(calls): Extension<Calls>) -> axum::body::Body {
    calls.fetch_add(1, Ordering::SeqCst);
    axum::body::Body::new(Broken(0))
}

struct Server {
    address: SocketAddr,
    calls: Calls,
    engine: Engine,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
    async fn new(policy: Policy) -> Self {
        Self::with(policy, |layer| layer).await
    }

    async fn with(
        policy: Policy,
        change: impl FnOnce(IdempotencyLayer) -> IdempotencyLayer,
    ) -> Self {
        let engine = Engine::new().unwrap();
        let calls = Calls::default();
        let layer = change(IdempotencyLayer::of(Gate::new(&engine, policy, global).unwrap()));
        let app = Router::new()
            .route("/charge", post(charge).get(charge))
            .route("/slow", post(slow))
            .route("/fails", post(fails))
            .route("/panics", post(panics))
            .route("/echo", post(|request: Request| async { request.into_body() }))
            .route("/large", post(|| async { vec![7_u8; 3 << 20] }))
            .route("/empty", post(empty))
            .route("/broken", post(broken))
            .route("/health", get(|| async { "well" }))
            .layer(layer)
            .layer(Extension(calls.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, calls, engine, client }
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &'static [u8]) -> Answer {
        let mut request = http::Request::post(format!("http://{}{path}", self.address));
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let request = request.body(Full::new(Bytes::from_static(body))).unwrap();
        Answer::of(self.client.request(request).await).await
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A response, read; 0 and nothing if the connection broke off.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    async fn of<E>(response: Result<http::Response<hyper::body::Incoming>, E>) -> Self {
        let Ok(response) = response else { return Self::default() };
        let (parts, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return Self::default() };
        Self { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() }
    }

    fn is_replay(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }
}

#[tokio::test]
async fn h2_a_retry_gets_the_first_answer_byte_for_byte() {
    let server = Server::new(Policy::ietf()).await;
    let first = server.post("/charge", Some("k"), b"amount=1").await;
    let second = server.post("/charge", Some("k"), b"amount=1").await;
    assert_eq!((first.status, second.status, server.calls()), (201, 201, 1));
    assert_eq!((&first.body[..], &second.body[..]), (&b"1: 8 bytes"[..], &b"1: 8 bytes"[..]));
    assert!(!first.is_replay() && second.is_replay());
    for name in ["x-a", "x-b", "content-type", "content-length"] {
        assert_eq!(first.headers.get(name), second.headers.get(name), "{name}");
    }
    assert!(first.headers.contains_key("set-cookie") && !second.headers.contains_key("set-cookie"));
    // Another body, another path, another query: another request.
    for (path, body) in
        [("/charge", &b"amount=2"[..]), ("/slow", b"amount=1"), ("/charge?x", b"amount=1")]
    {
        let other = server.post(path, Some("k"), body).await;
        assert_eq!(other.status, 422, "{path}");
        assert_eq!(other.headers["content-type"], "application/problem+json");
    }
    assert_eq!(server.post("/charge", None, b"").await.status, 400);
    assert_eq!(server.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_duplicates_in_flight_are_refused_or_wait() {
    let refusing = Arc::new(Server::new(Policy::ietf()).await);
    let mut waiting = Policy::ietf();
    waiting.while_in_flight = WhileInFlight::Wait(Duration::from_secs(10));
    let waiting = Arc::new(Server::new(waiting).await);
    for (server, refusals) in [(refusing, 99), (waiting, 0)] {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { server.post("/slow", Some("k"), b"x").await })
            })
            .collect();
        let mut counts = (0, 0, 0);
        for task in tasks {
            let answer = task.await.unwrap();
            match answer.status {
                200 if answer.is_replay() => counts.1 += 1,
                200 => counts.0 += 1,
                409 => counts.2 += 1,
                status => panic!("{status}"),
            }
            assert!(answer.status == 409 || &answer.body[..] == b"1");
        }
        assert_eq!((counts.0, counts.1 + counts.2), (1, 99));
        assert!(counts.2 == refusals || refusals == 99, "{counts:?}");
        assert_eq!(server.calls(), 1);
    }
}

#[tokio::test]
async fn c4_a_client_that_goes_away_loses_nothing() {
    let server = Server::new(Policy::ietf()).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(
            b"POST /slow HTTP/1.1\r\nhost: x\r\nidempotency-key: \"k\"\r\ncontent-length: 1\r\n\r\nx",
        )
        .await
        .unwrap();
    while server.engine.stats().executes == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(stream);
    // The handler goes on; its answer is there for the retry.
    let mut answer = server.post("/slow", Some("k"), b"x").await;
    while answer.status == 409 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = server.post("/slow", Some("k"), b"x").await;
    }
    assert_eq!((answer.status, &answer.body[..], server.calls()), (200, &b"1"[..], 1));
    assert!(answer.is_replay());
}

#[tokio::test]
async fn l9_a_handler_that_is_slower_than_its_lease_keeps_it() {
    let mut policy = Policy::ietf();
    policy.lease = Duration::from_millis(60);
    policy.while_in_flight = WhileInFlight::Wait(Duration::from_secs(10));
    let server = Arc::new(Server::new(policy).await);
    let first = tokio::spawn({
        let server = server.clone();
        async move { server.post("/slow", Some("k"), b"x").await }
    });
    let second = server.post("/slow", Some("k"), b"x").await;
    assert_eq!((first.await.unwrap().status, second.status, server.calls()), (200, 200, 1));
    assert!(server.engine.stats().renews >= 4);
}

#[tokio::test]
async fn h2_failures_run_again_or_are_replayed() {
    for (policy, calls) in [(Policy::ietf(), 2), (Policy::stripe_v1(), 1), (Policy::stripe_v2(), 2)]
    {
        let server = Server::new(policy).await;
        for _ in 0..2 {
            assert_eq!(server.post("/fails", Some("k"), b"").await.status, 500);
        }
        assert_eq!(server.calls(), calls);
    }
}

#[tokio::test]
async fn l8_a_panic_halts_what_has_had_effects() {
    let server = Server::new(Policy::ietf()).await;
    // The connection breaks off, as without the layer.
    assert_eq!(server.post("/panics", Some("k"), b"").await.status, 0);
    assert_eq!(server.post("/panics", Some("k"), b"").await.status, 0);
    assert_eq!(server.calls(), 2);
    // The second had said that its effects had begun: nobody knows what became of it.
    let halted = server.post("/panics", Some("k"), b"").await;
    assert_eq!((halted.status, server.calls()), (500, 2));
    let halted = |status| matches!(status, idem::Status::Halted(..));
    assert_eq!(server.engine.listing().filter(|record| halted(record.status)).count(), 1);
}

#[tokio::test]
async fn c7_what_is_too_large_has_its_status() {
    let server = Server::new(Policy::ietf()).await;
    let body = Box::leak(vec![1_u8; (1 << 20) + 1].into_boxed_slice());
    let refused = server.post("/echo", Some("k"), body).await;
    assert_eq!((refused.status, server.engine.stats().executes), (413, 0));
    // Without a key it streams through, whatever its size.
    let server = Server::new(Policy { require_key: false, ..Policy::ietf() }).await;
    assert_eq!(server.post("/echo", None, body).await.body.len(), (1 << 20) + 1);
    // A response that is too long is sent, but not kept: it was done, and is not done again.
    assert_eq!(server.post("/large", Some("k"), b"").await.body.len(), 3 << 20);
    assert_eq!(server.post("/large", Some("k"), b"").await.status, 409);
    assert_eq!(server.post("/charge", Some(&"k".repeat(256)), b"").await.status, 400);
}

#[tokio::test]
async fn h4_a_body_that_is_cut_off_executes_nothing() {
    let mut policy = Policy::ietf();
    policy.body_timeout = Duration::from_millis(50);
    let server = Server::new(policy).await;
    let head =
        "POST /charge HTTP/1.1\r\nhost: x\r\nidempotency-key: \"k\"\r\ncontent-length: 10\r\n\r\n";
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(format!("{head}half").as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(format!("{head}half").as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(server.post("/charge", Some("k"), b"whole body").await.status, 201);
    assert_eq!((server.calls(), server.engine.stats().executes), (1, 1));
}

#[tokio::test]
async fn h4_a_streamed_response_is_kept_once_it_has_ended() {
    let server = Server::with(Policy::ietf(), IdempotencyLayer::stream_responses).await;
    let first = server.post("/echo", Some("k"), b"streamed").await;
    let second = server.post("/echo", Some("k"), b"streamed").await;
    assert_eq!((&first.body[..], &second.body[..]), (&b"streamed"[..], &b"streamed"[..]));
    assert!(second.is_replay() && !first.is_replay());
}

#[tokio::test]
async fn h4_a_body_that_breaks_off_is_not_sent_as_whole() {
    let server = Server::new(Policy::ietf()).await;
    for calls in 1..=2 {
        assert_eq!(server.post("/broken", Some("k"), b"").await.status, 0);
        assert_eq!(server.calls(), calls, "it runs again");
    }
}

#[tokio::test]
async fn h4_streamed_responses_of_a_known_length_are_kept() {
    let server = Server::with(Policy::ietf(), IdempotencyLayer::stream_responses).await;
    for (path, status) in [("/empty", 204), ("/charge", 201)] {
        for replayed in [false, true] {
            let answer = server.post(path, Some(path), b"x").await;
            assert_eq!((answer.status, answer.is_replay()), (status, replayed), "{path}");
        }
    }
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn k2_a_layer_within_a_layer_leaves_the_key_alone() {
    let engine = Engine::new().unwrap();
    let layer = || IdempotencyLayer::of(Gate::new(&engine, Policy::ietf(), global).unwrap());
    let calls = Calls::default();
    let app = Router::new().route("/charge", post(charge)).layer(layer()).layer(layer());
    let app = app.layer(Extension(calls.clone()));
    for _ in 0..2 {
        let request = http::Request::post("/charge").header("idempotency-key", "\"k\"");
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        assert_eq!(answer.status(), 201);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_tests_of_users_see() {
    use idem_tower::testing::{Outcome, fresh_key};
    let server = Server::new(Policy::ietf()).await;
    let key = fresh_key();
    assert_ne!(key, fresh_key());
    let mut outcomes = Vec::new();
    for body in ["x", "x", "y"] {
        let request = http::Request::post(format!("http://{}/charge", server.address));
        let request =
            request.header("idempotency-key", key.clone()).body(Full::from(body)).unwrap();
        let (parts, body) = server.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        outcomes.push(Outcome::of(&http::Response::from_parts(parts, ()), &body));
    }
    let refused = Outcome::Refused("key-reused".into());
    assert_eq!(outcomes, [Outcome::Executed, Outcome::Replayed, refused]);
}

#[tokio::test]
async fn r5_one_client_cannot_take_all_the_room() {
    let engine = Engine::new().unwrap();
    let limits = idem::NamespaceOptions::default().records_per_scope(3);
    let namespace = engine.define_namespace("charges", limits).unwrap();
    let user = |head: &idem_http::Head<'_>| head.values("authorization").next().map(<[u8]>::to_vec);
    let gate = Gate::builder(&engine, Policy::ietf(), user).namespace(namespace).build().unwrap();
    let app = Router::new()
        .route("/charge", post(charge))
        .layer(IdempotencyLayer::of(gate))
        .layer(Extension(Calls::default()));
    let mut statuses = Vec::new();
    for (user, key) in [("one", 1), ("one", 2), ("one", 3), ("one", 4), ("two", 1)] {
        let request = http::Request::post("/charge")
            .header("authorization", user)
            .header("idempotency-key", format!("\"{key}\""))
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [201, 201, 201, 429, 201]);
}

#[tokio::test]
async fn what_has_no_key_is_untouched() {
    let server = Server::new(Policy::ietf()).await;
    let request = http::Request::get(format!("http://{}/charge", server.address));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let answer = Answer::of(server.client.request(request).await).await;
    assert_eq!((answer.status, server.engine.stats().executes), (201, 0));
}
