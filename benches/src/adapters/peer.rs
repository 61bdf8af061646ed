//! What every peer needs besides its map, done once and the same for all: a clock that costs a
//! load, the byte bound, the hasher, the ring of keys in the order they are to leave, and the
//! entry that a map under a lock holds.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::budget::ByteBudget;
use crate::adapter::{Claim, Completed, Setup, Tally};
use crate::keys::{Fingerprint, Name};

/// Shards of the maps that are made of shards: enough that eight threads seldom meet.
pub(crate) const SHARDS: usize = 64;

/// Takes the low half of a key for its hash: the keys are random already.
#[derive(Clone, Copy, Default)]
pub(crate) struct KeyHasher(u64);

/// Builds `KeyHasher`s.
pub(crate) type BuildKeyHasher = BuildHasherDefault<KeyHasher>;

/// What a peer may hash names with.
pub(crate) trait Hashing: BuildHasher + Clone + Default + Send + Sync + 'static {}

impl<S: BuildHasher + Clone + Default + Send + Sync + 'static> Hashing for S {}

impl Hasher for KeyHasher {
    #[expect(clippy::cast_possible_truncation, reason = "64 random bits are enough for a hash")]
    fn write_u128(&mut self, key: u128) {
        self.0 ^= key as u64;
    }

    /// What moka hashes together with a key: the type of what is computed.
    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("names that are text have another hasher");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Milliseconds as a coarse word: a thread advances it, everybody loads it.
struct CoarseClock {
    now_ms: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl CoarseClock {
    fn new(manual: bool) -> Self {
        // From 1: a deadline of 0 is over.
        let now_ms = Arc::new(AtomicU64::new(1));
        let stopped = Arc::new(AtomicBool::new(false));
        let ticker = (!manual).then(|| {
            let (now_ms, stopped) = (Arc::clone(&now_ms), Arc::clone(&stopped));
            std::thread::spawn(move || {
                let start = Instant::now();
                while !stopped.load(Ordering::Relaxed) {
                    now_ms.store(1 + milliseconds(start.elapsed()), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(1));
                }
            })
        });
        Self { now_ms, stopped, ticker }
    }
}

impl Drop for CoarseClock {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
    }
}

/// The part of a peer that is not its map.
pub(crate) struct Peer {
    clock: CoarseClock,
    budget: ByteBudget,
    lease_ms: u64,
    retention_ms: u64,
    ring_length: usize,
}

impl Peer {
    /// For an engine built as `setup` says.
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            clock: CoarseClock::new(setup.manual_time),
            budget: ByteBudget::new(setup.bytes, setup.lanes),
            lease_ms: milliseconds(setup.lease),
            retention_ms: milliseconds(setup.retention),
            ring_length: setup.live / setup.lanes,
        }
    }

    /// What worker `index` keeps to itself.
    pub(crate) fn lane<N>(&self, index: usize) -> PeerLane<N> {
        PeerLane {
            index,
            token: (index as u64) << 48,
            ring: Vec::new(),
            ring_length: self.ring_length,
            oldest: 0,
        }
    }

    /// The coarse time.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms.load(Ordering::Relaxed)
    }

    /// Moves a manual clock on.
    pub(crate) fn advance(&self, by: Duration) {
        assert!(self.clock.ticker.is_none(), "the clock is not manual");
        self.clock.now_ms.fetch_add(milliseconds(by), Ordering::Relaxed);
    }

    /// When a lease that begins at `now_ms` ends.
    pub(crate) fn lease_end(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.lease_ms)
    }

    /// When a response that is stored now ceases to be replayed.
    pub(crate) fn retention_end(&self) -> u64 {
        self.now_ms().saturating_add(self.retention_ms)
    }

    /// A copy of `response` within the byte bound, or nothing over it.
    pub(crate) fn store<N>(&self, lane: &PeerLane<N>, response: &[u8]) -> Option<Arc<[u8]>> {
        let within = self.budget.take(lane.index, response.len() as u64);
        // The empty response is one for all, and allocates nothing.
        within.then(|| if response.is_empty() { Arc::default() } else { Arc::from(response) })
    }

    /// Gives back the bytes of a response that has left the map.
    pub(crate) fn release<N>(&self, lane: &PeerLane<N>, response: Option<&[u8]>) {
        if let Some(response) = response {
            self.budget.put(lane.index, response.len() as u64);
        }
    }

    /// What `complete` says: whether the lease still held, and whether there was room for the
    /// body. What is `left` of the body did not get into the map, and its bytes are given back.
    pub(crate) fn completed<N>(
        &self,
        lane: &PeerLane<N>,
        owned: bool,
        had_room: bool,
        left: Option<&Arc<[u8]>>,
    ) -> Completed {
        self.release(lane, left.map(|body| &**body));
        match (owned, had_room) {
            (true, true) => Completed::Stored,
            (true, false) => Completed::Tombstone,
            (false, _) => Completed::Stale,
        }
    }

    /// Compares the counts with what the workers saw: each key that is left has its response.
    pub(crate) fn audit(&self, live: usize, tally: &Tally) -> Result<(), String> {
        let (used, stored) = (self.budget.used(), tally.stored);
        if used == stored {
            Ok(())
        } else {
            Err(format!("{live} keys with {stored} bytes, but {used} bytes are counted"))
        }
    }
}

