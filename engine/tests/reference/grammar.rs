//! Operations and limits, made from any bytes: four bytes are one operation, so that each can be
//! left out or changed without a change to the others. Proptest and the fuzzer share this.

use core::fmt;

use idem::{OnEnd, Reason};

use crate::reference::machine::{Limits, Space, Terms};

pub(crate) type Code = [u8; 4];

/// Times in milliseconds: the least, some between, and some beyond the 3 days that the engine's
/// timer wheel spans.
const TIMES: [u64; 8] = [1, 2, 7, 100, 1000, 60_000, 300_000_000, 3_000_000_000];

/// An engine, and what is done with it.
pub(crate) struct Case {
    pub(crate) setup: Setup,
    pub(crate) ops: Vec<Op>,
    codes: Vec<Code>,
}

/// Which handle: modulo as many as there are.
pub(crate) type Pick = u8;

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) terms: Terms,
    /// Few keys meet often, many fill the engine.
    pub(crate) key_count: u8,
}

/// What a claim says otherwise than its key's terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) key: u8,
    pub(crate) fingerprint: Option<u8>,
    pub(crate) lease: Option<u64>,
    pub(crate) retention: Option<u64>,
    pub(crate) on_abandon: Option<OnEnd>,
    pub(crate) on_expiry: Option<OnEnd>,
    pub(crate) wait: bool,
    pub(crate) may_execute: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Claim(Wish),
    /// Of the same key or of several.
    ClaimBatch([Wish; 4]),
    Once {
        key: u8,
        retention: u64,
    },
    Peek {
        key: u8,
    },
    Forget {
        key: u8,
        forced: bool,
    },
    Detach {
        key: u8,
    },
    ForceEnd {
        key: u8,
        policy: OnEnd,
    },
    Resolve {
        key: u8,
        token: Halt,
        how: Settling,
    },
    /// The default namespace, or the other one.
    Clear {
        namespace: u8,
    },
    Complete {
        lease: Pick,
        size: Size,
        retention: Option<u64>,
    },
    /// So many leases from this one on.
    CompleteBatch {
        lease: Pick,
        count: u8,
        size: Size,
    },
    Fail {
        lease: Pick,
        size: Size,
        retention: u64,
    },
    GiveUp {
        lease: Pick,
        policy: OnEnd,
        reason: Reason,
    },
    Renew {
        lease: Pick,
        time: u64,
    },
    DropLease {
        lease: Pick,
    },
    IntoToken {
        lease: Pick,
    },
    FromToken {
        token: Pick,
    },
    Wait {
        waiter: Pick,
    },
    /// As a future, by hand.
    Poll {
        waiter: Pick,
    },
    OnEnd {
        waiter: Pick,
    },
    CancelCallback {
        callback: Pick,
    },
    DropWaiter {
        waiter: Pick,
    },
    CloneReplay {
        replay: Pick,
    },
    DropReplay {
        replay: Pick,
    },
    /// To one of the deadlines there are, `early` milliseconds before it.
    AdvanceTo {
        deadline: Pick,
        early: u64,
    },
    Advance {
        time: u64,
    },
    Tick,
    Close,
    CloseWithin {
        time: u64,
    },
}

/// Which halt is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Halt {
    /// The key's present one.
    Present,
    /// One that was seen before, of any key.
    Seen(Pick),
}

/// How a halted record is settled (L8).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settling {
    Complete(Size, u64),
    Release,
    Keep,
}

/// The size of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    Bytes(usize),
    /// So many granules below all there are, its own header's and one more aside.
    AllBut(u64),
    /// So many bytes over the limit of one response.
    Over(usize),
}

impl Case {
    pub(crate) fn decode(setup: Code, ops: impl IntoIterator<Item = Code>) -> Self {
        let mut codes = vec![setup];
        let setup = Setup::decode(setup);
        codes.extend(ops);
        let ops = codes[1..].iter().map(|code| Op::decode(*code, &setup)).collect();
        Self { setup, ops, codes }
    }
}

