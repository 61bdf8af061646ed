//! Options made from any bytes, and their bounds as `Builder` documents them.

use std::time::Duration;

use idem::{
    Builder, Claim, ClaimError, ConfigError, Engine, Key, KeyHash, NamespaceOptions, OnEnd, OnError,
};

use super::limits::COUNT_MAX;

pub(crate) const TEN_YEARS: Duration = Duration::from_secs(3650 * 86_400);
const NANO: Duration = Duration::from_nanos(1);
const GIB: u64 = 1 << 30;

/// What is left of the input; zeros once it is used up.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.next()) % from.len()]
    }

    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.next() & 3 == 0).then(|| make(self))
    }

    /// A count or size: mostly a small one, sometimes one near a bound or beyond all of them.
    pub(crate) fn size(&mut self) -> u64 {
        let (kind, low) = (self.next(), self.next());
        match kind {
            0..128 => u64::from(low) % 20,
            128..208 => 4096 + u64::from(kind) * u64::from(low),
            208..232 => 1 << (low % 64),
            232..244 => (1 << (low % 64)) - 1,
            _ => [
                268_000_000,
                269_000_000,
                268_435_454,
                1_048_574,
                1_048_575,
                200 * GIB,
                210 * GIB,
                GIB,
                GIB + 1,
                u64::from(u32::MAX),
                u64::from(u32::MAX) + 1,
                u64::MAX,
                u64::MAX - 63,
                COUNT_MAX,
                COUNT_MAX + 1,
                COUNT_MAX * 64,
                COUNT_MAX * 64 + 1,
            ][usize::from(low) % 17],
        }
    }

    pub(crate) fn time(&mut self) -> Duration {
        let (kind, low) = (self.next(), u64::from(self.next()));
        match kind {
            0..96 => Duration::from_millis(1 + low),
            96..160 => Duration::from_nanos((1 + low) << (kind - 96).min(48)),
            160..240 => self.pick(&[
                NANO,
                Duration::from_nanos(999_999),
                Duration::from_nanos(1_000_001),
                Duration::from_secs(1),
                // The span of the timer wheel, and past it.
                Duration::from_millis(1 << 28),
                Duration::from_millis((1 << 28) + 1),
                Duration::from_millis(1 << 27),
                Duration::from_secs(30 * 86_400),
                TEN_YEARS,
                TEN_YEARS - NANO,
            ]),
            _ => self.pick(&[
                Duration::ZERO,
                TEN_YEARS + NANO,
                TEN_YEARS * 30,
                Duration::from_millis(1 << 40),
                Duration::from_millis(u64::MAX),
                Duration::from_secs(u64::MAX),
                Duration::MAX,
            ]),
        }
    }

    fn policy(&mut self) -> OnEnd {
        self.pick(&[OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt])
    }
}

/// What an engine is built with.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) max_response: Option<u64>,
    pub(crate) waiters: u64,
    pub(crate) waiters_per_key: u64,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) cancelled_retention: Duration,
    pub(crate) halted_retention: Duration,
    pub(crate) accept_timeout: Duration,
    pub(crate) max_run: Duration,
    pub(crate) on_abandon: OnEnd,
    pub(crate) on_expiry: OnEnd,
    pub(crate) on_error: OnError,
    hash: KeyHash,
}

