//! The structures and enumerations of a gate.

use crate::boundary::{Plain, Versioned};
use crate::types::idem_bytes_t;

/// A header or trailer field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_http_field_t {
    /// Its name, in any case.
    pub name: idem_bytes_t,
    /// Its value.
    pub value: idem_bytes_t,
}

/// How a request differs from its policy; bits of `flags`.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_http_head_flag_t {
    /// It passes.
    IDEM_HTTP_OFF = 1,
}

/// The head of a request. Zero everything, set `struct_size`, and say what it has. Method, path, query and authority
/// are UTF-8; a header field whose name is not is as if it were not there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_http_head_t {
    /// `sizeof(idem_http_head_t)`.
    pub struct_size: usize,
    /// As it was sent.
    pub method: idem_bytes_t,
    /// Of a request to elsewhere, as clients and proxies send them, the scheme and the authority: `https://host`.
    /// Null: none.
    pub authority: idem_bytes_t,
    /// As it was sent, without the query.
    pub path: idem_bytes_t,
    /// Without its question mark. Null: none.
    pub query: idem_bytes_t,
    /// Header fields in the order in which they came, with repeats.
    pub fields: *const idem_http_field_t,
    /// How many.
    pub field_count: usize,
    /// An `idem_scope_kind_t`. There is no default: where keys are global, say so.
    pub scope_kind: u32,
    /// `idem_http_head_flag_t`s.
    pub flags: u32,
    /// With `IDEM_SCOPE_OF`: whose keys its are among, 1 to 65 536 bytes. What authentication has found out, and
    /// nothing that the client could choose.
    pub scope: idem_bytes_t,
    /// The request's key, whatever its header says: 1 to 65 536 bytes. Null: as the policy has it.
    pub key: idem_bytes_t,
    /// How long its answer is kept, in milliseconds; 0: as the policy has it; `IDEM_ZERO`.
    pub retention_ms: u64,
    /// How long it waits, if another with its key is being executed, in milliseconds; 0: as the policy has it;
    /// `IDEM_ZERO`: it waits, and for nothing.
    pub wait_ms: u64,
}

/// What becomes of a request: `idem_http_decision_t::kind`.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_http_decision_kind_t {
    /// The gate is not for it: serve it as if there were none. There is no `request`.
    IDEM_HTTP_PASS = 1,
    /// It has a key. If `needs_body`, read the body and give it to idem_http_body: at most `room` bytes, all of them in
    /// `time_ms` from its admission on. Then idem_http_claim.
    IDEM_HTTP_KEYED = 2,
    /// Somebody else executes it: wait with `waiter`, at most `time_ms`, and then idem_http_waited.
    IDEM_HTTP_WAIT = 3,
    /// Execute it, and end it by its response (idem_http_finish and its like). If that takes longer than a third of
    /// `time_ms`, call idem_http_renew each time as much has passed, until `max_run_ms` are over. `origin`, `attempt`.
    IDEM_HTTP_EXECUTE = 4,
    /// Send `answer`, and execute nothing.
    IDEM_HTTP_ANSWER = 5,
}

/// What to send to a client whose request is not executed. It and what it points to is the request's, and good
/// until that is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_http_answer_t {
    /// The status.
    pub status: u32,
    /// Whether a refused request may be sent again as it is, later.
    pub is_retryable: u32,
    /// Header fields, to be sent in this order; as they are: `content-length` is among them where there is one.
    pub headers: *const idem_http_field_t,
    /// How many.
    pub header_count: usize,
    /// Trailer fields.
    pub trailers: *const idem_http_field_t,
    /// How many.
    pub trailer_count: usize,
    /// The body. Not to be sent with answers to HEAD.
    pub body: idem_bytes_t,
    /// Why it is refused, a word such as `key-reused`, as it is in the `code` of problem details; null: it is answered
    /// as it was before. Good for ever.
    pub refusal: idem_bytes_t,
    /// Reserved; zero.
    pub more: [u64; 4],
}

/// What becomes of a request. `kind` says which of the others count; those that do not are zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_http_decision_t {
    /// An `idem_http_decision_kind_t`.
    pub kind: u32,
    /// Whether the body counts.
    pub needs_body: u32,
    /// Bytes of body that may still come. With more it is refused.
    pub room: u64,
    /// What `kind` says. Of what idem_http_body decides it is zero: the time goes on.
    pub time_ms: u64,
    /// How long a lease is kept alive.
    pub max_run_ms: u64,
    /// The most bytes of a response's body that are kept. Whoever holds a response back until it is whole stops there.
    pub response_max: u64,
    /// What answers; the request's.
    pub answer: *const idem_http_answer_t,
    /// What to wait with; the caller's, as that of an `idem_outcome_t`.
    pub waiter: *mut crate::wait::idem_waiter_t,
    /// An `idem_origin_t`: whether it may have been executed in part before.
    pub origin: u32,
    /// As that of an `idem_outcome_t`.
    pub attempt: u32,
    /// Reserved; zero.
    pub more: [u64; 4],
}

/// Why a request's body did not come.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_http_fault_t {
    /// It took longer than the policy gives it.
    IDEM_HTTP_TOO_SLOW = 1,
    /// It ended before it was whole.
    IDEM_HTTP_CUT_OFF = 2,
    /// It is longer than there is room for. Also said by idem_http_body itself.
    IDEM_HTTP_TOO_LARGE = 3,
}

/// What becomes of a response.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_http_fate_t {
    /// It is kept and replayed, for the policy's retention.
    IDEM_HTTP_KEEP = 1,
    /// It is kept and replayed, for a time of its own.
    IDEM_HTTP_KEEP_FOR = 2,
    /// Those who wait get it; it is not kept, and the next request executes.
    IDEM_HTTP_SHARE = 3,
    /// The key is free: who waits executes, one after the other.
    IDEM_HTTP_RELEASE = 4,
    /// Nobody executes until the halted retention is over, or an operator settles it.
    IDEM_HTTP_HALT = 5,
}

/// A response. Zero everything, and set `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_http_response_t {
    /// `sizeof(idem_http_response_t)`.
    pub struct_size: usize,
    /// 100 to 599.
    pub status: u32,
    /// Reserved; zero.
    pub reserved: u32,
    /// Header fields.
    pub headers: *const idem_http_field_t,
    /// How many.
    pub header_count: usize,
    /// Trailer fields.
    pub trailers: *const idem_http_field_t,
    /// How many.
    pub trailer_count: usize,
    /// The body.
    pub body: idem_bytes_t,
}

/// What became of a response.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_http_finished_t {
    /// An `idem_http_fate_t`: what became of it, or was to.
    pub fate: u32,
    /// Whether that came about: not, if the handler was too slow and somebody else has taken over.
    pub is_settled: u32,
    /// Whether the response is there for others. Otherwise they are told that it was done, if it is kept.
    pub is_stored: u32,
    /// Reserved; zero.
    pub reserved: u32,
    /// Fields to add to the headers of the response that is sent. They are the request's, and good until it is freed.
    pub headers: *const idem_http_field_t,
    /// How many.
    pub header_count: usize,
    /// Reserved; zero.
    pub more: [u64; 4],
}

// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_http_head_t {}
// SAFETY: the first field is its size.
unsafe impl Versioned for idem_http_head_t {
    const LEAST: usize = 144;
}
// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_http_response_t {}
// SAFETY: the first field is its size.
unsafe impl Versioned for idem_http_response_t {
    const LEAST: usize = 64;
}
