//! reqwest as an outgoing client, over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use idem::Engine;
use idem_http::{Gate, Policy};
use idem_tower::{CoalesceLayer, IdempotencyLayer, RequestBody};
use tokio_stream::StreamExt;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt, service_fn};

type Request = http::Request<Full<Bytes>>;
type Calls = Arc<AtomicU32>;
type Outgoing = BoxCloneService<
    http::Request<RequestBody<Full<Bytes>>>,
    http::Response<reqwest::Body>,
    reqwest::Error,
>;

fn outgoing() -> Outgoing {
    let client = reqwest::Client::new();
    let send = service_fn(move |request: http::Request<RequestBody<Full<Bytes>>>| {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
        let client = client.clone();
        async move { client.execute(request?).await.map(http::Response::<reqwest::Body>::from) }
    });
    BoxCloneService::new(send)
}

/// Answers in three pieces, a while apart: its number, and what it was sent.
async fn upstream() -> (SocketAddr, Calls) {
    let calls = Calls::default();
    let counted = calls.clone();
    let app = Router::new().fallback(any(move |body: Bytes| async move {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let pieces = [number.to_string().into(), Bytes::from_static(b" "), body];
        let later = tokio_stream::iter(pieces).then(|piece| async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Ok::<_, Infallible>(piece)
        });
        axum::body::Body::from_stream(later)
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, calls)
}

fn request(method: &str, address: SocketAddr, body: &'static str) -> Request {
    let request = http::Request::builder().method(method).uri(format!("http://{address}/"));
    request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
}

async fn text<S, R>(client: S, request: Request) -> String
where
    S: Service<Request, Response = http::Response<R>, Error = reqwest::Error>,
    R: http_body::Body<Data = Bytes>,
{
    let response = client.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.map_err(|_| ()).unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn b1_identical_calls_go_out_once() {
    let (address, calls) = upstream().await;
    let client = CoalesceLayer::new(&Engine::new().unwrap()).methods(&["POST"]).layer(outgoing());
    let tasks: Vec<_> = ["x", "y", "x", "y", "x"]
        .map(|body| tokio::spawn(text(client.clone(), request("POST", address, body))))
        .into();
    let mut texts = vec![];
    for task in tasks {
        texts.push(task.await.unwrap());
    }
    texts.sort();
    texts.dedup();
    assert_eq!((texts.len(), calls.load(Ordering::SeqCst)), (2, 2), "{texts:?}");
    // Nothing is kept: the next one goes out.
    assert_eq!(text(client, request("POST", address, "x")).await, "3 x");
}

#[tokio::test]
async fn b1_whoever_goes_away_takes_nobody_along() {
    let (address, calls) = upstream().await;
    let client = CoalesceLayer::new(&Engine::new().unwrap()).layer(outgoing());
    let first = tokio::spawn(text(client.clone(), request("GET", address, "")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = tokio::spawn(text(client, request("GET", address, "")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    assert_eq!((&second.await.unwrap()[..], calls.load(Ordering::SeqCst)), ("1 ", 1));
}

#[tokio::test]
async fn k2_calls_of_different_tenants_are_not_one() {
    let (address, calls) = upstream().await;
    let engine = Engine::new().unwrap();
    let tenant = |head: &idem_http::Head<'_>| head.values("x-tenant").next().map(<[u8]>::to_vec);
    let gate = Gate::new(&engine, Policy::coalesce(), tenant).unwrap();
    let client = IdempotencyLayer::of(gate).layer(outgoing());
    let of = |tenant: &str| {
        let mut request = request("GET", address, "");
        request.headers_mut().insert("x-tenant", tenant.parse().unwrap());
        tokio::spawn(text(client.clone(), request))
    };
    let tasks = [of("a"), of("b"), of("a"), of("b")];
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}
