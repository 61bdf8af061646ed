//! What an engine is opened with.

use core::ffi::c_void;
use core::time::Duration;
use std::sync::Arc;

use idem::{Builder, Clock, Engine, KeyHash};

use crate::boundary::{Border, Called, Foreign, Keeper, Plain, Versioned};
use crate::clock::idem_clock_t;
use crate::convert::{duration, event, flag, on_end, size};
use crate::status::idem_status_t::IDEM_ERR_VALUE;
use crate::types::{idem_destroy_fn, idem_event_t};

/// How keys and fingerprints are hashed.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_key_hash_t {
    /// SipHash-2-4.
    IDEM_KEY_HASH_DEFAULT = 0,
    /// Keyed, and hard to forge: for keys that callers choose.
    IDEM_KEY_HASH_SIPHASH24 = 1,
    /// Faster, and no defence against who chooses the keys.
    IDEM_KEY_HASH_XXH3 = 2,
}

/// Yes, no, or as it is by default.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_switch_t {
    /// As the option says.
    IDEM_SWITCH_DEFAULT = 0,
    /// Yes.
    IDEM_SWITCH_ON = 1,
    /// No.
    IDEM_SWITCH_OFF = 2,
}

/// Called with every event, on the thread that brings it about, before its call returns, with no lock held.
/// It should be short and must not block; it may call libidem. `event` is borrowed until it returns.
pub type idem_hook_fn = Option<unsafe extern "C" fn(user: *mut c_void, event: *const idem_event_t)>;

/// What an engine is opened with. Zero everything and set `struct_size`: 0 is the default of each field,
/// and `IDEM_ZERO` is none, where that makes sense. Durations are in milliseconds, at most ten years.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_config_t {
    /// `sizeof(idem_config_t)`.
    pub struct_size: usize,
    /// Keys that may have a record, in flight or finished. Default 1 000 000. Address space for all of
    /// them, and for `bytes`, is reserved at once (some 660 MB by default); memory is taken as it is used.
    pub records: u64,
    /// Bytes of stored responses, each rounded up to 64 and with 64 besides; each record in flight reserves
    /// 64. Default 256 MiB; at least 4 KiB.
    pub bytes: u64,
    /// Bytes of one response; of a longer one only a tombstone is kept. Default 1 MiB, or what `bytes`
    /// allows; `IDEM_ZERO`: tombstones alone.
    pub max_response: u64,
    /// Waiters in all. Default 65 536; `IDEM_ZERO`: nobody waits.
    pub waiters: u64,
    /// Waiters of one key. Default 4096; `IDEM_ZERO`: nobody waits.
    pub waiters_per_key: u64,
    /// How long an owner may take, unless its claim says otherwise. Default 30 s.
    pub lease_ms: u64,
    /// How long responses are kept, unless said otherwise. Default 24 h; `IDEM_ZERO`: they only go to those
    /// who wait.
    pub retention_ms: u64,
    /// How long a cancellation is kept. Default none; if there is one, cancels fail all waiters.
    pub cancelled_retention_ms: u64,
    /// How long a halted record refuses to run again. Default 24 h.
    pub halted_retention_ms: u64,
    /// How long a waiter that is handed the lease may take to pick it up. Default 1 s.
    pub accept_timeout_ms: u64,
    /// An `idem_on_end_t`: if a lease is abandoned. Default hand-over.
    pub on_abandon: u32,
    /// An `idem_on_end_t`: if a lease runs out. Default hand-over.
    pub on_expiry: u32,
    /// An `idem_key_hash_t`.
    pub key_hash: u32,
    /// An `idem_switch_t`: whether a thread of the engine's own removes what has expired. Default on, with
    /// a manual clock off; without it, call `idem_tick` now and then.
    pub helper_thread: u32,
    /// An `idem_switch_t`: whether to ask the system for huge pages. Default off.
    pub huge_pages: u32,
    /// An `idem_switch_t`: whether all memory is made resident now. Default off: what is not touched costs
    /// nothing.
    pub prefault: u32,
    /// How many times as fast as the system's the clock runs, for tests of hours in seconds; 0 and 1: as
    /// it. Not looked at if there is a `clock`.
    pub clock_rate: u32,
    /// An `idem_switch_t`: on, `secret` is the secret that keys all hashes. Default: a random one.
    pub has_secret: u32,
    /// The secret.
    pub secret: [u8; 16],
    /// A manual clock, which tests move; null: the system's.
    pub clock: *const idem_clock_t,
    /// Null: nobody is told of events.
    pub hook: idem_hook_fn,
    /// The hook's user data.
    pub hook_user: *mut c_void,
    /// Called with it once the engine is gone. If it could not be opened the user data is still the caller's.
    pub hook_destroy: idem_destroy_fn,
}

