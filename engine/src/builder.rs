//! Every option of an engine: its unit, default, bounds and check, in one place.

use core::fmt;
use core::time::Duration;

use crate::clock::{Clock, DURATION_MAX, duration_millis};
use crate::engine::Engine;
use crate::geometry::Geometry;
use crate::hook::{Event, Hook};
use crate::key::Secret;
use crate::memory::arena::Granule;
use crate::memory::pages::Pages;
use crate::outcome::{OnEnd, OnError};
use crate::protocol::{Core, Rules, Terms};

/// How keys and fingerprints are hashed (K5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum KeyHash {
    /// SipHash-2-4 with 128 bits: safe for keys that others choose.
    #[default]
    SipHash24,
    /// XXH3-128: faster, but whoever chooses the keys can make two that collide. Only for keys
    /// that nobody outside has a say in.
    Xxh3,
}

/// A secret, which no log shows.
#[derive(Clone, Copy)]
struct Hidden([u8; 16]);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

/// What is wrong with a configuration. The message names the option and its bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// This option must not be zero.
    Zero(&'static str),
    /// This option is beyond its greatest value.
    TooLarge(&'static str, u64),
    /// This duration is longer than ten years.
    TooLong(&'static str),
    /// This option is below its least value.
    TooSmall(&'static str, u64),
    /// The namespace has been named before, with other limits.
    LimitsSet,
    /// The system has no address space for limits of this size.
    NoMemory,
    /// The system has not got the memory that [`prefault`](Builder::prefault) asks for.
    NoPages,
    /// The system gave no random bytes for the secret.
    NoRandom,
    /// The system gave no thread for the helper.
    NoThread,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Zero(option) => write!(f, "{option} must not be zero"),
            ConfigError::TooLarge(option, most) => write!(f, "{option} is at most {most}"),
            ConfigError::TooLong(option) => {
                write!(f, "{option} is at most {} days", DURATION_MAX.as_secs() / 86_400)
            }
            ConfigError::TooSmall(option, least) => write!(f, "{option} is at least {least}"),
            ConfigError::LimitsSet => {
                f.write_str("the namespace has been named before, with other limits")
            }
            ConfigError::NoMemory => f.write_str("no address space for limits of this size"),
            ConfigError::NoPages => {
                f.write_str("prefault: not enough memory for limits of this size")
            }
            ConfigError::NoRandom => f.write_str("no random bytes for the secret"),
            ConfigError::NoThread => f.write_str("the helper thread could not be started"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Sets an engine up. See the methods for units, defaults and bounds; durations are at most ten years.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    records: usize,
    bytes: u64,
    max_response: Option<usize>,
    waiters: usize,
    waiters_per_key: usize,
    lease: Duration,
    retention: Duration,
    cancelled_retention: Duration,
    halted_retention: Duration,
    accept_timeout: Duration,
    max_run: Duration,
    on_abandon: OnEnd,
    on_expiry: OnEnd,
    on_error: OnError,
    key_hash: KeyHash,
    secret: Option<Hidden>,
    clock: Option<Clock>,
    hook: Option<Hook>,
    helper_thread: Option<bool>,
    pages: Pages,
    /// Tests make the structures tiny.
    #[cfg(test)]
    shape: Option<fn(Geometry) -> Geometry>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            records: 1_000_000,
            bytes: 256 << 20,
            max_response: None,
            waiters: 65_536,
            waiters_per_key: 4096,
            lease: Duration::from_secs(30),
            retention: Duration::from_secs(86_400),
            cancelled_retention: Duration::ZERO,
            halted_retention: Duration::from_secs(86_400),
            accept_timeout: Duration::from_secs(1),
            max_run: Duration::from_secs(900),
            on_abandon: OnEnd::HandOver,
            on_expiry: OnEnd::HandOver,
            on_error: OnError::Share,
            key_hash: KeyHash::SipHash24,
            secret: None,
            clock: None,
            hook: None,
            helper_thread: None,
            pages: Pages::default(),
            #[cfg(test)]
            shape: None,
        }
    }
}

impl Builder {
    /// Keys that may have a record, in flight or finished. Default 1 000 000; at most 268 million, of
    /// them 4 194 240 in flight at a time (one more gets
    /// [`Full(Records)`](crate::Outcome::Full)).
    pub fn records(mut self, count: usize) -> Self {
        self.records = count;
        self
    }

    /// Bytes of stored responses, in units of 64: each response is rounded up and has 64 bytes
    /// besides; each record in flight reserves 64. Responses still held by a
    /// [`Replay`](crate::Replay) count. Default 256 MiB; at least 4 KiB, at most about 200 GiB.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Bytes of one response; of a longer one only a tombstone is kept. At most 1 GiB and, rounded up
    /// to 64 and with its 64 bytes besides, [`bytes`](Self::bytes). Default 1 MiB, or as much as
    /// `bytes` allows.
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = Some(bytes);
        self
    }

    /// Waiters in all. Default 65 536; at most 1 048 574.
    pub fn waiters(mut self, count: usize) -> Self {
        self.waiters = count;
        self
    }

    /// Waiters of one key. Default 4096; more than [`waiters`](Self::waiters) says nothing, and more
    /// than 4 294 967 295 is refused.
    pub fn waiters_per_key(mut self, count: usize) -> Self {
        self.waiters_per_key = count;
        self
    }

    /// How long an owner may take, unless its claim says otherwise. Default 30 s; not zero.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// How long responses are kept, unless said otherwise. Default 24 h; zero: only delivered.
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = time;
        self
    }

    /// How long a cancellation is kept. Default zero; if not, cancels and expiries fail all waiters
    /// and claims get [`Outcome::Cancelled`](crate::Outcome::Cancelled) until it is over (T3).
    pub fn cancelled_retention(mut self, time: Duration) -> Self {
        self.cancelled_retention = time;
        self
    }

    /// How long a halted record refuses to run again. Default 24 h; not zero (T4).
    pub fn halted_retention(mut self, time: Duration) -> Self {
        self.halted_retention = time;
        self
    }

    /// How long a waiter that is handed the lease may take to pick it up before the next one is
    /// offered it (L5). Default 1 s; not zero.
    pub fn accept_timeout(mut self, time: Duration) -> Self {
        self.accept_timeout = time;
        self
    }

    /// How long [`Engine::run`] holds its lease if its function does not return. Default 15 min; not
    /// zero.
    pub fn max_run(mut self, time: Duration) -> Self {
        self.max_run = time;
        self
    }

    /// What happens when a lease is dropped or unwound. Default [`OnEnd::HandOver`].
    pub fn on_abandon(mut self, policy: OnEnd) -> Self {
        self.on_abandon = policy;
        self
    }

    /// What happens when a lease runs out. Default [`OnEnd::HandOver`].
    pub fn on_expiry(mut self, policy: OnEnd) -> Self {
        self.on_expiry = policy;
        self
    }

    /// What [`Engine::run`] does with an error. Default [`OnError::Share`]; not [`OnError::Keep`] for
    /// no time, which is what sharing is.
    pub fn on_error(mut self, policy: OnError) -> Self {
        self.on_error = policy;
        self
    }

    /// How keys and fingerprints are hashed. Default [`KeyHash::SipHash24`].
    pub fn key_hash(mut self, hash: KeyHash) -> Self {
        self.key_hash = hash;
        self
    }

    /// The secret that keys all hashes. Default: random for each engine.
    pub fn secret(mut self, secret: [u8; 16]) -> Self {
        self.secret = Some(Hidden(secret));
        self
    }

    /// Where time comes from. Default [`Clock::monotonic`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A function that is called with every [`Event`], by the thread that brings it about, before its call
    /// returns. It runs with no lock held; it should be short, must not block, and its panic is
    /// contained. One hook: the last one set. Default: none.
    pub fn hook(mut self, hook: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.hook = Some(Hook::new(hook));
        self
    }

    /// Whether a thread of the engine's own removes what has expired. Default yes, with a manual
    /// clock no; without it, call [`Engine::tick`] now and then.
    pub fn helper_thread(mut self, helper_thread: bool) -> Self {
        self.helper_thread = Some(helper_thread);
        self
    }

    /// Whether to ask the system for huge pages, for those of the engine's tables that have at least
    /// 8 MiB: look-ups among millions of records miss less in the translation of addresses. Advice, on
    /// Linux (`MADV_HUGEPAGE`), where the system's setting is `madvise` or `always`; elsewhere, or if the
    /// system has none to give, nothing changes. What is touched is resident by 2 MiB instead of 4 KiB,
    /// and the first touch of each takes longer, unevenly: best with [`prefault`](Self::prefault).
    /// Default no: what the system's setting says. When to use it: [`manual::operating`].
    ///
    /// [`manual::operating`]: crate::manual::operating#memory
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.pages.huge = huge_pages;
        self
    }

    /// Whether [`build`](Self::build) makes all memory resident that the limits may ever need, so that no
    /// claim waits for the system to find a page: 1.25 times [`bytes`](Self::bytes), and about 190 bytes for each
    /// of [`records`](Self::records) and of [`waiters`](Self::waiters). (Not the 64 bytes that a namespace,
    /// or a scope that has limits, takes.) It takes as long as the system takes to zero that much. Default
    /// no: what is not touched costs nothing.
    ///
    /// If it is more than the machine has, or the system refuses, `build` fails with
    /// [`ConfigError::NoPages`]. Short of that, systems that lend more than they have (Linux by default)
    /// may end a process instead of refusing it memory, also while it prefaults.
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.pages.prefault = prefault;
        self
    }

    #[cfg(all(test, not(idem_loom)))]
    pub(crate) fn shape(mut self, shape: fn(Geometry) -> Geometry) -> Self {
        self.shape = Some(shape);
        self
    }

    /// Checks the options and builds the engine.
    ///
    /// # Errors
    /// The first option that is out of bounds, or what the system would not give.
    pub fn build(self) -> Result<Engine, ConfigError> {
        let (rules, terms, max_run) = self.checked()?;
        let geometry = Geometry::for_limits(self.records, self.bytes, self.waiters);
        #[cfg(test)]
        let geometry = self.shape.map_or(geometry, |shape| shape(geometry));
        let secret = match self.secret {
            Some(Hidden(secret)) => secret,
            None => random()?,
        };
        let secret = Secret::new(secret, self.key_hash);
        let clock = self.clock.unwrap_or_else(Clock::monotonic);
        let helper_thread = self.helper_thread.unwrap_or(clock.manual_clock().is_none());
        let mut core = Core::new(geometry, rules, clock, secret.placement_seed(), self.hook)
            .ok_or(ConfigError::NoMemory)?;
        if !core.back(self.pages) {
            return Err(ConfigError::NoPages);
        }
        let engine = u64::from_ne_bytes(random()?);
        Engine::start(core, engine, secret, terms, (max_run, self.on_error), helper_thread)
    }

    /// Whether the options are within their bounds; the system may still not give what they ask for.
    ///
    /// # Errors
    /// The first option that is out of bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.checked().map(drop)
    }

    /// What an engine is made of, and the longest run.
    fn checked(&self) -> Result<(Rules, Terms, u64), ConfigError> {
        self.check_limits()?;
        let waiters_per_key = u32::try_from(self.waiters_per_key).unwrap_or(u32::MAX);
        let max_response = self.checked_max_response()?;
        let rules = Rules {
            max_response,
            waiters_per_key,
            cancelled_retention: millis("cancelled_retention", self.cancelled_retention)?,
            halted_retention: some_millis("halted_retention", self.halted_retention)?,
            accept_timeout: some_millis("accept_timeout", self.accept_timeout)?,
        };
        let terms = Terms {
            lease: some_millis("lease", self.lease)?,
            retention: millis("retention", self.retention)?,
            on_abandon: self.on_abandon,
            on_expiry: self.on_expiry,
        };
        let max_run = some_millis("max_run", self.max_run)?;
        if let OnError::Keep(time) = self.on_error {
            some_millis("OnError::Keep", time)?;
        }
        Ok((rules, terms, max_run))
    }

    /// The bytes of one response, which must fit with its header in the granules there may be.
    fn checked_max_response(&self) -> Result<usize, ConfigError> {
        const MOST: usize = 1 << 30;
        const DEFAULT: usize = 1 << 20;
        let granule = Granule::BYTES as u64;
        let room = usize::try_from((self.bytes / granule - 1) * granule).unwrap_or(MOST);
        let max_response = self.max_response.unwrap_or(DEFAULT.min(room));
        within("max_response", max_response as u64, 0, MOST.min(room) as u64)?;
        Ok(max_response)
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        within("records", self.records as u64, 1, Geometry::RECORDS_MAX as u64)?;
        within("bytes", self.bytes, 4096, Geometry::BYTES_MAX)?;
        within("waiters", self.waiters as u64, 0, Geometry::WAITERS_MAX as u64)?;
        within("waiters_per_key", self.waiters_per_key as u64, 0, u32::MAX.into())
    }
}

pub(crate) fn within(
    option: &'static str,
    value: u64,
    least: u64,
    most: u64,
) -> Result<(), ConfigError> {
    match value {
        0 if least > 0 => Err(ConfigError::Zero(option)),
        _ if value < least => Err(ConfigError::TooSmall(option, least)),
        _ if value > most => Err(ConfigError::TooLarge(option, most)),
        _ => Ok(()),
    }
}

pub(crate) fn millis(option: &'static str, time: Duration) -> Result<u64, ConfigError> {
    duration_millis(time).ok_or(ConfigError::TooLong(option))
}

pub(crate) fn some_millis(option: &'static str, time: Duration) -> Result<u64, ConfigError> {
    match millis(option, time)? {
        0 => Err(ConfigError::Zero(option)),
        millis => Ok(millis),
    }
}

fn random<const N: usize>() -> Result<[u8; N], ConfigError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| ConfigError::NoRandom)?;
    Ok(bytes)
}
