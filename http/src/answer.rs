//! Answers: what a server sends that did not execute.

use idem::Replay;

use crate::gate::Render;
use crate::head::Client;
use crate::policy::Policy;
use crate::problem::Refusal;
use crate::response::{Fields, ResponseRef, borrowed, value};
use crate::wire::{Field, Stored, WireError};

/// A response to be sent as it is: a stored one, or a refusal.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    /// Header fields, after those that are stored.
    added: Fields,
    source: Source,
    refusal: Option<Refusal>,
}

/// Where the rest of it is.
#[derive(Debug)]
enum Source {
    /// A body that was made for it.
    Made(Vec<u8>),
    /// A stored response, which is held and not copied.
    Held(Replay),
    /// One that was sealed.
    Opened(Vec<u8>),
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
        Self { status, added: headers, source: Source::Made(body), refusal: Some(refusal) }
    }

    /// A response that was stored, as it was but for what is said anew.
    pub(crate) fn held(policy: &Policy, replay: Replay, client: Client) -> Result<Self, WireError> {
        let (status, added) = renewed(policy, Stored::read(&replay)?, &replay, client);
        Ok(Self { status, added, source: Source::Held(replay), refusal: None })
    }

    /// The same of what was sealed: these are its bytes.
    pub(crate) fn opened(
        policy: &Policy,
        bytes: Vec<u8>,
        replay: &Replay,
        client: Client,
    ) -> Result<Self, WireError> {
        let (status, added) = renewed(policy, Stored::read(&bytes)?, replay, client);
        Ok(Self { status, added, source: Source::Opened(bytes), refusal: None })
    }

    /// What is stored of it. It was read before, without a fault.
    fn stored(&self) -> Option<Stored<'_>> {
        match &self.source {
            Source::Made(_) => None,
            Source::Held(replay) => Stored::read(replay).ok(),
            Source::Opened(bytes) => Stored::read(bytes).ok(),
        }
    }

    /// As a response, to be stored.
    pub(crate) fn look<T>(&self, look: impl FnOnce(ResponseRef<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers().collect();
        let trailers: Vec<_> = self.trailers().collect();
        let (status, headers, trailers) = (self.status, &headers[..], &trailers[..]);
        look(ResponseRef { status, headers, trailers, body: self.body() })
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Header fields, in the order in which they are to be sent.
    pub fn headers(&self) -> impl Iterator<Item = Field<'_>> {
        let stored = self.stored().into_iter().flat_map(Stored::headers);
        stored.chain(self.added.iter().map(borrowed))
    }

    /// Trailer fields.
    pub fn trailers(&self) -> impl Iterator<Item = Field<'_>> {
        self.stored().into_iter().flat_map(Stored::trailers)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.source {
            Source::Made(body) => body,
            _ => self.stored().map_or(&[], |stored| stored.body()),
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
        value(self.headers(), name)
    }
}

/// The body, to be shared without copying.
impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        self.body()
    }
}

/// What is said anew with a stored response: its status, and header fields after its own.
fn renewed(policy: &Policy, stored: Stored<'_>, replay: &Replay, client: Client) -> (u16, Fields) {
    let status = stored.status();
    let mut added = Fields::new();
    if let Some((name, value, _)) = &policy.replay_header {
        added.push(field(name, value));
    }
    if let Some(name) = &policy.lifetime_header {
        added.push(field(name, &replay.info().left.as_secs().to_string()));
    }
    // With trailers the length is not said ahead.
    if !client.has_no_body(status) && stored.trailers().next().is_none() {
        added.push(field("content-length", &stored.body().len().to_string()));
    }
    (status, added)
}

pub(crate) fn field(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}
