//! Memory that the engine owns: zeroed regions and their pages, a bitmap allocator, the arena of
//! responses, and the budgets that bound them.
//!
//! Nothing here knows what a key or a lease is.

pub(crate) mod arena;
pub(crate) mod bitmap;
pub(crate) mod budget;
pub(crate) mod pages;
pub(crate) mod region;
