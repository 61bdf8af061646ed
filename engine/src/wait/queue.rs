//! The queue of one flight's waiters: a linked list, youngest first, without a lock.
//!
//! ```text
//! queue word:  open 1 | version 43 | head 20
//! head -> youngest -> ... -> oldest -> 0
//! ```
//!
//! Joining is a CAS of the queue word; its order is the order of service (L5). The first to join opens
//! the queue, so that a flight nobody waits for has nothing to do with it. Leaving anywhere is
//! the marked-pointer removal of Harris and Michael: mark the own link, then unlink it from its
//! predecessor; whoever passes a marked node helps. Ending closes the queue: from then on nobody
//! joins, and those in it are the ones to be told.
//!
//! queue.1  A marked link never changes; an unmarked link changes only by unlinking its marked
//!     successor.
//! queue.2  A node is given back only by its waiter, and only after a walk of the whole list from
//!     the head did not meet it (or its own CAS took it out).
//! queue.3  `version` grows with every change of the queue word, over all tenancies: a CAS that
//!     succeeds acts on the very list its caller walked.
//! queue.4  A walk stands on a node only while the link that led to it is unchanged; otherwise it
//!     starts again. Each such restart means that another waiter joined or left: lock-free.
//! queue.5  A closed queue is opened only by one who saw it closed and, after that, the lease awaited
//!     and not ended. Whoever tells an end changes the word, open or closed: so the end of a lease
//!     that somebody joins in time is told to him, and who comes too late fails.

use crate::record::{Field, NODE_BITS};
use crate::sync::{AtomicU64, Ordering, model_fence};
use crate::wait::node::{Link, Nodes};
use crate::wait::park::Parker;

type Head = Field<0, NODE_BITS>;
type Version = Field<{ Head::END }, 43>;
/// 1 = open, so that a flight that has never been used (all zero) is closed.
type Open = Field<{ Version::END }, 1>;

/// The queue word, unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot {
    pub(crate) open: bool,
    version: u64,
    head: u32,
}

impl Snapshot {
    fn pack(self) -> u64 {
        Open::put(self.open.into()) | Version::put(self.version) | Head::put(self.head.into())
    }

    fn unpack(word: u64) -> Self {
        Self {
            open: Open::get(word) == 1,
            version: Version::get(word),
            head: Head::get(word) as u32,
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.head == 0
    }
}

/// A waiter that may be offered the record: its node, in this incarnation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) number: u32,
    version: u64,
}

impl Candidate {
    /// Whether it has not begun to leave.
    pub(crate) fn is_still_waiting(self, nodes: &Nodes) -> bool {
        let link = nodes.get(self.number).link();
        link.version == self.version && !link.marked
    }
}

/// What led a walk to where it stands: the queue word or a node's link.
#[derive(Clone, Copy)]
enum Step {
    Head(Snapshot),
    Node(u32, Link),
}

/// See the module.
#[derive(Default)]
pub(crate) struct Queue(AtomicU64);

