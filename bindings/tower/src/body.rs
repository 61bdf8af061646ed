//! Bodies: as they come, or held.

use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::stream::Tee;

/// Whatever went wrong with a body.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

pin_project! {
    /// The body of a request: as it came, or held and whole.
    pub struct RequestBody<B> {
        held: Held,
        #[pin]
        rest: Option<B>,
    }
}

pin_project! {
    /// The body of a response: held, or as the handler gave it, or the one and then the other; or held, and then
    /// broken off.
    pub struct ResponseBody<B> {
        held: Held,
        error: Option<BoxError>,
        #[pin]
        rest: Option<Tee<B>>,
    }
}

/// A body in memory, and the trailers after it.
#[derive(Default)]
pub(crate) struct Held {
    data: Bytes,
    trailers: Option<Box<HeaderMap>>,
}

/// A body that is being held. One that comes in a piece is not copied, and many small pieces take no more room than
/// one large one.
#[derive(Default)]
pub(crate) struct Holding {
    first: Bytes,
    /// All of it, if there is more than the first piece.
    whole: Vec<u8>,
    trailers: Option<Box<HeaderMap>>,
}

impl Holding {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.whole.is_empty() {
            self.first = piece;
            return;
        }
        if self.whole.is_empty() {
            self.whole.extend_from_slice(&mem::take(&mut self.first));
        }
        self.whole.extend_from_slice(&piece);
    }

    pub(crate) fn end(&mut self, trailers: HeaderMap) {
        self.trailers = Some(Box::new(trailers));
    }

    pub(crate) fn held(self) -> Held {
        let data = if self.whole.is_empty() { self.first } else { self.whole.into() };
        Held { data, trailers: self.trailers }
    }
}

impl Held {
    pub(crate) fn new(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self { data, trailers: trailers.map(Box::new) }
    }

    pub(crate) fn data(&self) -> &Bytes {
        &self.data
    }

    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_deref()
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        if !self.data.is_empty() {
            return Some(Frame::data(mem::take(&mut self.data)));
        }
        self.trailers.take().map(|trailers| Frame::trailers(*trailers))
    }

    fn is_over(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }
}

impl<B> RequestBody<B> {
    pub(crate) fn through(body: B) -> Self {
        Self { held: Held::default(), rest: Some(body) }
    }

    pub(crate) fn held(held: Held) -> Self {
        Self { held, rest: None }
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn through(body: B) -> Self {
        Self { held: Held::default(), error: None, rest: Some(Tee::untouched(body)) }
    }

    pub(crate) fn held(held: Held) -> Self {
        Self { held, error: None, rest: None }
    }

    pub(crate) fn tee(tee: Tee<B>) -> Self {
        Self { held: Held::default(), error: None, rest: Some(tee) }
    }

    /// What was read already, and the rest.
    pub(crate) fn resumed(held: Held, rest: B) -> Self {
        Self { held, error: None, rest: Some(Tee::untouched(rest)) }
    }

    /// What was read already, and then what went wrong.
    pub(crate) fn broken(held: Held, error: BoxError) -> Self {
        Self { held, error: Some(error), rest: None }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match (this.held.next(), this.rest.as_pin_mut()) {
            (Some(frame), _) => Poll::Ready(Some(Ok(frame))),
            (None, Some(rest)) => rest.poll_frame(cx),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_over() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        size_hint(&self.held, self.rest.as_ref())
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B>
where
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        match (this.held.next(), this.rest.as_pin_mut()) {
            (Some(frame), _) => Poll::Ready(Some(Ok(frame))),
            (None, Some(rest)) => rest.poll_frame(cx),
            (None, None) => Poll::Ready(this.error.take().map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_over()
            && self.error.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match self.error {
            Some(_) => SizeHint::new(),
            None => size_hint(&self.held, self.rest.as_ref()),
        }
    }
}

fn size_hint(held: &Held, rest: Option<&impl Body>) -> SizeHint {
    let here = held.data.len() as u64;
    let rest = rest.map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
    let mut hint = SizeHint::new();
    // The upper bound first: the lower one must not be above it. With trailers no length is told ahead, or HTTP/1.1
    // would have no place for them.
    if let Some(upper) = rest.upper().filter(|_| held.trailers.is_none()) {
        hint.set_upper(upper.saturating_add(here));
    }
    hint.set_lower(rest.lower().saturating_add(here));
    hint
}
