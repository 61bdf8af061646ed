//! What becomes of a request that has a key.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use idem::WaitOutcome;
use idem_http::{Answer, Decision, Field, Fields, Keyed, ResponseRef, Ticket, Waiting};
use parking_lot::Mutex;
use tokio::time::sleep;
use tower_service::Service;

use crate::body::{BoxError, Held, Holding, RequestBody, ResponseBody};
use crate::observe::Seen;
use crate::outlive::Outliving;
use crate::stream::{Shared, Tee};

/// Reads the body, as far as it counts, claims the key, and then executes, waits or answers.
pub(crate) async fn keyed<S, B, R>(
    service: S,
    mut parts: Parts,
    body: B,
    mut keyed: Box<Keyed>,
    streams: bool,
) -> Result<Response<ResponseBody<R>>, S::Error>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    R: Body<Data = Bytes> + Send + Unpin + 'static,
    R::Error: Into<BoxError>,
{
    let body = if keyed.needs_body() {
        match read(&mut keyed, body).await {
            Ok(held) => RequestBody::held(held),
            Err(refusal) => return Ok(told(refusal)),
        }
    } else {
        RequestBody::through(body)
    };
    let mut decision = keyed.claim();
    if let Decision::Wait(waiting) = decision {
        decision = wait(waiting).await;
    }
    let ticket = match decision {
        Decision::Execute(ticket) => ticket,
        Decision::Answered(answered) => return Ok(told(answered)),
        Decision::Wait(_) => unreachable!("a wait ends in something else"),
    };
    parts.extensions.insert(ticket.control());
    let request = Request::from_parts(parts, body);
    // For as long as somebody is there to read a response that is streamed.
    let client = Arc::new(());
    let reader = streams.then(|| Arc::downgrade(&client));
    // It goes on although the client goes away.
    let done = Outliving::new(in_span(execute(service, request, ticket, reader))).await;
    drop(client);
    done
}

/// Work in the caller's span.
#[cfg(feature = "tracing")]
fn in_span<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    tracing::Instrument::in_current_span(work)
}

#[cfg(not(feature = "tracing"))]
fn in_span<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    work
}

/// The body, and its bytes into the fingerprint; in the policy's time.
async fn read<B>(keyed: &mut Keyed, body: B) -> Result<Held, Answer>
where
    B: Body<Data = Bytes> + Unpin,
{
    let time = keyed.policy().body_timeout;
    let read = within(time, pin!(read_whole(keyed, body))).await;
    read.unwrap_or_else(|| Err(keyed.too_slow()))
}

