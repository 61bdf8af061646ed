//! Namespaces: keys apart from each other, with terms of their own.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::builder::{ConfigError, millis, some_millis};
use crate::engine::Engine;
use crate::key::{Fingerprint, Key, KeyError, Scope};
use crate::outcome::OnEnd;
use crate::protocol::Terms;

/// A part of an engine's keys: the same key in two namespaces is two keys.
///
/// A handle, made by [`Engine::namespace`]; it has the terms that were on record then.
#[derive(Clone)]
pub struct Namespace {
    engine: Engine,
    name: Arc<[u8]>,
    terms: Terms,
}

impl Namespace {
    pub(crate) fn new(engine: Engine, name: &[u8], terms: Terms) -> Self {
        Self { engine, name: name.into(), terms }
    }

    /// As [`Engine::key`], in this namespace.
    ///
    /// # Errors
    /// An empty key or scope, or one that is too long.
    pub fn key(&self, scope: Scope<'_>, key: &[u8]) -> Result<Key, KeyError> {
        self.engine.key_in(&self.name, self.terms, scope, key)
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
        self.engine.fingerprint_key_in(&self.name, self.terms, scope, fingerprint)
    }

    /// As [`Engine::raw_key`], in this namespace.
    #[must_use]
    pub fn raw_key(&self, bits: u128) -> Key {
        self.engine.raw_key_in(&self.name, self.terms, bits)
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
