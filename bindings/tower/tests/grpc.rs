//! tonic, over a real socket: calls are decided by their own status (H3).

use core::convert::Infallible;
use core::task::{Context, Poll};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Buf, BufMut};
use idem::Engine;
use idem_http::{Gate, Policy, global};
use idem_tower::IdempotencyLayer;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
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
        Box::pin(async move { Ok(Grpc::new(Bytes).unary(shop, request).await) })
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

#[tokio::test]
async fn h3_calls_are_replayed_by_their_own_status() {
    let engine = Engine::new().unwrap();
    let shop = Shop::default();
    let layer = IdempotencyLayer::of(Gate::new(&engine, Policy::ietf(), global));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = Server::builder().layer(layer).add_service(shop.clone());
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel =
        Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

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
