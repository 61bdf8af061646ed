//! Operations and limits, made from any bytes: four bytes are one operation, so that each can be
//! left out or changed without a change to the others. Proptest and the fuzzer share this.

use core::fmt;

use idem::{OnEnd, Reason};

use crate::reference::machine::{Limits, Terms};

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
    Complete {
        lease: Pick,
        size: Size,
        retention: Option<u64>,
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
        };
        let terms = Terms {
            lease: time(d),
            retention: [0, 50, 10_000, 3_000_000_000][usize::from(d >> 3 & 3)],
            on_abandon: policy(d >> 5),
            on_expiry: policy(d >> 6),
        };
        Self { limits, terms, key_count: [1, 2, 5, 12][usize::from(a >> 6)] }
    }

    /// One key is in a namespace that has terms of its own.
    pub(crate) fn terms_of(&self, key: u8) -> Terms {
        match key {
            1 => Terms {
                lease: 20,
                retention: 30,
                on_abandon: OnEnd::FailWaiters,
                on_expiry: OnEnd::Halt,
            },
            _ => self.terms,
        }
    }
}

impl Op {
    pub(crate) fn decode([op, a, b, c]: Code, setup: &Setup) -> Self {
        match op {
            0..95 => Op::Claim(Wish::decode(a % setup.key_count, b, c)),
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
}

impl Wish {
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
