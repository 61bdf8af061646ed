//! Outgoing clients, over real sockets: identical calls go out once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::any;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use idem::Engine;
use idem_http::Overrides;
use idem_tower::{CoalesceLayer, Idempotency, RequestBody};
use tower::{Layer, Service, ServiceExt};

type Calls = Arc<AtomicU32>;
type Outgoing = Client<HttpConnector, RequestBody<Empty<Bytes>>>;

async fn upstream() -> (SocketAddr, Calls) {
    let calls = Calls::default();
    let counted = calls.clone();
    let app = Router::new().fallback(any(move |RawQuery(query): RawQuery| async move {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
        format!("{number} {}", query.unwrap_or_default())
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, calls)
}

fn client(layer: &CoalesceLayer) -> Idempotency<Outgoing> {
    layer.layer(Client::builder(TokioExecutor::new()).build_http())
}

fn request(
    uri: String,
    overrides: Option<Overrides>,
    header: (&str, &str),
) -> Request<Empty<Bytes>> {
    let mut request = Request::get(uri).header(header.0, header.1).body(Empty::new()).unwrap();
    if let Some(overrides) = overrides {
        request.extensions_mut().insert(overrides);
    }
    request
}

/// Sends them all at once; the bodies of the answers.
async fn all(client: &Idempotency<Outgoing>, requests: Vec<Request<Empty<Bytes>>>) -> Vec<String> {
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let response = client.ready().await.unwrap().call(request).await.unwrap();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                String::from_utf8(body.to_vec()).unwrap()
            })
        })
        .collect();
    let mut bodies = Vec::new();
    for task in tasks {
        bodies.push(task.await.unwrap());
    }
    bodies
}

#[tokio::test]
async fn h2_identical_calls_at_the_same_time_are_one() {
    let (address, calls) = upstream().await;
    let layer = CoalesceLayer::new(&Engine::new().unwrap());
    let client = client(&layer);
    let same = |_| request(format!("http://{address}/a?x"), None, ("accept", "text/plain"));
    let bodies = all(&client, (0..50).map(same).collect()).await;
    assert!(bodies.iter().all(|body| body == "1 x"), "{bodies:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    // Nothing is kept: the next one goes out.
    assert_eq!(all(&client, vec![same(0)]).await, ["2 x"]);
    // Who may see it, and what it may look like, counts; so does the query.
    let different = vec![
        request(format!("http://{address}/a?x"), None, ("authorization", "one")),
        request(format!("http://{address}/a?x"), None, ("authorization", "two")),
        request(format!("http://{address}/a?x"), None, ("accept", "text/html")),
        request(format!("http://{address}/a?y"), None, ("accept", "text/html")),
    ];
    all(&client, different).await;
    assert_eq!(calls.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn b1_a_request_can_be_told_apart_otherwise() {
    let (address, calls) = upstream().await;
    let layer = CoalesceLayer::new(&Engine::new().unwrap());
    let client = client(&layer);
    let with = |path: &str, overrides| {
        request(format!("http://{address}/{path}"), Some(overrides), ("accept", "*/*"))
    };
    let keyed = || Overrides { key: Some(b"report".to_vec()), ..Overrides::default() };
    let bodies = all(&client, vec![with("a", keyed()), with("b", keyed())]).await;
    assert_eq!((&bodies[0], calls.load(Ordering::SeqCst)), (&bodies[1], 1));
    let off = || Overrides { is_off: true, ..Overrides::default() };
    all(&client, vec![with("a", off()), with("a", off())]).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    // Kept for a time; not waited for.
    let kept = || Overrides { retention: Some(Duration::from_secs(60)), ..Overrides::default() };
    assert_eq!(
        all(&client, vec![with("c", kept())]).await,
        all(&client, vec![with("c", kept())]).await
    );
    let impatient = || Overrides { wait: Some(Duration::from_millis(1)), ..Overrides::default() };
    let bodies = all(&client, vec![with("d", impatient()), with("d", impatient())]).await;
    assert_eq!(bodies.iter().filter(|body| body.contains("outstanding")).count(), 1);
}

#[tokio::test]
async fn b1_a_window_hands_answers_out_for_a_while_and_off_is_off() {
    let (address, calls) = upstream().await;
    let engine = Engine::new().unwrap();
    let window = client(&CoalesceLayer::new(&engine).window(Duration::from_secs(60)));
    let same = || request(format!("http://{address}/a"), None, ("accept", "*/*"));
    assert_eq!(all(&window, vec![same()]).await, all(&window, vec![same()]).await);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let off = client(&CoalesceLayer::new(&engine).enabled(false));
    all(&off, vec![same(), same()]).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn b1_those_who_wait_share_a_failure() {
    // Nobody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Calls::default();
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(stream);
        }
    });
    let client = client(&CoalesceLayer::new(&Engine::new().unwrap()));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let mut client = client.clone();
            let request = request(format!("http://{address}/a"), None, ("accept", "*/*"));
            tokio::spawn(async move { client.ready().await.unwrap().call(request).await })
        })
        .collect();
    let (mut errors, mut shared) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(response) => shared += u32::from(response.status() == 502),
            Err(_) => errors += 1,
        }
    }
    assert_eq!((errors, shared, calls.load(Ordering::SeqCst)), (1, 9, 1));
}

#[tokio::test]
async fn k2_services_do_not_share() {
    let (address, calls) = upstream().await;
    let layer = CoalesceLayer::new(&Engine::new().unwrap());
    let same = || vec![request(format!("http://{address}/a"), None, ("accept", "*/*"))];
    let (one, other) = (client(&layer), client(&layer));
    tokio::join!(all(&one, same()), all(&other, same()));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// Whoever has a future and does not poll it takes nobody's time.
#[tokio::test]
async fn l9_a_call_goes_on_although_nobody_polls_it() {
    let (address, calls) = upstream().await;
    let engine = Engine::new().unwrap();
    let mut client = client(&CoalesceLayer::new(&engine));
    let same = || request(format!("http://{address}/a"), None, ("accept", "*/*"));
    let mut first = std::pin::pin!(client.ready().await.unwrap().call(same()));
    let polled = std::future::poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending()));
    assert!(polled.await);
    assert_eq!(client.ready().await.unwrap().call(same()).await.unwrap().status(), 200);
    assert_eq!((calls.load(Ordering::SeqCst), engine.stats().executes), (1, 1));
}

#[tokio::test]
async fn b1_whoever_goes_away_takes_nobody_along() {
    let (address, calls) = upstream().await;
    let layer = CoalesceLayer::new(&Engine::new().unwrap());
    let mut client = client(&layer);
    let same = || request(format!("http://{address}/a"), None, ("accept", "*/*"));
    let first = tokio::spawn(client.ready().await.unwrap().call(same()));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = tokio::spawn(client.ready().await.unwrap().call(same()));
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