impl Options {
    pub(crate) fn decode(bytes: &mut Bytes<'_>) -> Self {
        Self {
            records: bytes.size(),
            bytes: bytes.size(),
            max_response: bytes.maybe(Bytes::size),
            waiters: bytes.size(),
            waiters_per_key: bytes.size(),
            lease: bytes.time(),
            retention: bytes.time(),
            cancelled_retention: bytes.maybe(Bytes::time).unwrap_or_default(),
            halted_retention: bytes.time(),
            accept_timeout: bytes.time(),
            max_run: bytes.time(),
            on_abandon: bytes.policy(),
            on_expiry: bytes.policy(),
            on_error: match bytes.next() & 3 {
                0 => OnError::Share,
                1 => OnError::HandOver,
                2 => OnError::Keep(bytes.time()),
                _ => OnError::Halt,
            },
            hash: bytes.pick(&[KeyHash::SipHash24, KeyHash::Xxh3]),
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        let builder = Engine::builder()
            .records(size(self.records))
            .bytes(self.bytes)
            .waiters(size(self.waiters))
            .waiters_per_key(size(self.waiters_per_key))
            .lease(self.lease)
            .retention(self.retention)
            .cancelled_retention(self.cancelled_retention)
            .halted_retention(self.halted_retention)
            .accept_timeout(self.accept_timeout)
            .max_run(self.max_run)
            .on_abandon(self.on_abandon)
            .on_expiry(self.on_expiry)
            .on_error(self.on_error)
            .key_hash(self.hash)
            .secret([7; 16]);
        match self.max_response {
            Some(most) => builder.max_response(size(most)),
            None => builder,
        }
    }

    /// Under AddressSanitizer all memory for responses is marked as not in use, which takes an eighth
    /// of it: there may not be that much. What is out of bounds stays so.
    pub(crate) fn spare_the_sanitizer(&mut self) {
        if cfg!(idem_asan) && self.bytes <= 210 * GIB {
            self.bytes = self.bytes.min(16 << 20);
        }
    }

    /// The most bytes of one response, if `bytes` is in bounds.
    pub(crate) fn response_bound(&self) -> u64 {
        let granules = self.bytes / 64;
        GIB.min(granules.saturating_sub(1) * 64)
    }

    /// Every option with its bounds: the least, and between which values the greatest one lies,
    /// where the documentation only says about how much that is.
    fn sizes(&self) -> [(&'static str, u64, u64, [u64; 2]); 5] {
        let (response, most) = (self.max_response.unwrap_or(0), self.response_bound());
        [
            ("records", self.records, 1, [268_000_000, 268_999_999]),
            ("bytes", self.bytes, 4096, [200 * GIB, 210 * GIB]),
            ("max_response", response, 0, [most; 2]),
            ("waiters", self.waiters, 0, [1_048_574; 2]),
            ("waiters_per_key", self.waiters_per_key, 0, [u32::MAX.into(); 2]),
        ]
    }

    /// Every duration, and whether it may be zero.
    fn times(&self) -> [(&'static str, Duration, bool); 7] {
        let keep = match self.on_error {
            OnError::Keep(time) => time,
            _ => NANO,
        };
        [
            ("lease", self.lease, false),
            ("retention", self.retention, true),
            ("cancelled_retention", self.cancelled_retention, true),
            ("halted_retention", self.halted_retention, false),
            ("accept_timeout", self.accept_timeout, false),
            ("max_run", self.max_run, false),
            ("OnError::Keep", keep, false),
        ]
    }

    /// Whether some option is certainly out of bounds.
    pub(crate) fn is_out_of_bounds(&self) -> bool {
        self.sizes().iter().any(|(_, value, least, [_, most])| value < least || value > most)
            || self.times().iter().any(|(_, time, may_be_zero)| !is_good(*time, *may_be_zero))
    }

    /// Whether the error names an option that is out of bounds, and its bound.
    pub(crate) fn explains(&self, error: ConfigError) -> bool {
        let size = |name| self.sizes().into_iter().find(|size| size.0 == name);
        let time = |name| self.times().into_iter().find(|time| time.0 == name);
        match error {
            ConfigError::Zero(name) => {
                size(name).is_some_and(|(_, value, least, _)| value == 0 && least > 0)
                    || time(name).is_some_and(|(_, time, may)| time.is_zero() && !may)
            }
            ConfigError::TooSmall(name, bound) => {
                size(name).is_some_and(|(_, value, least, _)| value < least && bound == least)
            }
            ConfigError::TooLarge(name, bound) => size(name).is_some_and(|(_, value, _, most)| {
                value > bound && (most[0]..=most[1]).contains(&bound)
            }),
            ConfigError::TooLong(name) => time(name).is_some_and(|(_, time, _)| time > TEN_YEARS),
            // More than the defaults, which any system has room for.
            ConfigError::NoMemory => {
                self.records > 1_000_000 || self.bytes > 256 << 20 || self.waiters > 65_536
            }
            _ => false,
        }
    }

    /// Brings the option that an error names to the bound that it names.
    pub(crate) fn mend(&mut self, error: ConfigError) {
        let (name, bound) = match error {
            ConfigError::Zero(name) => (name, 1),
            ConfigError::TooSmall(name, bound) | ConfigError::TooLarge(name, bound) => {
                (name, bound)
            }
            ConfigError::TooLong(name) => (name, u64::MAX),
            other => panic!("nothing to mend: {other:?}"),
        };
        let time = if bound == 1 { NANO } else { TEN_YEARS };
        match name {
            "records" => self.records = bound,
            "bytes" => self.bytes = bound,
            "max_response" => self.max_response = Some(bound),
            "waiters" => self.waiters = bound,
            "waiters_per_key" => self.waiters_per_key = bound,
            "lease" => self.lease = time,
            "retention" => self.retention = time,
            "cancelled_retention" => self.cancelled_retention = time,
            "halted_retention" => self.halted_retention = time,
            "accept_timeout" => self.accept_timeout = time,
            "max_run" => self.max_run = time,
            "OnError::Keep" => self.on_error = OnError::Keep(time),
            other => panic!("no such option: {other}"),
        }
    }
}

/// What a namespace or a claim says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) lease: Option<Duration>,
    pub(crate) retention: Option<Duration>,
    pub(crate) on_abandon: Option<OnEnd>,
    pub(crate) on_expiry: Option<OnEnd>,
}

impl Wish {
    pub(crate) fn decode(bytes: &mut Bytes<'_>) -> Self {
        Self {
            lease: bytes.maybe(Bytes::time),
            retention: bytes.maybe(Bytes::time),
            on_abandon: bytes.maybe(Bytes::policy),
            on_expiry: bytes.maybe(Bytes::policy),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.lease.is_none_or(|time| is_good(time, false))
            && self.retention.is_none_or(|time| is_good(time, true))
    }

    pub(crate) fn namespace(&self) -> NamespaceOptions {
        let mut options = NamespaceOptions::default();
        if let Some(time) = self.lease {
            options = options.lease(time);
        }
        if let Some(time) = self.retention {
            options = options.retention(time);
        }
        if let Some(policy) = self.on_abandon {
            options = options.on_abandon(policy);
        }
        self.on_expiry.map_or(options, |policy| options.on_expiry(policy))
    }

    pub(crate) fn claim(&self, key: Key) -> Claim {
        let mut claim = Claim::new(key);
        if let Some(time) = self.lease {
            claim = claim.lease(time);
        }
        if let Some(time) = self.retention {
            claim = claim.retention(time);
        }
        if let Some(policy) = self.on_abandon {
            claim = claim.on_abandon(policy);
        }
        self.on_expiry.map_or(claim, |policy| claim.on_expiry(policy))
    }

    pub(crate) fn explains_namespace(&self, error: ConfigError) -> bool {
        match error {
            ConfigError::Zero("lease") => self.lease == Some(Duration::ZERO),
            ConfigError::TooLong("lease") => self.lease > Some(TEN_YEARS),
            ConfigError::TooLong("retention") => self.retention > Some(TEN_YEARS),
            _ => false,
        }
    }

    pub(crate) fn explains_claim(&self, error: ClaimError) -> bool {
        match error {
            ClaimError::ZeroLease => self.lease == Some(Duration::ZERO),
            ClaimError::TooLong => self.lease > Some(TEN_YEARS) || self.retention > Some(TEN_YEARS),
            _ => false,
        }
    }

    /// Takes back what is out of bounds.
    pub(crate) fn mended(mut self) -> Self {
        self.lease = self.lease.filter(|time| is_good(*time, false));
        self.retention = self.retention.filter(|time| is_good(*time, true));
        self
    }
}

fn is_good(time: Duration, may_be_zero: bool) -> bool {
    time <= TEN_YEARS && (may_be_zero || !time.is_zero())
}
