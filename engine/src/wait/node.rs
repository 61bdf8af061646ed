//! A waiter's node: its place in one flight's queue, and the word it sleeps on.
//!
//! Nodes are type-stable, like flights: the memory of one is only ever a node, so a wake-up that
//! comes late at worst wakes somebody for nothing.

use core::task::Waker;

use crate::memory::bitmap::Bitmap;
use crate::memory::pages::Paged;
use crate::memory::region::{Region, Zeroed};
use crate::record::{Field, NODE_BITS};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::wait::alarm::{Alarm, rouse};
use crate::wait::park::Parker;

type Next = Field<0, NODE_BITS>;
type Marked = Field<{ Next::END }, 1>;
type MayExecute = Field<{ Marked::END }, 1>;
type Version = Field<{ MayExecute::END }, 42>;

/// A node's link word.
///
/// `version` is the node's incarnation: it changes when the node is used again. `marked` says that
/// its waiter leaves: from then on `next` stays as it is (queue.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) next: u32,
    pub(crate) marked: bool,
    pub(crate) may_execute: bool,
    pub(crate) version: u64,
}

impl Link {
    fn pack(self) -> u64 {
        Next::put(self.next.into())
            | Marked::put(self.marked.into())
            | MayExecute::put(self.may_execute.into())
            | Version::put(self.version)
    }

    fn unpack(word: u64) -> Self {
        Self {
            next: Next::get(word) as u32,
            marked: Marked::get(word) == 1,
            may_execute: MayExecute::get(word) == 1,
            version: Version::get(word),
        }
    }
}

/// See the module.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct Node {
    link: AtomicU64,
    event: AtomicU32,
    alarm: Alarm,
}

// SAFETY: region.1 (integer atomics, and a pointer that may be null).
unsafe impl Zeroed for Node {}

/// The event word: nobody sleeps and nothing has happened.
const QUIET: u32 = 0;
/// Something has happened since the waiter last looked.
const NOTIFIED: u32 = 1;
/// The waiter sleeps, or is about to.
const ASLEEP: u32 = 2;
/// The waiter has set its alarm.
const ARMED: u32 = 3;

impl Node {
    #[inline]
    pub(crate) fn link(&self) -> Link {
        // Acquire: pairs with `start` through the queue word, and with `change_link`.
        Link::unpack(self.link.load(Ordering::Acquire))
    }

    pub(crate) fn change_link(&self, from: Link, to: Link) -> bool {
        // AcqRel: unlinking publishes that the node between is out; Relaxed on failure: the caller
        // looks again.
        self.link
            .compare_exchange(from.pack(), to.pack(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// A new incarnation. The caller alone has the node (bitmap.1).
    pub(crate) fn start(&self, may_execute: bool) -> Link {
        // Relaxed: the push (edge "queue") publishes it.
        let version = Link::unpack(self.link.load(Ordering::Relaxed)).version + 1;
        let link = Link { next: 0, marked: false, may_execute, version };
        self.link.store(link.pack(), Ordering::Relaxed);
        self.event.store(QUIET, Ordering::Relaxed);
        link
    }

    /// Sets `next` before the node is pushed.
    pub(crate) fn aim(&self, link: Link) {
        // Relaxed: as in `start`.
        self.link.store(link.pack(), Ordering::Relaxed);
    }

    /// Says that the waiter leaves; `next` is fixed from here on. Only the waiter itself does this.
    pub(crate) fn mark(&self) -> Link {
        // AcqRel: unlinkers that see the mark see the final `next`.
        let before = self.link.fetch_or(Marked::put(1), Ordering::AcqRel);
        Link { marked: true, ..Link::unpack(before) }
    }

    /// Wakes the waiter if it sleeps; it will look again in any case.
    pub(crate) fn notify(&self, parker: &Parker) {
        // AcqRel: Release, so that what we did before is seen by the waiter that finds NOTIFIED
        // (edge "notify"); pairs with `prepare` and `sleep`. No system call if nobody sleeps (W4).
        match self.event.swap(NOTIFIED, Ordering::AcqRel) {
            ASLEEP => parker.wake(&self.event),
            // It may be a later alarm of the same waiter by now: then that one has rung for nothing.
            ARMED => {
                if let Some(waker) = self.alarm.take() {
                    rouse(waker);
                }
            }
            _ => {}
        }
    }

    /// Before the waiter looks at the record: from here on nothing that happens is missed.
    pub(crate) fn prepare(&self) {
        // AcqRel: pairs with `notify`; a swap, so that the looks that follow cannot come before it.
        self.event.swap(QUIET, Ordering::AcqRel);
    }

    /// Has `waker` called when somebody notifies after `prepare`. False: somebody has already.
    pub(crate) fn arm(&self, waker: &Waker) -> bool {
        self.alarm.set(waker);
        // AcqRel / Acquire: pairs with `notify`.
        self.event.compare_exchange(QUIET, ARMED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes the alarm off, as the waiter leaves.
    pub(crate) fn disarm(&self) {
        self.alarm.clear();
    }

    /// Sleeps until somebody notifies after `prepare`, or until `deadline`.
    pub(crate) fn sleep(&self, parker: &Parker, deadline: u64) {
        // AcqRel / Acquire: pairs with `notify`.
        let quiet = self.event.compare_exchange(QUIET, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        if quiet.is_ok() {
            parker.sleep(&self.event, ASLEEP, deadline);
        }
    }
}

/// All nodes. Number 0 is none.
pub(crate) struct Nodes {
    nodes: Region<Node>,
    in_use: Bitmap,
}

impl Nodes {
    pub(crate) fn new(count: u32, shard_count: u32) -> Option<Self> {
        let in_use = Bitmap::new(count + 1, 1, 1, shard_count)?;
        Some(Self { nodes: Region::new(count as usize + 1)?, in_use })
    }

    /// What `Pages` may back, before anybody uses it.
    pub(crate) fn regions(&mut self) -> Vec<&mut dyn Paged> {
        vec![&mut self.nodes, self.in_use.region()]
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    pub(crate) fn alloc(&self, shard: usize) -> Option<u32> {
        self.in_use.alloc(1, shard)
    }

    pub(crate) fn free(&self, number: u32) {
        self.in_use.free(number, 1);
    }

    /// Waiters now.
    pub(crate) fn used(&self) -> u32 {
        self.in_use.used()
    }
}
