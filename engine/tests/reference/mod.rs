//! The engine against a plain model of the contract, operation by operation.
//!
//! `machine` is the model, `grammar` makes operations from bytes, `side_by_side` runs both and
//! compares. `engine/tests/reference.rs` drives it with proptest, `fuzz/` with libFuzzer.

pub(crate) mod grammar;
pub(crate) mod machine;
pub(crate) mod side_by_side;
