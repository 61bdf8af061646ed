//! Idempotency over HTTP, without I/O: the policy, and what follows from it for a request and its response.
//! Middlewares in every language call this and decide nothing by themselves (H1).
//!
//! A [`Gate`] has a [`Policy`] and an engine. A request's head is [admitted](Gate::admit), its body read as
//! far as it counts, its key [claimed](Keyed::claim); and then it is executed, waits, or is answered.

mod answer;
mod check;
mod control;
mod fingerprint;
mod gate;
mod grpc;
mod head;
mod header_key;
mod json;
mod keyed;
mod policy;
mod problem;
mod response;
mod routes;
mod text;
mod ticket;
mod wire;

pub use answer::Answer;
pub use check::PolicyError;
pub use control::Control;
pub use gate::{
    Admission, Gate, GateBuilder, KeyOf, Open, Overrides, Redact, Render, SaysOf, ScopeOf, Seal,
    global,
};
pub use head::Head;
pub use header_key::{KeyFault, Syntax};
pub use json::Select;
pub use keyed::{Decision, Keyed, Waited, Waiting};
pub use policy::{Body, Fate, Identity, Policy, Rule, Says, WhileInFlight};
pub use problem::{Documentation, Refusal, problem_code};
pub use response::{Fields, Response, ResponseRef};
pub use routes::{RouteError, Routes};
pub use ticket::{Finished, Renewal, Ticket};
pub use wire::{Field, Stored, WireError, write};
