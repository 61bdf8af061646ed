//! libidem for C. The header `include/idem.h` is made from this crate, and is its manual; what is said
//! here is for those who work on it. How it is built, and what the border guarantees: `ffi/DESIGN.md`;
//! what may change and when: `ffi/ABI.md`.
//!
//! | module | what of the header |
//! |---|---|
//! | `boundary` | nothing: it follows pointers, for all the others |
//! | `types`, `status` | structures, enumerations, statuses |
//! | `convert` | nothing: between the engine's words and the header's |
//! | `config`, `engine`, `clock`, `namespace`, `sigmask` | setting up, closing, time |
//! | `claim`, `lease` | who executes, and what comes of it |
//! | `wait`, `queue`, `signal` | those who do not |
//! | `response`, `fingerprint` | bytes out, bytes in |
//! | `http` | gates, and requests on their way through them |
//! | `inspect`, `operate`, `log`, `version` | seeing inside, and acting from outside |
#![allow(
    non_camel_case_types,
    clippy::enum_variant_names,
    reason = "types and values are named as the header has them"
)]
#![allow(clippy::missing_safety_doc, reason = "what the caller promises is the header, and ffi.1")]

mod boundary;
mod claim;
mod clock;
mod config;
mod convert;
mod engine;
mod fingerprint;
mod http;
mod inspect;
mod lease;
mod log;
mod namespace;
mod operate;
mod queue;
mod response;
mod sigmask;
mod signal;
mod status;
mod types;
mod value;
mod version;
mod wait;

pub use claim::*;
pub use clock::*;
pub use config::*;
pub use engine::*;
pub use fingerprint::*;
pub use http::*;
pub use inspect::*;
pub use lease::*;
pub use log::*;
pub use namespace::*;
pub use operate::*;
pub use queue::*;
pub use response::*;
pub use status::*;
pub use types::*;
pub use value::*;
pub use version::*;
pub use wait::*;
