//! What C is shown by pointers. It stays where it is for as long as whatever has it.

use idem_http::{Answer, Field, Fields, Refusal};

use crate::http::{idem_http_answer_t, idem_http_field_t};
use crate::types::idem_bytes_t;

/// An answer, and what C sees of it.
pub(super) struct Told {
    pub(super) seen: idem_http_answer_t,
    _headers: Vec<idem_http_field_t>,
    _trailers: Vec<idem_http_field_t>,
    _answer: Answer,
}

/// Header fields of a first answer, and what C sees of them.
pub(super) struct Added {
    pub(super) seen: Vec<idem_http_field_t>,
    _fields: Fields,
}

/// The first of them for C to look at: null if there are none, and no address that is none.
pub(super) fn first<T>(items: &[T]) -> *const T {
    if items.is_empty() { core::ptr::null() } else { items.as_ptr() }
}

/// Bytes for C to look at.
pub(super) fn bytes_of(bytes: &[u8]) -> idem_bytes_t {
    idem_bytes_t { data: first(bytes).cast(), len: bytes.len() }
}

fn seen<'a>(fields: impl Iterator<Item = Field<'a>>) -> Vec<idem_http_field_t> {
    let seen = |(name, value)| idem_http_field_t { name: bytes_of(name), value: bytes_of(value) };
    fields.map(seen).collect()
}

impl Told {
    pub(super) fn new(answer: Answer) -> Self {
        let (headers, trailers) = (seen(answer.headers()), seen(answer.trailers()));
        let reason = answer.reason();
        let refusal = reason.map_or("", Refusal::code);
        let seen = idem_http_answer_t {
            status: answer.status().into(),
            is_retryable: reason.is_some_and(Refusal::is_retryable).into(),
            headers: first(&headers),
            header_count: headers.len(),
            trailers: first(&trailers),
            trailer_count: trailers.len(),
            body: bytes_of(answer.body()),
            refusal: bytes_of(refusal.as_bytes()),
            more: [0; 4],
        };
        Self { seen, _headers: headers, _trailers: trailers, _answer: answer }
    }
}

impl Added {
    pub(super) fn new(fields: Fields) -> Self {
        let seen = seen(fields.iter().map(|(name, value)| (&name[..], &value[..])));
        Self { seen, _fields: fields }
    }
}
