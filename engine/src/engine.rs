//! The engine: the public face of the protocol.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use papaya::HashMap;

use crate::builder::{Builder, ConfigError};
use crate::claim::{Claim, ClaimError};
use crate::clock::bounded_millis;
use crate::helper::Helper;
use crate::inspect::{Listed, Status};
use crate::key::{Fingerprint, FingerprintBuilder, Key, KeyError, Scope, Secret};
use crate::lease::{Lease, Token, TokenError};
use crate::namespace::{Namespace, NamespaceOptions};
use crate::outcome::{OnError, Outcome};
use crate::protocol::{Core, Terms};
use crate::realms::{Home, Limits, Realm, Realms};
use crate::stats::Stats;

/// Decides, for every key, whether it has been seen and what became of it.
///
/// A handle: clones are the same engine. It ends when the last handle and the last lease, waiter
/// and replay are gone; what it remembers ends with it. See the [crate] for an example and the
/// promises.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    core: Arc<Core>,
    id: u64,
    secret: Secret,
    terms: Terms,
    max_run: u64,
    on_error: OnError,
    namespaces: HashMap<Box<str>, Defined>,
    anchors: Box<[Arc<Anchor>]>,
    /// Stopped when the last handle is dropped.
    _helper: Option<Helper>,
}

/// What is on record of a namespace.
#[derive(Clone, Copy)]
struct Defined {
    number: u32,
    terms: Terms,
    limits: Limits,
}

/// A namespace, as the keys in it need it.
#[derive(Clone, Copy)]
pub(crate) struct Within<'a> {
    /// Part of every id; nothing for the default namespace.
    pub(crate) name: &'a [u8],
    pub(crate) number: u32,
    pub(crate) terms: Terms,
}

/// Keeps the engine's memory alive for as long as a lease, waiter or replay is there.
///
/// There is one for each shard, so that threads which take handles do not meet at one count; each
/// has two cache lines to itself.
#[repr(align(128))]
pub(crate) struct Anchor {
    pub(crate) core: Arc<Core>,
    pub(crate) engine: u64,
}

impl Engine {
    /// An engine with every option at its default; see [`Builder`].
    ///
    /// # Errors
    /// What the system would not give: memory, random bytes, a thread.
    pub fn new() -> Result<Self, ConfigError> {
        Self::builder().build()
    }

