//! The layer and its service.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::borrow::Cow;

use bytes::Bytes;
use http::header::{HOST, HeaderName};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use idem_http::{Admission, Control, Gate, Head, Keyed, Overrides, Routes};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::body::{BoxError, RequestBody, ResponseBody};
use crate::execute::{self, told};

/// Handles requests as a gate's policy says. For a server; one for all routes, or one for each.
#[derive(Clone)]
pub struct IdempotencyLayer {
    routes: Routes,
    streams: bool,
}

impl IdempotencyLayer {
    /// By one gate, or by the gate of the route, for services that have no router of their own.
    pub fn new(routes: impl Into<Routes>) -> Self {
        Self { routes: routes.into(), streams: false }
    }

    /// The same of one gate.
    #[must_use]
    pub fn of(gate: Gate) -> Self {
        Self::new(gate)
    }

    /// Sends responses while they are being stored, instead of holding them until they are. The promise is
    /// weaker: a client may have an answer that a retry does not get, because the one or the other went
    /// wrong before its end; and a client that goes away in the middle interrupts its request, unless the
    /// response has ended by then. Nor is the first answer marked, or said how long it is kept: nobody knows yet
    /// when its head is sent.
    #[must_use]
    pub fn stream_responses(mut self) -> Self {
        self.streams = true;
        self
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = Idempotency<S>;

    fn layer(&self, inner: S) -> Idempotency<S> {
        Idempotency { inner, routes: self.routes.clone(), streams: self.streams }
    }
}

/// A service behind an [`IdempotencyLayer`] or a [`CoalesceLayer`](crate::CoalesceLayer).
#[derive(Clone)]
pub struct Idempotency<S> {
    inner: S,
    routes: Routes,
    streams: bool,
}

impl<S> Idempotency<S> {
    pub(crate) fn by(inner: S, routes: Routes) -> Self {
        Self { inner, routes, streams: false }
    }
}

impl<S, B, R> Service<Request<B>> for Idempotency<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    R: Body<Data = Bytes> + Send + Unpin + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        // A layer further out has given it its key.
        let is_handled = parts.extensions.get::<Control>().is_some();
        let gate = self.routes.gate(parts.uri.path()).filter(|_| !is_handled);
        let admission = gate.map_or(Admission::Pass, |gate| admit(gate, &parts));
        let inner = match admission {
            Admission::Pass => {
                let request = Request::from_parts(parts, RequestBody::through(body));
                Inner::Through { future: self.inner.call(request) }
            }
            Admission::Refused(refusal) => {
                Inner::Boxed { future: Box::pin(core::future::ready(Ok(told(refusal)))) }
            }
            Admission::Keyed(keyed) => {
                // The one that was polled ready is used; its clone is, next time.
                let next = self.inner.clone();
                let service = mem::replace(&mut self.inner, next);
                Inner::Boxed { future: self.keyed(service, parts, body, keyed) }
            }
        };
        ResponseFuture { inner }
    }
}

type Boxed<R, E> = Pin<Box<dyn Future<Output = Result<Response<ResponseBody<R>>, E>> + Send>>;

impl<S> Idempotency<S> {
    fn keyed<B, R>(
        &self,
        service: S,
        parts: Parts,
        body: B,
        keyed: Box<Keyed>,
    ) -> Boxed<R, S::Error>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        R: Body<Data = Bytes> + Send + Unpin + 'static,
        R::Error: Into<BoxError>,
    {
        Box::pin(execute::keyed(service, parts, body, keyed, self.streams))
    }
}

fn admit(gate: &Gate, parts: &Parts) -> Admission {
    let overrides = parts.extensions.get::<Overrides>();
    // A comparison with each costs less than making a name to look up.
    let is_it = |known: &HeaderName, name: &str| known.as_str().eq_ignore_ascii_case(name);
    let has = |name: &str| parts.headers.keys().any(|known| is_it(known, name));
    if overrides.is_none() && gate.passes(parts.method.as_str(), parts.uri.path(), has) {
        return Admission::Pass;
    }
    let headers: Vec<(&str, &[u8])> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let authority = match parts.uri.authority() {
        Some(authority) => {
            let scheme = parts.uri.scheme_str().unwrap_or_default();
            Some(Cow::Owned(format!("{scheme}://{authority}")))
        }
        None => parts.headers.get(HOST).and_then(|host| host.to_str().ok()).map(Cow::Borrowed),
    };
    let head = Head {
        method: parts.method.as_str(),
        authority: authority.as_deref(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &headers,
    };
    gate.admit(&head, overrides.cloned().unwrap_or_default())
}

pin_project! {
    /// What an [`Idempotency`] service returns.
    pub struct ResponseFuture<F, R, E> {
        #[pin]
        inner: Inner<F, R, E>,
    }
}

pin_project! {
    #[project = InnerProjection]
    enum Inner<F, R, E> {
        Through { #[pin] future: F },
        Boxed { future: Boxed<R, E> },
    }
}

impl<F, R, E> Future for ResponseFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().inner.project() {
            InnerProjection::Through { future } => {
                let response = ready!(future.poll(cx));
                Poll::Ready(response.map(|response| response.map(ResponseBody::through)))
            }
            InnerProjection::Boxed { future } => future.as_mut().poll(cx),
        }
    }
}
