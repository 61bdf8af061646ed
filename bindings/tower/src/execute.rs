//! What becomes of a request that has a key.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use idem::WaitOutcome;
use idem_http::{Answer, Decision, Fields, Keyed, Ticket, Waiting};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use crate::body::{BoxError, Held, RequestBody, ResponseBody};
use crate::observe::Seen;
use crate::stream::{Shared, Tee};

/// Reads the body, as far as it counts, claims the key, and then executes, waits or answers.
pub(crate) async fn keyed<S, B, R>(
    service: S,
    mut parts: Parts,
    body: B,
    mut keyed: Keyed,
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
    parts.extensions.insert(Handled);
    let request = Request::from_parts(parts, body);
    // A task of its own: it goes on although the client goes away.
    let work = in_span(execute(service, request, ticket, streams));
    match tokio::spawn(work).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down.
            Err(_) => core::future::pending().await,
        },
    }
}

/// A request that a layer has given its key, for layers within that one.
#[derive(Clone, Copy)]
pub(crate) struct Handled;

/// Work in the caller's span.
#[cfg(feature = "tracing")]
fn in_span<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    tracing::Instrument::in_current_span(work)
}

#[cfg(not(feature = "tracing"))]
fn in_span<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    work
}

/// The body, and its bytes into the fingerprint.
async fn read<B: Body<Data = Bytes> + Unpin>(keyed: &mut Keyed, body: B) -> Result<Held, Answer> {
    let time = keyed.policy().body_timeout;
    let mut held = Held::default();
    let whole = async {
        let mut body = body;
        while let Some(frame) = next(&mut body).await {
            let frame = frame.map_err(|_| keyed.cut_off())?;
            match frame.into_data() {
                Ok(data) => {
                    keyed.update(&data)?;
                    held.push(data);
                }
                Err(frame) => held.end(frame.into_trailers().unwrap_or_default()),
            }
        }
        Ok(())
    };
    let read = timeout(time, whole).await;
    match read {
        Ok(read) => read.map(|()| held),
        Err(_) => Err(keyed.too_slow()),
    }
}

async fn next<B: Body + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

async fn wait(waiting: Waiting) -> Decision {
    let (waiter, time, waited) = waiting.into_parts();
    let outcome = timeout(time, waiter).await;
    waited.ended(outcome.unwrap_or(WaitOutcome::TimedOut))
}

/// The handler, and what becomes of its response. The lease is kept alive meanwhile (L9).
async fn execute<S, B, R>(
    mut service: S,
    request: Request<RequestBody<B>>,
    ticket: Ticket,
    streams: bool,
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
    let mut kept = idem_http::Response {
        status: parts.status.as_u16(),
        headers: fields(&parts.headers),
        ..Default::default()
    };
    let room = ticket.policy().response_max;
    // What has nothing in it is not read by those who send it: it has ended.
    let is_empty = body.is_end_stream() || matches!(kept.status, 204 | 304);
    if streams && !is_head && !is_empty {
        let ticket: Shared = Arc::new(Mutex::new(Some(ticket)));
        tokio::spawn(keep_alive(Arc::downgrade(&ticket), begun));
        let tee = Tee::of(body, ticket, kept, room);
        return Ok(Response::from_parts(parts, ResponseBody::tee(tee)));
    }
    let (held, rest) = alive(&ticket, begun, collect(body, room)).await;
    let body = match rest {
        Rest::Nothing => {
            kept.body = held.to_vec();
            kept.trailers = held.trailers().map(fields).unwrap_or_default();
            let finished = ticket.finish(&kept);
            Seen::Executed(finished.fate).tell();
            extend(&mut parts.headers, &finished.headers);
            ResponseBody::held(held)
        }
        Rest::TooLong(body) => {
            Seen::Executed(ticket.finish_without_body(kept.status, false).fate).tell();
            ResponseBody::resumed(held, body)
        }
        Rest::CutOff(error) => {
            let _ = ticket.finish_without_body(kept.status, true);
            Seen::CutOff.tell();
            ResponseBody::broken(held, error)
        }
    };
    Ok(Response::from_parts(parts, body))
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
    let mut held = Held::default();
    loop {
        let frame = match next(&mut body).await {
            None => return (held, Rest::Nothing),
            Some(Err(error)) => return (held, Rest::CutOff(error.into())),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => {
                let left = room.checked_sub(data.len());
                held.push(data);
                match left {
                    Some(left) => room = left,
                    None => return (held, Rest::TooLong(body)),
                }
            }
            Err(frame) => held.end(frame.into_trailers().unwrap_or_default()),
        }
    }
}

/// Does the work, and renews the lease three times within its time while it goes on.
async fn alive<T>(ticket: &Ticket, begun: Instant, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let beat = ticket.policy().lease / 3;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(beat) => {}
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
async fn keep_alive(ticket: std::sync::Weak<Mutex<Option<Ticket>>>, begun: Instant) {
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
    let mut held = Held::default();
    let (status, headers, trailers) =
        (answer.status(), answer.headers().clone(), answer.trailers().clone());
    held.push(Bytes::from_owner(answer));
    if !trailers.is_empty() {
        held.end(header_map(&trailers));
    }
    let mut response = Response::new(ResponseBody::held(held));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = header_map(&headers);
    response
}

pub(crate) fn fields(headers: &HeaderMap) -> Fields {
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec())
    };
    headers.iter().map(own).collect()
}

fn header_map(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    extend(&mut headers, fields);
    headers
}

/// What cannot be a header field, of an embedder's own, is left out.
fn extend(headers: &mut HeaderMap, fields: &Fields) {
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
}
