//! Responses that are sent while they are kept, and what becomes of those that are not as their head says (H4). In
//! process: who reads does it as servers of HTTP/1.1 and HTTP/2 do, or goes away.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use idem::Engine;
use idem_http::{Gate, Policy, WhileInFlight, global};
use idem_tower::IdempotencyLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

type Body = BoxBody<Bytes, Infallible>;

fn text(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

/// What a client reads of an answer: its text, its trailer, and whether it is a replay; `None`: it broke off.
type Read = Option<(String, Option<HeaderValue>, bool)>;

/// A service that answers after a while, and how often it did.
struct Lab {
    layer: IdempotencyLayer,
    calls: Arc<AtomicU32>,
    answer: fn() -> Response<Body>,
}

impl Lab {
    fn new(streams: bool, answer: fn() -> Response<Body>) -> Self {
        let while_in_flight = WhileInFlight::Wait(Duration::from_secs(10));
        let policy = Policy { while_in_flight, ..Policy::ietf() };
        let gate = Gate::new(&Engine::new().unwrap(), policy, global).unwrap();
        let layer = IdempotencyLayer::of(gate);
        let layer = if streams { layer.stream_responses() } else { layer };
        Self { layer, calls: Arc::default(), answer }
    }

    async fn call(&self) -> Response<impl http_body::Body<Data = Bytes>> {
        let (calls, answer) = (self.calls.clone(), self.answer);
        let handler = service_fn(move |_: Request<_>| {
            let calls = calls.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                calls.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(answer())
            }
        });
        let request = Request::post("/").header("idempotency-key", "\"k\"").body(text("")).unwrap();
        let mut service = self.layer.layer(handler);
        service.ready().await.unwrap().call(request).await.unwrap()
    }

    async fn read(&self) -> Read {
        let response = self.call().await;
        let is_replay = response.headers().contains_key("idempotent-replayed");
        let whole = response.into_body().collect().await.ok()?;
        let trailer = whole.trailers().and_then(|trailers| trailers.get("x-end")).cloned();
        Some((String::from_utf8(whole.to_bytes().into()).unwrap(), trailer, is_replay))
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

fn with_trailers(body: &'static str) -> Response<Body> {
    let trailers = async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", HeaderValue::from_static("yes"));
        Some(Ok(trailers))
    };
    Response::new(text(body).with_trailers(trailers).boxed())
}

#[tokio::test]
async fn trailers_come_after_a_body_of_known_length() {
    for streams in [false, true] {
        let lab = Lab::new(streams, || with_trailers("body"));
        for replayed in [false, true] {
            let end = Some(HeaderValue::from_static("yes"));
            assert_eq!(lab.read().await, Some((String::from("body"), end, replayed)), "{streams}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_shorter_than_its_head_says_is_not_kept() {
    for streams in [false, true] {
        let lab = Lab::new(streams, || {
            let short = text("half").map_frame(|frame| frame).boxed();
            Response::builder().header("content-length", "10").body(short).unwrap()
        });
        for calls in 1..=2 {
            let read = lab.read().await;
            assert!(streams || read.is_none(), "{read:?}");
            assert!(read.is_none_or(|(_, _, is_replay)| !is_replay));
            assert_eq!(lab.calls(), calls, "{streams}");
        }
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_because_it_is_empty_is_kept() {
    let lab = Lab::new(true, || {
        let mut response = with_trailers("");
        response.headers_mut().insert("content-length", HeaderValue::from_static("0"));
        response
    });
    drop(lab.call().await);
    assert!(lab.read().await.is_some_and(|(_, _, is_replay)| is_replay));
    assert_eq!(lab.calls(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_answer_loses_nothing() {
    for streams in [false, true] {
        let lab = Lab::new(streams, || with_trailers("body"));
        let gone = tokio::time::timeout(Duration::from_millis(10), lab.call()).await;
        assert!(gone.is_err());
        assert!(lab.read().await.is_some_and(|(_, _, is_replay)| is_replay), "{streams}");
        assert_eq!(lab.calls(), 1);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_interrupts() {
    let lab = Lab::new(true, || with_trailers("body"));
    drop(lab.call().await);
    assert!(lab.read().await.is_some_and(|(_, _, is_replay)| !is_replay));
    assert_eq!(lab.calls(), 2);
}