/// One line an operation, as a failure shows them, and the bytes to make a test of.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", format_args!("{:?}", self.setup))?;
        self.ops.iter().try_for_each(|op| writeln!(f, "{}", format_args!("{op:?}")))?;
        write!(f, "{}", format_args!("{:?}", self.codes))
    }
}

impl Setup {
    pub(crate) fn decode([a, b, c, d]: Code) -> Self {
        let granules = [64, 64, 100, 1024][usize::from(a & 3)];
        let limits = Limits {
            records: [1, 2, 5, 300][usize::from(a >> 2 & 3)],
            granules,
            max_response: [0, 100, 1000, granules as usize * 64 - 64][usize::from(a >> 4 & 3)],
            waiters: [0, 1, 4, 64, 64, 64, 64, 64][usize::from(b & 7)],
            waiters_per_key: [0, 1, 3, 64, 64, 64, 64, 64][usize::from(b >> 3 & 7)],
            cancelled_retention: [0, 0, 0, time(c)][usize::from(b >> 6)],
            halted_retention: time(c >> 3),
            accept_timeout: [1, 5, 1000, 86_400_000][usize::from(c >> 6)],
            space: Space::decode(c),
        };
        let terms = Terms {
            lease: time(d),
            retention: [0, 50, 10_000, 3_000_000_000][usize::from(d >> 3 & 3)],
            on_abandon: policy(d >> 5),
            on_expiry: policy(d >> 6),
        };
        Self { limits, terms, key_count: [1, 2, 5, 12][usize::from(a >> 6)] }
    }

    /// The other namespace has terms of its own.
    pub(crate) fn terms_of(&self, key: u8) -> Terms {
        match place_of(key) {
            (1, _) => Terms {
                lease: 20,
                retention: 30,
                on_abandon: OnEnd::FailWaiters,
                on_expiry: OnEnd::Halt,
            },
            _ => self.terms,
        }
    }
}

/// The namespace and the scope of a key: half of them are in the other namespace, most of those in one
/// of two scopes.
pub(crate) fn place_of(key: u8) -> (u8, Option<u8>) {
    match key {
        1 | 11 => (1, None),
        4 | 5 => (1, Some(1)),
        8 | 9 => (1, Some(2)),
        6 | 10 => (0, Some(1)),
        _ => (0, None),
    }
}

impl Space {
    fn decode(c: u8) -> Self {
        let [records, granules, scope_records, scope_granules] = match c & 7 {
            0 | 1 => [0; 4],
            2 => [1, 0, 0, 0],
            3 => [3, 0, 0, 0],
            4 => [0, 8, 0, 0],
            5 => [0, 0, 1, 0],
            6 => [0, 0, 0, 4],
            _ => [4, 40, 2, 20],
        };
        Self { records, granules, scope_records, scope_granules }
    }
}

impl Op {
    pub(crate) fn decode([op, a, b, c]: Code, setup: &Setup) -> Self {
        match op {
            0..60 => Op::Claim(Wish::decode(a % setup.key_count, b, c)),
            60..95 => Self::decode_newer([op, a, b, c], setup.key_count),
            95..125 => {
                let retention = [None, None, None, Some(0), Some(time(c)), Some(time(c))];
                let retention = retention[usize::from(c >> 3) % retention.len()];
                Op::Complete { lease: a, size: Size::decode(b), retention }
            }
            125..133 => {
                let retention = if c & 8 == 0 { 0 } else { time(c) };
                Op::Fail { lease: a, size: Size::decode(b), retention }
            }
            133..150 => {
                let reason =
                    if c & 4 == 0 { Reason::Owner } else { Reason::Code(u16::from(c) << 8 | 3) };
                let policy = [OnEnd::HandOver, OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt];
                Op::GiveUp { lease: a, policy: policy[usize::from(b & 3)], reason }
            }
            150..156 => Op::Renew { lease: a, time: if b & 8 == 0 { 0 } else { time(b) } },
            156..163 => Op::DropLease { lease: a },
            163..168 => Op::IntoToken { lease: a },
            168..175 => Op::FromToken { token: a },
            175..195 => Op::Wait { waiter: a },
            195..203 => Op::DropWaiter { waiter: a },
            203..207 => Op::CloneReplay { replay: a },
            207..215 => Op::DropReplay { replay: a },
            215..237 => Op::AdvanceTo { deadline: a, early: [0, 0, 0, 1][usize::from(b & 3)] },
            237..247 => Op::Advance { time: time(a) },
            247..254 => Op::Tick,
            // Rare: little happens afterwards.
            254.. if a < 64 => Op::Close,
            254.. => Op::Tick,
        }
    }

