//! What all workers share: an engine, and the claims and completions with their checks.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::adapter::{Adapter, Claim, Completed, Tally};
use crate::keys::{self, Key, Name};
use crate::payload::Payload;
use crate::workload::{Row, Spec};

/// How long a worker waits for room before the sample is given up.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// One worker's access to the engine.
pub(super) struct Hand<'a, A: Adapter> {
    pub(super) adapter: &'a A,
    pub(super) lane: A::Lane,
    payload: Payload,
    response: Vec<u8>,
    copy: Vec<u8>,
    pub(super) tally: Tally,
}

impl<'a, A: Adapter> Hand<'a, A> {
    pub(super) fn new(adapter: &'a A, index: usize, payload: Payload) -> Self {
        let (shortest, longest) = payload.range();
        Self {
            adapter,
            lane: adapter.lane(index),
            payload,
            response: vec![0; longest],
            copy: Vec::with_capacity(longest),
            tally: Tally { shortest: shortest as u64, ..Tally::default() },
        }
    }

    fn claim(&mut self, key: Key) -> Claim<A::Ticket<'a>, A::Handle> {
        let adapter = self.adapter;
        adapter.claim(&mut self.lane, A::Name::of(key), keys::fingerprint(key))
    }

    /// Claims a key that nobody has claimed, and completes it.
    pub(super) fn execute(&mut self, key: Key) {
        let claim = self.claim(key);
        self.execute_as(key, claim);
    }

    fn execute_as(&mut self, key: Key, mut claim: Claim<A::Ticket<'a>, A::Handle>) {
        if matches!(claim, Claim::Full) {
            claim = self.wait_for_room(key);
        }
        let Claim::Execute(ticket) = claim else {
            panic!("{}: a new key is to be executed", A::NAME);
        };
        self.complete(key, ticket);
    }

    fn complete(&mut self, key: Key, ticket: A::Ticket<'_>) {
        let response = &mut self.response[..self.payload.length(key)];
        self.tally.executes += 1;
        self.tally.stored += response.len() as u64;
        keys::write_response(key, response);
        let completed = self.adapter.complete(&mut self.lane, ticket, response);
        assert_eq!(completed, Completed::Stored, "{}", A::NAME);
    }

    #[cold]
    fn wait_for_room(&mut self, key: Key) -> Claim<A::Ticket<'a>, A::Handle> {
        let since = Instant::now();
        loop {
            self.tally.fulls += 1;
            self.tally.last_full = Some(Instant::now());
            assert!(since.elapsed() < STUCK_AFTER, "{}: no room in the table", A::NAME);
            std::thread::yield_now();
            let claim = self.claim(key);
            if !matches!(claim, Claim::Full) {
                return claim;
            }
        }
    }

    /// Claims a key that is completed; compares the whole response if `fully`.
    pub(super) fn replay(&mut self, key: Key, fully: bool) {
        let claim = self.claim(key);
        self.replay_as(key, &claim, fully);
    }

    fn replay_as(&mut self, key: Key, claim: &Claim<A::Ticket<'a>, A::Handle>, fully: bool) {
        let Claim::Replay(handle) = claim else {
            panic!("{}: a completed key is to be replayed", A::NAME);
        };
        self.see(key, handle, fully);
    }

    /// Looks at a key that is completed and copies its bytes.
    pub(super) fn peek(&mut self, key: Key, fully: bool) {
        let mut copy = std::mem::take(&mut self.copy);
        copy.clear();
        let found = self.adapter.peek(A::Name::of(key), &mut copy);
        assert!(found, "{}: a completed key has its bytes", A::NAME);
        self.see(key, &copy, fully);
        // Nobody is told of a look.
        self.tally.replays -= 1;
        self.copy = copy;
    }

    /// As `replay`, for many keys.
    pub(super) fn replay_batch<const N: usize>(&mut self, keys: &[Key; N], fully: bool) {
        let Self { adapter, lane, tally, payload, .. } = self;
        let wanted = keys.map(|key| (A::Name::of(key), keys::fingerprint(key)));
        let mut seen = 0;
        adapter.replay_batch(lane, &wanted, |bytes| {
            see::<A>(tally, *payload, keys[seen], bytes, fully);
            seen += 1;
        });
        assert_eq!(seen, N, "{}: each key is replayed", A::NAME);
    }

    /// Claims a key that is completed or has expired; whether it was executed, and so completed,
    /// anew.
    pub(super) fn replay_or_execute(&mut self, key: Key) -> bool {
        match self.claim(key) {
            Claim::Replay(handle) => {
                self.see(key, &handle, true);
                false
            }
            Claim::Execute(ticket) => {
                self.complete(key, ticket);
                true
            }
            _ => panic!("{}: a key is to be replayed or executed", A::NAME),
        }
    }

    /// As `execute`, or else `replay`; says how long the claim alone took, from the call to the
    /// return, whatever the thread was held up by.
    pub(super) fn timed(&mut self, key: Key, is_new: bool, fully: bool) -> Duration {
        let (adapter, name, fingerprint) = (self.adapter, A::Name::of(key), keys::fingerprint(key));
        let start = Instant::now();
        let claim = adapter.claim(&mut self.lane, name, fingerprint);
        let time = start.elapsed();
        if is_new {
            self.execute_as(key, claim);
        } else {
            self.replay_as(key, &claim, fully);
        }
        time
    }

    fn see(&mut self, key: Key, handle: &[u8], fully: bool) {
        see::<A>(&mut self.tally, self.payload, key, handle, fully);
    }
}

fn see<A: Adapter>(tally: &mut Tally, payload: Payload, key: Key, bytes: &[u8], fully: bool) {
    tally.replays += 1;
    let length = payload.length(key);
    let right = if fully {
        keys::is_response(key, bytes, length)
    } else {
        keys::begins_like(key, bytes, length)
    };
    assert!(right, "{}: a replay is not the key's own response", A::NAME);
}

/// The keys that worker `index` fills in.
pub(super) fn share(spec: &Spec, index: usize) -> Range<u64> {
    let Row { keys, threads, .. } = spec.row;
    let cut = |index: usize| (keys * index / threads) as u64;
    cut(index)..cut(index + 1)
}