// SAFETY: ffi.1 (integers, pointers, and functions that may be null).
unsafe impl Plain for idem_config_t {}
// SAFETY: the first field is its size.
unsafe impl Versioned for idem_config_t {
    const LEAST: usize = 168;
}

pub(crate) type Hook = Foreign<*const idem_event_t>;

impl idem_config_t {
    /// Options for an engine, as far as they can be checked one by one; and the hook, whose user data is
    /// the engine's once there is one.
    pub(crate) fn builder(&self, border: &Border) -> Called<(Builder, Option<Arc<Hook>>)> {
        let mut builder = Engine::builder();
        if let Some(records) = size(self.records) {
            builder = builder.records(records);
        }
        if self.bytes != 0 {
            builder = builder.bytes(self.bytes);
        }
        if let Some(bytes) = size(self.max_response) {
            builder = builder.max_response(bytes);
        }
        if let Some(count) = size(self.waiters) {
            builder = builder.waiters(count);
        }
        if let Some(count) = size(self.waiters_per_key) {
            builder = builder.waiters_per_key(count);
        }
        builder = self.times(builder);
        if let Some(policy) = on_end(self.on_abandon)? {
            builder = builder.on_abandon(policy);
        }
        if let Some(policy) = on_end(self.on_expiry)? {
            builder = builder.on_expiry(policy);
        }
        builder = builder.key_hash(match self.key_hash {
            0 | 1 => KeyHash::SipHash24,
            2 => KeyHash::Xxh3,
            _ => return Err(IDEM_ERR_VALUE),
        });
        if let Some(helper_thread) = flag(self.helper_thread)? {
            builder = builder.helper_thread(helper_thread);
        }
        builder = builder.huge_pages(flag(self.huge_pages)? == Some(true));
        builder = builder.prefault(flag(self.prefault)? == Some(true));
        if flag(self.has_secret)? == Some(true) {
            builder = builder.secret(self.secret);
        }
        if let Some(clock) = border.optional(self.clock)? {
            builder = builder.clock(clock.clock());
        } else if self.clock_rate > 1 {
            builder = builder.clock(Clock::accelerated(self.clock_rate));
        }
        let hook = self
            .hook
            .map(|hook| Arc::new(Foreign::borrowed(hook, self.hook_user, self.hook_destroy)));
        if let Some(hook) = hook.clone() {
            builder = builder.hook(move |happened| hook.call(&event(happened)));
        }
        Ok((builder, hook))
    }

    /// Without a hook nobody needs its user data.
    pub(crate) fn let_go_of_hook(&self) {
        drop(Keeper::new(self.hook_user, self.hook_destroy));
    }

    fn times(&self, mut builder: Builder) -> Builder {
        let options: [(u64, fn(Builder, Duration) -> Builder); 5] = [
            (self.lease_ms, Builder::lease),
            (self.retention_ms, Builder::retention),
            (self.cancelled_retention_ms, Builder::cancelled_retention),
            (self.halted_retention_ms, Builder::halted_retention),
            (self.accept_timeout_ms, Builder::accept_timeout),
        ];
        for (millis, set) in options {
            if let Some(time) = duration(millis) {
                builder = set(builder, time);
            }
        }
        builder
    }
}
