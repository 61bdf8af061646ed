//! Whether a server handles `Idempotency-Key` as it should, asked over real HTTP: `scenarios.json` says what is
//! sent and what is to come back, each scenario with the rules that it shows. It knows nothing of libidem and
//! can be run against any server.
//!
//! What it wants of the server: at one address POST and GET answer 201 with a body that no other execution
//! has, after `delay_ms` of the query, with `status` of the query instead of 201 if that is there; two header
//! fields `x-repeated`, `one` and `two`, and a `set-cookie`. Users are told apart by `authorization`.

mod client;
mod run;
mod scenario;

pub use run::{Report, run};
pub use scenario::{Scenario, scenarios};