    /// Options to build an engine with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(
        core: Core,
        id: u64,
        secret: Secret,
        terms: Terms,
        (max_run, on_error): (u64, OnError),
        helper_thread: bool,
    ) -> Result<Self, ConfigError> {
        let core = Arc::new(core);
        let anchor = |_| Arc::new(Anchor { core: core.clone(), engine: id });
        let anchors = (0..core.geometry.shards).map(anchor).collect();
        let helper = helper_thread.then(|| Helper::start(core.clone())).transpose()?;
        Ok(Self(Arc::new(Shared {
            core,
            id,
            secret,
            terms,
            max_run,
            on_error,
            namespaces: HashMap::new(),
            anchors,
            _helper: helper,
        })))
    }

    /// Names one logical operation: `key` within `scope`, in the default namespace.
    ///
    /// # Errors
    /// An empty key or scope, or one that is too long.
    pub fn key(&self, scope: Scope<'_>, key: &[u8]) -> Result<Key, KeyError> {
        self.key_in(self.within(), scope, key)
    }

    /// A request without a key of its own: what it says is its key.
    ///
    /// # Errors
    /// An empty scope, or one that is too long.
    pub fn fingerprint_key(
        &self,
        scope: Scope<'_>,
        fingerprint: Fingerprint,
    ) -> Result<Key, KeyError> {
        self.fingerprint_key_in(self.within(), scope, fingerprint)
    }

    /// The caller's own 128 bits as a key. They are the whole identity: equal bits are the same
    /// key.
    #[must_use]
    #[inline(always)]
    pub fn raw_key(&self, bits: u128) -> Key {
        self.raw_key_in(self.within(), bits)
    }

    /// The default namespace.
    #[inline(always)]
    fn within(&self) -> Within<'_> {
        Within { name: &[], number: 0, terms: self.0.terms }
    }

    pub(crate) fn key_in(
        &self,
        within: Within<'_>,
        scope: Scope<'_>,
        key: &[u8],
    ) -> Result<Key, KeyError> {
        check_scope(scope)?;
        Key::check(key)?;
        Ok(self.key_with(within, scope, self.0.secret.key_id(within.name, scope, key)))
    }

    pub(crate) fn fingerprint_key_in(
        &self,
        within: Within<'_>,
        scope: Scope<'_>,
        fingerprint: Fingerprint,
    ) -> Result<Key, KeyError> {
        check_scope(scope)?;
        let id = self.0.secret.fingerprint_id(within.name, scope, fingerprint);
        Ok(self.key_with(within, scope, id))
    }

    #[inline(always)]
    pub(crate) fn raw_key_in(&self, within: Within<'_>, bits: u128) -> Key {
        self.key_with(within, Scope::None, self.0.secret.raw_id(within.name, bits))
    }

    /// The key of an id, in the namespace's epoch of now.
    #[inline(always)]
    fn key_with(&self, within: Within<'_>, scope: Scope<'_>, id: [u64; 2]) -> Key {
        let realms = &self.0.core.realms;
        let scope = match scope {
            Scope::Of(scope) if realms.counts_scopes(within.number) => {
                self.0.secret.scope_id(scope)
            }
            _ => 0,
        };
        let epoch = realms.epoch(within.number);
        let home = Home { namespace: within.number, epoch, scope };
        Key { id: self.in_epoch(id, epoch), engine: self.0.id, home, terms: within.terms }
    }

    /// The id that a namespace's key has in an epoch; or the other way round.
    #[inline(always)]
    fn in_epoch(&self, id: [u64; 2], epoch: u32) -> [u64; 2] {
        if epoch == 0 {
            return id;
        }
        let mask = self.0.secret.epoch_mask(epoch);
        [id[0] ^ mask[0], id[1] ^ mask[1]]
    }

    /// A key that was made before its namespace was cleared is the key of the same name after it: this
    /// is its id and its home now, if they are not what they were.
    #[inline(always)]
    pub(crate) fn moved(&self, id: [u64; 2], home: Home) -> Option<([u64; 2], Home)> {
        let epoch = self.0.core.realms.epoch(home.namespace);
        let is_moved = epoch != home.epoch;
        is_moved.then(|| {
            let id = self.in_epoch(self.in_epoch(id, home.epoch), epoch);
            (id, Home { epoch, ..home })
        })
    }

    /// The namespace of this name, on the terms that are on record for it, or else the engine's.
    ///
    /// Look it up once and keep the handle: a claim then costs what it costs without one.
    ///
    /// # Errors
    /// A name that is empty or too long, or too many of them.
    pub fn namespace(&self, name: &str) -> Result<Namespace, KeyError> {
        Key::check(name.as_bytes())?;
        let known = self.0.namespaces.pin().get(name).copied();
        let Defined { number, terms, .. } = match known {
            Some(known) => known,
            None => self.enroll(name, self.0.terms, Limits::NONE)?,
        };
        Ok(Namespace::new(self.clone(), name.as_bytes(), number, terms))
    }

    /// Puts a namespace's terms on record, for all who look it up from now on. Its limits are set by
    /// whoever names it first, and stay.
    ///
    /// # Errors
    /// The first option that is out of bounds, limits other than the namespace has already, or a name
    /// that is empty or too long.
    pub fn define_namespace(
        &self,
        name: &str,
        options: NamespaceOptions,
    ) -> Result<Namespace, ConfigError> {
        let refused = |error| match error {
            KeyError::Empty => ConfigError::Zero("the length of a namespace's name"),
            KeyError::TooLong => {
                ConfigError::TooLarge("the length of a namespace's name", Key::LENGTH_MAX as u64)
            }
            KeyError::TooManyNamespaces => {
                ConfigError::TooLarge("the number of namespaces", Realms::COUNT_MAX.into())
            }
        };
        Key::check(name.as_bytes()).map_err(refused)?;
        let (terms, limits) = (options.terms(self.0.terms)?, options.limits()?);
        let defined = self.enroll(name, terms, limits).map_err(refused)?;
        if defined.limits != limits {
            return Err(ConfigError::LimitsSet);
        }
        let defined = Defined { terms, ..defined };
        self.0.namespaces.pin().insert(name.into(), defined);
        Ok(Namespace::new(self.clone(), name.as_bytes(), defined.number, terms))
    }

    /// The namespace of this name; if nobody has named it yet, on these terms.
    fn enroll(&self, name: &str, terms: Terms, limits: Limits) -> Result<Defined, KeyError> {
        let namespaces = self.0.namespaces.pin();
        if let Some(known) = namespaces.get(name) {
            return Ok(*known);
        }
        let realms = &self.0.core.realms;
        let number = realms.add_namespace(limits).ok_or(KeyError::TooManyNamespaces)?;
        let known = *namespaces.get_or_insert(name.into(), Defined { number, terms, limits });
        if known.number != number {
            realms.withdraw_namespace(number);
        }
        Ok(known)
    }

    /// Clears the default namespace, as [`Namespace::clear`] does another.
    pub fn clear(&self) {
        self.0.core.clear(0);
    }

    /// Starts a fingerprint of what a request says.
    #[must_use]
    pub fn fingerprint(&self) -> FingerprintBuilder {
        self.0.secret.fingerprint()
    }

    /// A lease from its token; as good as the one the token was taken from, also in that dropping it
    /// abandons the key. To put it back unharmed, take its token again:
    ///
    /// ```
    /// # use idem::{Engine, Outcome, Scope, Token};
    /// # use std::time::Duration;
    /// fn renew(engine: &Engine, token: Token) -> Result<Token, Box<dyn std::error::Error>> {
    ///     let lease = engine.lease(token)?;
    ///     lease.renew(Duration::from_secs(60))?;
    ///     Ok(lease.into_token())
    /// }
    /// # let engine = Engine::new()?;
    /// # let Outcome::Execute(lease) = engine.claim(engine.key(Scope::None, b"job-3")?)? else { return Ok(()) };
    /// # let token = renew(&engine, lease.into_token())?;
    /// # assert!(engine.lease(token).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A token of another engine, or of a lease that is over.
    pub fn lease(&self, token: Token) -> Result<Lease, TokenError> {
        self.check(&token)?;
        self.0.core.deadline(&token.held).map_err(|_| TokenError::Stale)?;
        Ok(Lease::new(self.anchor(), token.held))
    }

    /// Removes what has expired and ends leases that ran out: a bounded slice of it. True if there
    /// may be more to do now.
    ///
    /// Needed only without a helper thread, and then only for memory: a claim never gets a wrong
    /// answer because nobody ticked.
    pub fn tick(&self) -> bool {
        self.0.core.tick()
    }

    /// No new keys from now on: their claims get [`Outcome::Closed`], and a waiter that would be handed
    /// a lease gets [`WaitOutcome::Closed`](crate::WaitOutcome::Closed). Replays go on, owners may
    /// finish.
    pub fn close(&self) {
        self.0.core.close(None);
    }

    /// As [`close`](Self::close), and after `time` (at most ten years) every lease that has not ended is
    /// ended: waiters get [`Cancelled(Shutdown)`](crate::WaitOutcome::Cancelled), and an owner that
    /// comes later is [`Stale`](crate::Stale). Where a lease's age would [halt](crate::Claim::on_expiry)
    /// the key, it is halted instead. Does not block (P4).
    ///
    /// Closing again can only bring that point forward. [`stats`](Self::stats) tells whether anybody is
    /// still at work: records in the [listing](Self::listing).
    pub fn close_within(&self, time: Duration) {
        let clock = &self.0.core.clock;
        let deadline = clock.deadline(clock.now(), bounded_millis(time));
        self.0.core.close(Some(deadline));
    }

    /// [Closes](Self::close) the engine and waits until no key is in flight, at most for `time`; whether it
    /// came to that. Blocks, as a waiter of each of them: where there is no room for one it returns at
    /// once. Keys that were taken from their owners before ([`detach`](Self::detach)) are not waited for.
    /// To be sure of an end, [`close_within`](Self::close_within) some time first.
    pub fn drain(&self, time: Duration) -> bool {
        self.close();
        let clock = &self.0.core.clock;
        let limit = clock.deadline(clock.now(), bounded_millis(time));
        let is_awaited =
            |listed: &Listed| matches!(listed.status, Status::InFlight(_)) && !listed.is_detached;
        while let Some(listed) = self.listing().find(is_awaited) {
            // Closed: nobody gets a lease by this.
            let claim = Claim::new(listed.key).may_execute(false);
            let left = Duration::from_millis(limit.saturating_sub(clock.now()));
            match self.claim(claim) {
                Ok(Outcome::InFlight(other)) if !left.is_zero() => drop(other.wait_for(left)),
                Ok(Outcome::InFlight(_) | Outcome::Full(_)) => return false,
                _ => {}
            }
        }
        true
    }

    /// Counters and gauges.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::read(&self.0.core)
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn terms(&self) -> Terms {
        self.0.terms
    }

    #[inline]
    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    /// The id of a key of this engine.
    #[inline]
    pub(crate) fn id_of(&self, key: Key) -> Result<[u64; 2], ClaimError> {
        if key.engine != self.0.id {
            return Err(ClaimError::WrongEngine);
        }
        Ok(self.moved(key.id, key.home).map_or(key.id, |(id, _)| id))
    }

    /// The key that has this id now, as the record has its realm.
    pub(crate) fn key_of(&self, id: [u64; 2], realm: Realm) -> Key {
        let home = self.0.core.realms.home_of(realm);
        Key { id, engine: self.0.id, home, terms: self.0.terms }
    }

    pub(crate) fn run_options(&self) -> (u64, OnError) {
        (self.0.max_run, self.0.on_error)
    }

    #[inline]
    pub(crate) fn anchor(&self) -> Arc<Anchor> {
        self.0.anchors[self.0.core.shard()].clone()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

fn check_scope(scope: Scope<'_>) -> Result<(), KeyError> {
    match scope {
        Scope::None => Ok(()),
        Scope::Of(scope) => Key::check(scope),
    }
}
