//! Namespaces: keys apart from each other, with terms of their own.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::builder::{ConfigError, millis, some_millis, within};
use crate::engine::{Engine, Within};
use crate::key::{Fingerprint, Key, KeyError, Scope};
use crate::memory::arena::Granule;
use crate::memory::budget::Room;
use crate::outcome::OnEnd;
use crate::protocol::Terms;
use crate::realms::Limits;

/// A part of an engine's keys: the same key in two namespaces is two keys.
///
/// A handle, made by [`Engine::namespace`]; it has the terms that were on record then.
#[derive(Clone)]
pub struct Namespace {
    engine: Engine,
    name: Arc<[u8]>,
    number: u32,
    terms: Terms,
}

impl Namespace {
    pub(crate) fn new(engine: Engine, name: &[u8], number: u32, terms: Terms) -> Self {
        Self { engine, name: name.into(), number, terms }
    }

    fn within(&self) -> Within<'_> {
        Within { name: &self.name, number: self.number, terms: self.terms }
    }

    /// Clears the namespace, in one step however large it is: from now on none of its keys has a record.
    /// What is left of the old ones is removed by ticks, and by claims that need room; what is held of
    /// their responses stays readable.
    ///
    /// Owners of keys that are in flight go on for those who wait for them already, and are told
    /// [`Detached`](crate::Completion::Detached); what they give up passes to nobody. So an old and a
    /// new execution of one key may overlap (R4).
    pub fn clear(&self) {
        self.engine.core().clear(self.number);
    }

    /// As [`Engine::key`], in this namespace.
    ///
    /// # Errors
    /// An empty key or scope, or one that is too long.
    pub fn key(&self, scope: Scope<'_>, key: &[u8]) -> Result<Key, KeyError> {
        self.engine.key_in(self.within(), scope, key)
    }

    /// As [`Engine::fingerprint_key`], in this namespace.
    ///
    /// # Errors
    /// An empty scope, or one that is too long.
    pub fn fingerprint_key(
        &self,
        scope: Scope<'_>,
        fingerprint: Fingerprint,
    ) -> Result<Key, KeyError> {
        self.engine.fingerprint_key_in(self.within(), scope, fingerprint)
    }

    /// As [`Engine::raw_key`], in this namespace.
    #[must_use]
    pub fn raw_key(&self, bits: u128) -> Key {
        self.engine.raw_key_in(self.within(), bits)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &String::from_utf8_lossy(&self.name))
            .finish_non_exhaustive()
    }
}

/// What a namespace has otherwise than its engine; what is not set is as the engine has it.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct NamespaceOptions {
    lease: Option<Duration>,
    retention: Option<Duration>,
    on_abandon: Option<OnEnd>,
    on_expiry: Option<OnEnd>,
    records: Option<u64>,
    bytes: Option<u64>,
    records_per_scope: Option<u64>,
    bytes_per_scope: Option<u64>,
}

impl NamespaceOptions {
    /// See [`Builder::lease`](crate::Builder::lease).
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = Some(time);
        self
    }

    /// See [`Builder::retention`](crate::Builder::retention).
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = Some(time);
        self
    }

    /// See [`Builder::on_abandon`](crate::Builder::on_abandon).
    pub fn on_abandon(mut self, policy: OnEnd) -> Self {
        self.on_abandon = Some(policy);
        self
    }

    /// See [`Builder::on_expiry`](crate::Builder::on_expiry).
    pub fn on_expiry(mut self, policy: OnEnd) -> Self {
        self.on_expiry = Some(policy);
        self
    }

    /// Keys of the namespace that may have a record (R5). Default: no limit but the engine's; at least
    /// 1, at most 67 108 863. Beyond it a new key gets [`Full(Namespace)`](crate::Limit::Namespace).
    pub fn records(mut self, count: u64) -> Self {
        self.records = Some(count);
        self
    }

    /// Bytes of the namespace, counted as [`Builder::bytes`](crate::Builder::bytes) does. Default: no
    /// limit but the engine's; at least 64, at most 4 GiB less 64. Beyond it a response leaves a
    /// tombstone, and a new key gets [`Full(Namespace)`](crate::Limit::Namespace).
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// The same as [`records`](Self::records) for each scope within the namespace:
    /// [`Full(Scope)`](crate::Limit::Scope).
    pub fn records_per_scope(mut self, count: u64) -> Self {
        self.records_per_scope = Some(count);
        self
    }

    /// The same as [`bytes`](Self::bytes) for each scope within the namespace.
    pub fn bytes_per_scope(mut self, bytes: u64) -> Self {
        self.bytes_per_scope = Some(bytes);
        self
    }

    pub(crate) fn limits(self) -> Result<Limits, ConfigError> {
        let records = |option, count: Option<u64>| {
            count.map_or(Ok(0), |count| {
                within(option, count, 1, Limits::RECORDS_MAX).map(|()| count as u32)
            })
        };
        let granules = |option, bytes: Option<u64>| {
            const GRANULE: u64 = Granule::BYTES as u64;
            bytes.map_or(Ok(0), |bytes| {
                within(option, bytes, GRANULE, Limits::GRANULES_MAX * GRANULE)
                    .map(|()| (bytes / GRANULE) as u32)
            })
        };
        Ok(Limits {
            namespace: Room::of(records("records", self.records)?, granules("bytes", self.bytes)?),
            scope: Room::of(
                records("records_per_scope", self.records_per_scope)?,
                granules("bytes_per_scope", self.bytes_per_scope)?,
            ),
        })
    }

    pub(crate) fn terms(self, engine: Terms) -> Result<Terms, ConfigError> {
        Ok(Terms {
            lease: self.lease.map_or(Ok(engine.lease), |time| some_millis("lease", time))?,
            retention: self
                .retention
                .map_or(Ok(engine.retention), |time| millis("retention", time))?,
            on_abandon: self.on_abandon.unwrap_or(engine.on_abandon),
            on_expiry: self.on_expiry.unwrap_or(engine.on_expiry),
        })
    }
}
