//! The head of a request.

/// A request's head. Header fields are in the order in which they came, with repeats.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method, as it was sent.
    pub method: &'a str,
    /// Of a request to elsewhere, as clients and proxies send them, the scheme and the authority: `https://host`.
    pub authority: Option<&'a str>,
    /// The path, as it was sent.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// Header fields: name and value.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> Head<'a> {
    /// The values of the header fields of this name, in their order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let is_it = move |known: &str| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(move |(known, _)| is_it(known)).map(|(_, value)| *value)
    }

    /// Whether it is a call of gRPC, whose answers have a status of their own.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.values("content-type").any(crate::grpc::is_grpc)
    }
}

/// What of a request decides how its answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Client {
    pub(crate) is_grpc: bool,
    pub(crate) is_head: bool,
}

impl Client {
    pub(crate) fn of(head: &Head<'_>) -> Self {
        Self { is_grpc: head.is_grpc(), is_head: head.method == "HEAD" }
    }

    /// Whether an answer with this status has no body, so that a length in its head is of another one (RFC 9110,
    /// section 8.6).
    pub(crate) fn has_no_body(self, status: u16) -> bool {
        self.is_head || matches!(status, 100..=199 | 204 | 304)
    }
}
