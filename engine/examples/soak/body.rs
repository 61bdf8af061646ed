//! Responses: each says who wrote it for what, and every byte of it follows from that. And the
//! numbers of those that the engine refused, which nobody must ever be given.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::random::Random;

/// What a response says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Author {
    pub(crate) key: u64,
    pub(crate) serial: u64,
    pub(crate) rig: u8,
    pub(crate) worker: u8,
    /// Of the fingerprint in the owner's claim; 0: none.
    pub(crate) variant: u8,
    /// The owner's claim began the record, so its fingerprint is the record's.
    pub(crate) is_fresh: bool,
    pub(crate) is_error: bool,
}

const HEAD: usize = 28;

impl Author {
    /// `length` bytes, or a few more to hold what it says.
    pub(crate) fn write(self, length: usize) -> Vec<u8> {
        let length = length.max(HEAD);
        let mut bytes = Vec::with_capacity(length + 8);
        bytes.extend_from_slice(&self.key.to_le_bytes());
        bytes.extend_from_slice(&self.serial.to_le_bytes());
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        let flags = u8::from(self.is_fresh) | u8::from(self.is_error) << 1;
        bytes.extend_from_slice(&[self.rig, self.worker, self.variant, flags, 0, 0, 0, 0]);
        let mut content = Random::new(self.key ^ self.serial.rotate_left(32));
        while bytes.len() < length {
            bytes.extend_from_slice(&content.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// Who wrote this; `None` if nobody did, byte for byte.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<HEAD>()?;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
        let author = Self {
            key: word(0),
            serial: word(8),
            rig: head[20],
            worker: head[21],
            variant: head[22],
            is_fresh: head[23] & 1 != 0,
            is_error: head[23] & 2 != 0,
        };
        (author.write(bytes.len()) == bytes).then_some(author)
    }
}

/// Where a worker takes the numbers of its responses from.
pub(crate) struct Desk {
    next: AtomicU64,
    /// The last ones that the engine refused, each at its remainder.
    refused: Box<[AtomicU64]>,
}

const REMEMBERED: u64 = 4096;

impl Desk {
    pub(crate) fn new() -> Self {
        let refused = (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect();
        Self { next: AtomicU64::new(1), refused }
    }

    pub(crate) fn serial(&self) -> u64 {
        // Relaxed: a count.
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn refuse(&self, serial: u64) {
        // Release: pairs with the Acquire below.
        self.refused[(serial % REMEMBERED) as usize].store(serial, Ordering::Release);
    }

    pub(crate) fn is_refused(&self, serial: u64) -> bool {
        self.refused[(serial % REMEMBERED) as usize].load(Ordering::Acquire) == serial
    }
}
