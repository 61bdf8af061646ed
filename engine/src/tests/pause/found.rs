//! What operations are, and what they come to.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::Wake;

use super::world::World;
use crate::{Lease, Outcome, Replay, WaitOutcome, Waiter};

/// What a claim or a wait came to, in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight {
    Execute,
    InFlight,
    Replay,
    Done,
    Mismatch,
    Cancelled,
    Halted,
    Full,
    Closed,
}

/// What an operation leaves in the hands of its thread.
pub(super) enum Found {
    Nothing,
    Lease(Lease),
    Waiter(Waiter),
    Replay(Replay),
}

impl From<Outcome> for Found {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Execute(lease) => Found::Lease(lease),
            Outcome::InFlight(other) => other.into_waiter().map_or(Found::Nothing, Found::Waiter),
            Outcome::Replay(response) => Found::Replay(response),
            _ => Found::Nothing,
        }
    }
}

impl From<WaitOutcome> for Found {
    fn from(outcome: WaitOutcome) -> Self {
        match outcome {
            WaitOutcome::Execute(lease) => Found::Lease(lease),
            WaitOutcome::Replay(response) => Found::Replay(response),
            _ => Found::Nothing,
        }
    }
}

/// What a scenario's thread does, to be stopped in it.
pub(super) type Operation = Box<dyn FnOnce(&World) -> Found + Send>;

/// Says what the operation is, and lets its type be found.
pub(super) fn operation(work: impl FnOnce(&World) -> Found + Send + 'static) -> Operation {
    Box::new(work)
}

/// Whether it has been rung.
#[derive(Default)]
pub(super) struct Bell(AtomicBool);

impl Bell {
    pub(super) fn has_rung(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// What is stored under a key: bytes that no other key has, so that half of one shows.
pub(super) fn body(key: u128, length: usize) -> Vec<u8> {
    vec![(key % 255 + 1) as u8; length]
}
