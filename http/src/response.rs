//! A response in memory, as a handler gave it.

use crate::policy::Policy;
use crate::wire::{self, WireError};

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

/// The value of the first field of this name.
pub(crate) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    let is_it = |(known, _): &&(Vec<u8>, Vec<u8>)| known.eq_ignore_ascii_case(name.as_bytes());
    fields.iter().find(is_it).map(|(_, value)| &value[..])
}

impl Response {
    /// The value of the first header field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        value(&self.headers, name)
    }

    /// The status that decides what becomes of it: gRPC's own, where there is one (H3).
    pub(crate) fn deciding_status(&self) -> u16 {
        if !self.header("content-type").is_some_and(crate::grpc::is_grpc) {
            return self.status;
        }
        // In the headers, of a response that has nothing else.
        let said = value(&self.trailers, "grpc-status").or_else(|| self.header("grpc-status"));
        said.map_or(500, crate::grpc::http_status)
    }

    /// As it is stored: without what is of the connection or the moment.
    ///
    /// # Errors
    /// [`WireError::Length`]: something in it is longer than 4 GiB.
    pub(crate) fn write(&self, policy: &Policy) -> Result<Vec<u8>, WireError> {
        let stored = |(name, _): &&(Vec<u8>, Vec<u8>)| policy.stores(name);
        wire::write(
            self.status,
            self.headers.iter().filter(stored).map(|(name, value)| (&name[..], &value[..])),
            self.trailers.iter().map(|(name, value)| (&name[..], &value[..])),
            &self.body,
        )
    }
}
