//! A response in memory, as a handler gave it.

use crate::check::is_token;
use crate::head::Client;
use crate::policy::Policy;
use crate::wire::{self, Field, WireError};

/// Header or trailer fields: names and values, in their order, with repeats.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A whole response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header fields.
    pub headers: Fields,
    /// Trailer fields.
    pub trailers: Fields,
    /// The body.
    pub body: Vec<u8>,
}

/// The same, looked at where it is.
#[derive(Clone, Copy, Debug)]
pub struct ResponseRef<'a> {
    /// The status.
    pub status: u16,
    /// Header fields.
    pub headers: &'a [Field<'a>],
    /// Trailer fields.
    pub trailers: &'a [Field<'a>],
    /// The body.
    pub body: &'a [u8],
}

/// The value of the first field of this name.
pub(crate) fn value<'a>(
    mut fields: impl Iterator<Item = Field<'a>>,
    name: &str,
) -> Option<&'a [u8]> {
    fields.find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

/// What HTTP has no place for is not sent, so it is not stored.
fn is_field((name, value): &Field<'_>) -> bool {
    is_token(name) && !value.iter().any(|byte| b"\r\n\0".contains(byte))
}

pub(crate) fn borrowed((name, value): &(Vec<u8>, Vec<u8>)) -> Field<'_> {
    (name, value)
}

impl Response {
    /// The value of the first header field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        value(self.headers.iter().map(borrowed), name)
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(ResponseRef<'_>) -> T) -> T {
        let [headers, trailers] = [&self.headers, &self.trailers]
            .map(|fields| fields.iter().map(borrowed).collect::<Vec<_>>());
        let (headers, trailers) = (&headers[..], &trailers[..]);
        look(ResponseRef { status: self.status, headers, trailers, body: &self.body })
    }
}

impl<'a> ResponseRef<'a> {
    pub(crate) fn to_owned(self) -> Response {
        let own = |fields: &[Field<'a>]| {
            fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
        };
        let (headers, trailers) = (own(self.headers), own(self.trailers));
        Response { status: self.status, headers, trailers, body: self.body.to_vec() }
    }

    /// The status that decides what becomes of it: gRPC's own, where there is one (H3).
    pub(crate) fn deciding_status(self) -> u16 {
        let header = |name| value(self.headers.iter().copied(), name);
        if !header("content-type").is_some_and(crate::grpc::is_grpc) {
            return self.status;
        }
        // In the headers, of a response that has nothing else.
        let said = value(self.trailers.iter().copied(), "grpc-status");
        said.or_else(|| header("grpc-status")).map_or(500, crate::grpc::http_status)
    }

    /// Whether its body is as long as its head says.
    pub(crate) fn is_whole(self, client: Client) -> bool {
        let length = value(self.headers.iter().copied(), "content-length");
        let length = length.and_then(|said| str::from_utf8(said).ok()?.trim().parse().ok());
        client.has_no_body(self.status) || length.is_none_or(|said: usize| said == self.body.len())
    }

    /// Fields that the connection has for itself (RFC 9110, section 7.6.1). More than there are fields are nobody's.
    fn of_connection(self) -> Vec<&'a [u8]> {
        let fields =
            self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"connection"));
        let options = fields.flat_map(|(_, value)| value.split(|byte| *byte == b','));
        options.map(<[u8]>::trim_ascii).take(self.headers.len()).collect()
    }

    /// As it is stored: without what is of the connection or the moment.
    ///
    /// # Errors
    /// [`WireError::Length`]: something in it is longer than 4 GiB.
    pub(crate) fn write(self, policy: &Policy, client: Client) -> Result<Vec<u8>, WireError> {
        let nominated = self.of_connection();
        let is_nominated =
            |name: &[u8]| nominated.iter().any(|known| known.eq_ignore_ascii_case(name));
        // What cannot be counted again: it is of a body that is not here.
        let has_length = client.has_no_body(self.status);
        let is_length = |name: &[u8]| has_length && name.eq_ignore_ascii_case(b"content-length");
        let is_stored =
            |name: &[u8]| is_length(name) || (policy.stores(name) && !is_nominated(name));
        let fields = |fields: &'a [Field<'a>]| fields.iter().copied().filter(is_field);
        let headers = fields(self.headers).filter(|(name, _)| is_stored(name));
        let trailers = fields(self.trailers).filter(|(name, _)| policy.stores(name));
        wire::write(self.status, headers, trailers, self.body)
    }
}
