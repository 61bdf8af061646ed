//! Answers: what a server sends that did not execute.

use core::ops::Range;

use idem::Replay;

use crate::gate::Render;
use crate::head::Client;
use crate::policy::Policy;
use crate::problem::Refusal;
use crate::response::{Fields, Response, value};
use crate::wire::{Stored, WireError};

/// A response to be sent as it is: a stored one, or a refusal.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: Fields,
    trailers: Fields,
    body: Body,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
enum Body {
    Made(Vec<u8>),
    /// Within the stored response, which is held and not copied.
    Stored(Replay, Range<usize>),
}

impl Answer {
    /// A refusal: problem details, or to gRPC a status of its own.
    pub(crate) fn refusal(
        policy: &Policy,
        refusal: Refusal,
        client: Client,
        render: Option<&Render>,
    ) -> Self {
        let mut status = policy.status(refusal);
        let mut headers = Fields::new();
        let body = if client.is_grpc {
            headers.push(field("content-type", "application/grpc"));
            headers.push(field("grpc-status", crate::grpc::status_of_refusal(status)));
            headers.push(field("grpc-message", refusal.title()));
            status = 200;
            Vec::new()
        } else {
            let rendered = render.and_then(|render| render(refusal, status));
            let (media_type, body) = rendered.unwrap_or_else(|| {
                let body = policy.documentation.body(refusal, status);
                (String::from("application/problem+json"), body)
            });
            headers.push(field("content-type", &media_type));
            body
        };
        if let Some(seconds) = policy.retry_after.filter(|_| refusal.is_retryable()) {
            headers.push(field("retry-after", &seconds.to_string()));
        }
        if let Some(link) = policy.documentation.link(refusal) {
            headers.push(field("link", &link));
        }
        if !client.is_grpc {
            headers.push(field("content-length", &body.len().to_string()));
        }
        let trailers = Fields::new();
        Self { status, headers, trailers, body: Body::Made(body), refusal: Some(refusal) }
    }

    /// A response that was stored, as it was but for what is said anew.
    pub(crate) fn stored(
        policy: &Policy,
        replay: Replay,
        client: Client,
    ) -> Result<Self, WireError> {
        let (mut answer, body) = Self::read(policy, &replay, client)?;
        answer.body = Body::Stored(replay, body);
        Ok(answer)
    }

    /// The same of bytes that were sealed.
    pub(crate) fn opened(
        policy: &Policy,
        bytes: Vec<u8>,
        client: Client,
    ) -> Result<Self, WireError> {
        let (mut answer, body) = Self::read(policy, &bytes, client)?;
        let mut bytes = bytes;
        answer.body = Body::Made(bytes.split_off(body.start));
        Ok(answer)
    }

    /// All but the body, and where that is.
    fn read(
        policy: &Policy,
        bytes: &[u8],
        client: Client,
    ) -> Result<(Self, Range<usize>), WireError> {
        let stored = Stored::read(bytes)?;
        let own = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
        let mut headers: Fields = stored.headers().map(own).collect();
        let trailers: Fields = stored.trailers().map(own).collect();
        if let Some((name, value, _)) = &policy.replay_header {
            headers.push(field(name, value));
        }
        let (status, length) = (stored.status(), stored.body().len());
        // These say nothing of a body, or of another one (RFC 9110, section 8.6); and with trailers the length is
        // not said ahead.
        let has_no_body = client.is_head || matches!(status, 100..=199 | 204 | 304);
        if !has_no_body && trailers.is_empty() {
            headers.push(field("content-length", &length.to_string()));
        }
        let body = Body::Made(Vec::new());
        Ok((
            Self { status, headers, trailers, body, refusal: None },
            bytes.len() - length..bytes.len(),
        ))
    }

    /// As a response, to be stored.
    pub(crate) fn to_response(&self) -> Response {
        let (status, headers) = (self.status, self.headers.clone());
        Response { status, headers, trailers: self.trailers.clone(), body: self.body().to_vec() }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Header fields, in the order in which they are to be sent.
    #[must_use]
    pub fn headers(&self) -> &Fields {
        &self.headers
    }

    /// Trailer fields.
    #[must_use]
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Made(bytes) => bytes,
            Body::Stored(replay, range) => &replay[range.clone()],
        }
    }

    /// Why the request is refused; `None` if it is answered as it was before.
    #[must_use]
    pub fn reason(&self) -> Option<Refusal> {
        self.refusal
    }

    /// The value of the first header field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        value(&self.headers, name)
    }
}

/// The body, to be shared without copying.
impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        self.body()
    }
}

pub(crate) fn field(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}