    /// What came later, among the claims: so the operations that are on record stay what they were.
    fn decode_newer([op, a, b, c]: Code, key_count: u8) -> Self {
        let key = a % key_count;
        match op {
            ..63 => Op::Peek { key },
            63..66 => Op::Forget { key, forced: b & 1 == 0 },
            66..69 => Op::Detach { key },
            69..71 => Op::ForceEnd { key, policy: policy(b) },
            71..75 => {
                let token = if b & 3 == 0 { Halt::Seen(b >> 2) } else { Halt::Present };
                let retention = if c & 8 == 0 { 0 } else { time(c) };
                let complete = Settling::Complete(Size::decode(b), retention);
                let how = [complete, complete, Settling::Release, Settling::Keep];
                Op::Resolve { key, token, how: how[usize::from(c >> 6)] }
            }
            75..77 => Op::Once { key, retention: if b & 7 == 0 { 0 } else { time(b >> 3) } },
            77..81 => Op::ClaimBatch(core::array::from_fn(|at| {
                // The same key all the time, or one after the other; each with another wish.
                let key = a.wrapping_add(at as u8 * (a >> 6 & 1)) % key_count;
                Wish::decode(key, b.rotate_left(at as u32), c.rotate_left(at as u32))
            })),
            81..84 => Op::CompleteBatch { lease: a, count: 1 + b % 3, size: Size::decode(c) },
            84..89 => Op::Poll { waiter: a },
            89..92 => Op::OnEnd { waiter: a },
            92 => Op::CancelCallback { callback: a },
            93 => Op::Clear { namespace: a & 1 },
            // Rare: little happens afterwards.
            _ if a < 64 => Op::CloseWithin { time: if b & 8 == 0 { 0 } else { time(b) } },
            _ => Op::Peek { key },
        }
    }
}

impl Wish {
    /// On the key's terms.
    pub(crate) fn plain(key: u8) -> Self {
        Self {
            key,
            fingerprint: None,
            lease: None,
            retention: None,
            on_abandon: None,
            on_expiry: None,
            wait: true,
            may_execute: true,
        }
    }

    fn decode(key: u8, b: u8, c: u8) -> Self {
        let unless = |bits: u8, mask: u8| (bits & mask == 0).then_some(bits);
        Self {
            key,
            fingerprint: [None, Some(1), Some(1), Some(2)][usize::from(b & 3)],
            lease: unless(b, 0b0000_1100).map(|b| time(b >> 4)),
            retention: unless(c, 0b0000_0011).map(|c| TIMES[usize::from(c >> 5)] - 1),
            on_abandon: unless(b, 0b0001_1000).map(|b| policy(b >> 5)),
            on_expiry: unless(c, 0b0001_1000).map(|c| policy(c >> 5)),
            wait: c & 0b0000_1100 != 0b0000_1100,
            may_execute: c & 0b0110_0000 != 0b0110_0000,
        }
    }
}

impl Size {
    fn decode(b: u8) -> Self {
        match b {
            0..200 => Size::Bytes([0, 1, 63, 64, 65, 100, 500, 1500][usize::from(b & 7)]),
            200..230 => Size::AllBut(u64::from(b & 7)),
            230.. => Size::Over([0, 1, 5000][usize::from(b % 3)]),
        }
    }

    pub(crate) fn of(self, limits: &Limits) -> usize {
        match self {
            Size::Bytes(size) => size,
            Size::AllBut(granules) => (limits.granules - 2 - granules) as usize * 64,
            Size::Over(bytes) => limits.max_response + bytes,
        }
    }
}

fn time(bits: u8) -> u64 {
    TIMES[usize::from(bits & 7)]
}

fn policy(bits: u8) -> OnEnd {
    [OnEnd::HandOver, OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt][usize::from(bits & 3)]
}
