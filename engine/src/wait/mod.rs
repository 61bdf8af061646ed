//! Waiting: the queue of those who wait for a flight, and their sleep.

pub(crate) mod alarm;
pub(crate) mod node;
pub(crate) mod park;
pub(crate) mod queue;