/// Whole milliseconds, rounded up.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// What a worker of a peer keeps to itself.
pub(crate) struct PeerLane<N> {
    /// Which worker it is.
    pub(crate) index: usize,
    token: u64,
    ring: Vec<N>,
    ring_length: usize,
    oldest: usize,
}

impl<N: Name> PeerLane<N> {
    /// A fencing token that no other lease has had; never 0.
    pub(crate) fn token(&mut self) -> u64 {
        self.token += 1;
        self.token
    }

    /// Puts `name` last into the ring and returns the one whose time has come, if the ring is full.
    pub(crate) fn push(&mut self, name: N) -> Option<N> {
        if self.ring.len() < self.ring_length {
            self.ring.reserve_exact(self.ring_length - self.ring.len());
            self.ring.push(name);
            return None;
        }
        let due = std::mem::replace(&mut self.ring[self.oldest], name);
        self.oldest += 1;
        if self.oldest == self.ring_length {
            self.oldest = 0;
        }
        Some(due)
    }
}

/// The claim of a peer that owns keys by token.
pub(crate) type PeerClaim<N> = Claim<PeerTicket<N>, Arc<[u8]>>;

/// Ownership of a key in a map under a lock.
pub(crate) struct PeerTicket<N> {
    /// The key.
    pub(crate) name: N,
    /// The fencing token.
    pub(crate) token: u64,
}

/// The value of a key in a map whose entries are only touched under a lock.
pub(crate) struct Entry {
    fingerprint: Fingerprint,
    /// Milliseconds: of the lease while in flight, of the retention afterwards.
    deadline: u64,
    /// The owner's fencing token while in flight, 0 afterwards.
    token: u64,
    /// What is replayed; nothing while in flight, or for a tombstone.
    body: Option<Arc<[u8]>>,
}

impl Entry {
    /// An entry in flight.
    pub(crate) fn in_flight(fingerprint: Fingerprint, lease_end: u64, token: u64) -> Self {
        Self { fingerprint, deadline: lease_end, token, body: None }
    }

    /// What a claim of this key gets, or nothing if it may take the entry over.
    pub(crate) fn answer<N>(&self, fingerprint: Fingerprint, now_ms: u64) -> Option<PeerClaim<N>> {
        let in_flight = self.token != 0;
        let over = self.deadline <= now_ms;
        if over && !in_flight {
            None
        } else if fingerprint != self.fingerprint {
            Some(Claim::Mismatch)
        } else if over {
            None
        } else if in_flight {
            Some(Claim::InFlight)
        } else {
            Some(self.body.as_ref().map_or(Claim::Done, |body| Claim::Replay(Arc::clone(body))))
        }
    }

    /// Copies the bytes of a completed key whose time is not over.
    pub(crate) fn copy(&self, now_ms: u64, into: &mut Vec<u8>) -> bool {
        let bytes = self.body().filter(|_| self.token == 0 && self.deadline > now_ms);
        into.extend_from_slice(bytes.unwrap_or_default());
        bytes.is_some()
    }

    /// Ends the lease of `token` and takes `body`; false if the lease has been taken over.
    pub(crate) fn complete(
        &mut self,
        token: u64,
        retention_end: u64,
        body: &mut Option<Arc<[u8]>>,
    ) -> bool {
        if self.token != token {
            return false;
        }
        self.token = 0;
        self.deadline = retention_end;
        self.body = body.take();
        true
    }

    /// Whether nobody owns the key any more, so that it may be removed.
    pub(crate) fn is_finished(&self) -> bool {
        self.token == 0
    }

    /// The stored bytes.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }
}
