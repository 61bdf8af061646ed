//! tonic, over a real socket: calls are decided by their own status (H3).

use core::convert::Infallible;
use core::task::{Context, Poll};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut};
use idem::Engine;
use idem_http::{Gate, Policy, WhileInFlight, global};
use idem_tower::IdempotencyLayer;
use tokio_stream::{Stream, StreamExt};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::Service;

/// Messages are bytes as they are.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Answers with how often it was called; or with the status that it is asked for.
#[derive(Clone, Default)]
struct Shop(Arc<AtomicU32>);

impl NamedService for Shop {
    const NAME: &'static str = "shop.Shop";
}

impl UnaryService<Vec<u8>> for Shop {
    type Response = Vec<u8>;
    type Future = Later<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let wish = request.into_inner();
        Box::pin(async move {
            match &wish[..] {
                b"not found" => Err(Status::not_found(number.to_string())),
                b"unavailable" => Err(Status::unavailable(number.to_string())),
                _ => Ok(Response::new(number.to_string().into_bytes())),
            }
        })
    }
}

/// Three messages, a while apart.
impl ServerStreamingService<Vec<u8>> for Shop {
    type Response = Vec<u8>;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Status>> + Send>>;
    type Future = Later<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<Vec<u8>>) -> Self::Future {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let messages = ["one", "two", "three"].map(|word| format!("{word} {number}"));
        let later = tokio_stream::iter(messages).then(|message| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(message.into_bytes())
        });
        Box::pin(async move { Ok(Response::new(Box::pin(later) as Self::ResponseStream)) })
    }
}

impl<B> Service<http::Request<B>> for Shop
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Later<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let shop = self.clone();
        let mut grpc = Grpc::new(Bytes);
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/shop.Shop/Watch" => grpc.server_streaming(shop, request).await,
                _ => grpc.unary(shop, request).await,
            })
        })
    }
}

async fn call(channel: &Channel, key: &str, message: &str) -> Result<(String, bool), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(message.as_bytes().to_vec());
    request.metadata_mut().insert("idempotency-key", format!("\"{key}\"").parse().unwrap());
    let path = http::uri::PathAndQuery::from_static("/shop.Shop/Charge");
    let response = client.unary(request, path, Bytes).await?;
    let is_replay = response.metadata().contains_key("idempotent-replayed");
    Ok((String::from_utf8(response.into_inner()).unwrap(), is_replay))
}

/// The server's messages, one by one, and whether it is a replay.
async fn watch(channel: &Channel, key: &str) -> Result<(Streaming<Vec<u8>>, bool), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(vec![]);
    request.metadata_mut().insert("idempotency-key", format!("\"{key}\"").parse().unwrap());
    let path = http::uri::PathAndQuery::from_static("/shop.Shop/Watch");
    let response = client.server_streaming(request, path, Bytes).await?;
    let is_replay = response.metadata().contains_key("idempotent-replayed");
    Ok((response.into_inner(), is_replay))
}

async fn all(mut messages: Streaming<Vec<u8>>) -> Vec<String> {
    let mut texts = vec![];
    while let Some(message) = messages.message().await.unwrap() {
        texts.push(String::from_utf8(message).unwrap());
    }
    texts
}

async fn served(shop: &Shop, change: impl FnOnce(IdempotencyLayer) -> IdempotencyLayer) -> Channel {
    let engine = Engine::new().unwrap();
    let policy =
        Policy { while_in_flight: WhileInFlight::Wait(Duration::from_secs(10)), ..Policy::ietf() };
    let layer = change(IdempotencyLayer::of(Gate::new(&engine, policy, global).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = Server::builder().layer(layer).add_service(shop.clone());
    tokio::spawn(server.serve_with_incoming(incoming));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn h4_a_stream_goes_on_without_its_client_and_is_replayed() {
    let shop = Shop::default();
    let channel = served(&shop, |layer| layer).await;
    // It goes away before the first message has come.
    let gone = tokio::time::timeout(Duration::from_millis(20), watch(&channel, "a")).await;
    assert!(gone.is_err());
    let (messages, is_replay) = watch(&channel, "a").await.unwrap();
    assert_eq!((all(messages).await, is_replay), (texts(1), true));
    assert_eq!(shop.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn h4_a_stream_can_be_sent_while_it_is_kept() {
    let shop = Shop::default();
    let channel = served(&shop, IdempotencyLayer::stream_responses).await;
    let (mut messages, is_replay) = watch(&channel, "a").await.unwrap();
    let first = messages.message().await.unwrap().unwrap();
    assert_eq!((&first[..], is_replay), (&b"one 1"[..], false));
    // Two are to come: a duplicate waits for them.
    let (again, is_replay) = watch(&channel, "a").await.unwrap();
    assert_eq!((all(again).await, is_replay), (texts(1), true));
    assert_eq!(all(messages).await, texts(1)[1..]);
    // Whoever goes away in the middle interrupts it, and the next one executes.
    let (mut messages, _) = watch(&channel, "b").await.unwrap();
    messages.message().await.unwrap();
    drop(messages);
    let (again, is_replay) = watch(&channel, "b").await.unwrap();
    assert_eq!((all(again).await, is_replay), (texts(3), false));
}

fn texts(number: u32) -> Vec<String> {
    ["one", "two", "three"].map(|word| format!("{word} {number}")).into()
}

#[tokio::test]
async fn h3_calls_are_replayed_by_their_own_status() {
    let shop = Shop::default();
    let channel = served(&shop, |layer| layer).await;
    assert_eq!(call(&channel, "a", "x").await.unwrap(), ("1".into(), false));
    assert_eq!(call(&channel, "a", "x").await.unwrap(), ("1".into(), true));
    // Another message under the same key.
    assert_eq!(call(&channel, "a", "y").await.unwrap_err().code(), Code::FailedPrecondition);
    // Not found is an answer; unavailable runs again.
    for (key, message, code, messages) in [
        ("b", "not found", Code::NotFound, ["2", "2"]),
        ("c", "unavailable", Code::Unavailable, ["3", "4"]),
    ] {
        for expected in messages {
            let status = call(&channel, key, message).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (code, expected));
        }
    }
    assert_eq!(shop.0.load(Ordering::SeqCst), 4);
}