async fn read_whole<B>(keyed: &mut Keyed, mut body: B) -> Result<Held, Answer>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut holding = Holding::default();
    while let Some(frame) = next(&mut body).await {
        let frame = frame.map_err(|_| keyed.cut_off())?;
        match frame.into_data() {
            Ok(data) => {
                keyed.update(&data)?;
                holding.push(data);
            }
            Err(frame) => holding.end(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(holding.held())
}

/// What comes of the work, if that is in this time. What is ready at once needs no timer.
async fn within<T>(time: Duration, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut timer = pin!(None);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        if timer.is_none() {
            timer.set(Some(sleep(time)));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

async fn next<B: Body + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

async fn wait(waiting: Waiting) -> Decision {
    let (waiter, time, waited) = waiting.into_parts();
    let outcome = within(time, pin!(waiter)).await;
    waited.ended(outcome.unwrap_or(WaitOutcome::TimedOut))
}

/// The handler, and what becomes of its response: streamed, if it has a `reader` that is still there. The lease is
/// kept alive meanwhile (L9).
async fn execute<S, B, R>(
    mut service: S,
    request: Request<RequestBody<B>>,
    ticket: Ticket,
    reader: Option<Weak<()>>,
) -> Result<Response<ResponseBody<R>>, S::Error>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    R: Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError>,
{
    let (begun, is_head) = (Instant::now(), request.method() == http::Method::HEAD);
    let response = match alive(&ticket, begun, service.call(request)).await {
        Ok(response) => response,
        Err(error) => {
            ticket.fail();
            return Err(error);
        }
    };
    let (mut parts, body) = response.into_parts();
    let (status, room) = (parts.status.as_u16(), ticket.policy().response_max);
    let has_body = !is_head && !matches!(status, 204 | 304);
    let length = length_of(&parts.headers).filter(|_| has_body);
    let is_streamed = reader.is_some_and(|reader| reader.strong_count() > 0);
    // What has nothing in it is not read by those who send it: it has ended.
    if is_streamed && has_body && !body.is_end_stream() {
        let ticket: Shared = Arc::new(Mutex::new(Some(ticket)));
        tokio::spawn(keep_alive(Arc::downgrade(&ticket), begun));
        let headers = fields(&parts.headers);
        let kept = idem_http::Response { status, headers, ..Default::default() };
        let tee = Tee::of(body, ticket, kept, length, room);
        return Ok(Response::from_parts(parts, ResponseBody::tee(tee)));
    }
    let (held, mut rest) = alive(&ticket, begun, collect(body, room)).await;
    let is_whole = length.is_none_or(|length| length == held.data().len() as u64);
    if matches!(rest, Rest::Nothing) && !is_whole {
        rest = Rest::CutOff("the body has another length than its head says".into());
    }
    let body = match rest {
        Rest::Nothing => {
            let trailers: Vec<_> = held.trailers().into_iter().flatten().map(borrowed).collect();
            let headers: Vec<_> = parts.headers.iter().map(borrowed).collect();
            let (headers, trailers) = (&headers[..], &trailers[..]);
            let finished =
                ticket.finish_ref(ResponseRef { status, headers, trailers, body: held.data() });
            Seen::Executed(finished.fate).tell();
            let added = finished.headers.iter();
            extend(&mut parts.headers, added.map(|(name, value)| (&name[..], &value[..])));
            ResponseBody::held(held)
        }
        Rest::TooLong(body) => {
            Seen::Executed(ticket.finish_without_body(status, false).fate).tell();
            ResponseBody::resumed(held, body)
        }
        Rest::CutOff(error) => {
            let _ = ticket.finish_without_body(status, true);
            Seen::CutOff.tell();
            ResponseBody::broken(held, error)
        }
    };
    Ok(Response::from_parts(parts, body))
}

/// The length that a head says its body has.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What of a body was not collected.
enum Rest<B> {
    Nothing,
    /// There is more than is kept.
    TooLong(B),
    /// It broke off.
    CutOff(BoxError),
}

async fn collect<B>(mut body: B, mut room: usize) -> (Held, Rest<B>)
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let mut holding = Holding::default();
    let rest = loop {
        let frame = match next(&mut body).await {
            None => break Rest::Nothing,
            Some(Err(error)) => break Rest::CutOff(error.into()),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => {
                let left = room.checked_sub(data.len());
                holding.push(data);
                match left {
                    Some(left) => room = left,
                    None => break Rest::TooLong(body),
                }
            }
            Err(frame) => holding.end(frame.into_trailers().unwrap_or_default()),
        }
    };
    (holding.held(), rest)
}

/// Does the work, and renews the lease three times within its time while it goes on.
async fn alive<T>(ticket: &Ticket, begun: Instant, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let beat = ticket.policy().lease / 3;
    loop {
        if let Some(done) = within(beat, work.as_mut()).await {
            return done;
        }
        if !renewed(ticket, begun) {
            return work.await;
        }
    }
}

/// Not, if it was taken over or is too slow: the work goes on all the same, its result comes too late.
fn renewed(ticket: &Ticket, begun: Instant) -> bool {
    begun.elapsed() <= ticket.policy().max_run && ticket.renew().is_ok()
}

/// The same while somebody else reads the response.
async fn keep_alive(ticket: Weak<Mutex<Option<Ticket>>>, begun: Instant) {
    loop {
        let Some(beat) = ticket.upgrade().and_then(|ticket| {
            let ticket = ticket.lock();
            let ticket = ticket.as_ref()?;
            renewed(ticket, begun).then(|| ticket.policy().lease / 3)
        }) else {
            return;
        };
        sleep(beat).await;
    }
}

/// An answer as a response, after telling of it.
pub(crate) fn told<R>(answered: Answer) -> Response<ResponseBody<R>> {
    Seen::of(&answered).tell();
    answer(answered)
}

/// An answer as a response.
fn answer<R>(answer: Answer) -> Response<ResponseBody<R>> {
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    extend(response.headers_mut(), answer.headers());
    let mut trailers = HeaderMap::new();
    extend(&mut trailers, answer.trailers());
    let trailers = (!trailers.is_empty()).then_some(trailers);
    let held = Held::new(Bytes::from_owner(answer), trailers);
    response.map(|()| ResponseBody::held(held))
}

pub(crate) fn fields(headers: &HeaderMap) -> Fields {
    headers.iter().map(borrowed).map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn borrowed<'a>((name, value): (&'a HeaderName, &'a HeaderValue)) -> Field<'a> {
    (name.as_str().as_bytes(), value.as_bytes())
}

/// What cannot be a header field, of an embedder's own, is left out.
fn extend<'a>(headers: &mut HeaderMap, fields: impl Iterator<Item = Field<'a>>) {
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
}