impl Queue {
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // Acquire: pairs with `change` (edge "queue"): the nodes from the head on are visible.
        Snapshot::unpack(self.0.load(Ordering::Acquire))
    }

    fn change(&self, from: Snapshot, open: bool, head: u32) -> bool {
        let to = Snapshot { open, version: from.version + 1, head };
        // SeqCst: as Release it publishes the node pushed, or that one is out; and it is in one order
        // with the changes of the fate (`snapshot_in_order`). Relaxed on failure: the caller looks
        // again.
        let change =
            self.0.compare_exchange(from.pack(), to.pack(), Ordering::SeqCst, Ordering::Relaxed);
        model_fence();
        change.is_ok()
    }

    /// The queue, in one order with all changes of fates and queues.
    pub(crate) fn snapshot_in_order(&self) -> Snapshot {
        model_fence();
        Snapshot::unpack(self.0.load(Ordering::SeqCst))
    }

    /// Nobody joins any more, if the queue is still as the caller saw it: open, or closed but about to
    /// be opened (queue.5).
    pub(crate) fn close_if(&self, seen: Snapshot) -> bool {
        self.change(seen, false, seen.head)
    }

    /// Joins at the young end if the queue is still as `seen`; opens it if it was closed. The caller
    /// knows that it may (queue.5).
    pub(crate) fn join(&self, seen: Snapshot, nodes: &Nodes, number: u32, link: Link) -> bool {
        nodes.get(number).aim(Link { next: seen.head, ..link });
        self.change(seen, true, number)
    }

    /// Takes the caller's own node out. Afterwards nothing leads to it (queue.2).
    pub(crate) fn leave(&self, nodes: &Nodes, number: u32) {
        nodes.get(number).mark();
        while !self.walk(nodes, |at, _| at == number).1 {}
    }

    /// Who is to be offered the record: the oldest that may execute; or, after `passed` has not
    /// accepted, the next younger one (the oldest again, if there is none). With the queue as it
    /// was walked.
    pub(crate) fn next_executor(
        &self,
        nodes: &Nodes,
        passed: Option<u32>,
    ) -> (Option<Candidate>, Snapshot) {
        loop {
            let (mut oldest, mut younger) = (None, None);
            let (walked, whole) = self.walk(nodes, |at, link| {
                if link.may_execute && !link.marked {
                    if passed == Some(at) {
                        younger = oldest;
                    }
                    oldest = Some(Candidate { number: at, version: link.version });
                }
                false
            });
            if whole {
                return (younger.or(oldest), walked);
            }
        }
    }

    /// The oldest that has not begun to leave, other than `besides`.
    pub(crate) fn oldest_besides(&self, nodes: &Nodes, besides: u32) -> Option<u32> {
        loop {
            let mut oldest = None;
            let (_, whole) = self.walk(nodes, |at, link| {
                if !link.marked && at != besides {
                    oldest = Some(at);
                }
                false
            });
            if whole {
                return oldest;
            }
        }
    }

    /// Tells everyone in the queue to look at the record again.
    pub(crate) fn notify_all(&self, nodes: &Nodes, parker: &Parker) {
        loop {
            let (_, whole) = self.walk(nodes, |at, link| {
                if !link.marked {
                    nodes.get(at).notify(parker);
                }
                false
            });
            if whole {
                return;
            }
        }
    }

    /// Visits the nodes, youngest first, until `visit` says stop. A marked node is taken out of the
    /// list first and then visited. True: it came to the end, or to the stop, in one go; false: the
    /// list changed under it (queue.4).
    fn walk(&self, nodes: &Nodes, mut visit: impl FnMut(u32, Link) -> bool) -> (Snapshot, bool) {
        let mut start = self.snapshot();
        let mut from = Step::Head(start);
        let mut at = start.head;
        while at != 0 {
            let link = nodes.get(at).link();
            if !self.leads(nodes, from) {
                return (start, false);
            }
            if link.marked {
                let Some(shorter) = self.unlink(nodes, from, link.next) else {
                    return (start, false);
                };
                if let Step::Head(now) = shorter {
                    start = now;
                }
                from = shorter;
            } else {
                from = Step::Node(at, link);
            }
            if visit(at, link) {
                break;
            }
            at = link.next;
        }
        (start, true)
    }

    /// Makes what led to a marked node lead to its `next`, which is final (queue.1), so that no
    /// node is lost. `None` if the list changed meanwhile.
    fn unlink(&self, nodes: &Nodes, from: Step, next: u32) -> Option<Step> {
        match from {
            Step::Head(seen) => {
                let now = Snapshot { version: seen.version + 1, head: next, ..seen };
                self.change(seen, seen.open, next).then_some(Step::Head(now))
            }
            Step::Node(number, seen) => {
                let now = Link { next, ..seen };
                nodes.get(number).change_link(seen, now).then_some(Step::Node(number, now))
            }
        }
    }

    /// Whether the step that led here still does (queue.4).
    fn leads(&self, nodes: &Nodes, step: Step) -> bool {
        match step {
            Step::Head(seen) => self.snapshot() == seen,
            Step::Node(number, seen) => nodes.get(number).link() == seen,
        }
    }
}
