//! Keys and fingerprints: who a request is, and what it says (K4 to K6).
//!
//! Both are 128-bit keyed hashes of length-framed fields, with a first byte that says which of them
//! it is, so that no key, scope or body can be chosen to equal another's.

use core::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use xxhash_rust::xxh3::Xxh3;

use crate::builder::KeyHash;
use crate::protocol::Terms;
use crate::realms::Home;

/// What a key is unique within: a tenant, a user, an account.
///
/// There is no default: the caller says [`Scope::None`] where keys are global (K6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope<'a> {
    /// Keys of the whole namespace.
    None,
    /// Keys of this tenant, user or account. Use what is stable, not a session or a token.
    Of(&'a [u8]),
}

/// One logical operation, ready to be claimed any number of times.
///
/// Made by an engine ([`Engine::key`](crate::Engine::key)) and good only there.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub(crate) id: [u64; 2],
    pub(crate) engine: u64,
    pub(crate) home: Home,
    pub(crate) terms: Terms,
}

/// What is wrong with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// A key, scope or namespace of no bytes.
    Empty,
    /// Longer than [`Key::LENGTH_MAX`].
    TooLong,
    /// One namespace more than there can be: 1 048 575, less the scopes in use that have limits.
    TooManyNamespaces,
}

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            KeyError::Empty => f.write_str("a key, scope or namespace must not be empty"),
            KeyError::TooLong => {
                write!(f, "a key, scope or namespace has at most {} bytes", Key::LENGTH_MAX)
            }
            KeyError::TooManyNamespaces => f.write_str("there are too many namespaces"),
        }
    }
}

impl core::error::Error for KeyError {}

impl Key {
    /// The most bytes of a key, a scope or a namespace's name. Hash what is longer.
    pub const LENGTH_MAX: usize = 65_536;

    /// The hash that stands for the key in reports and events (H5), until its namespace is cleared.
    #[must_use]
    pub fn hash(&self) -> u128 {
        hash_of(self.id)
    }

    pub(crate) fn check(bytes: &[u8]) -> Result<(), KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            1..=Self::LENGTH_MAX => Ok(()),
            _ => Err(KeyError::TooLong),
        }
    }
}

/// An id, as reports have it.
pub(crate) fn hash_of(id: [u64; 2]) -> u128 {
    u128::from(id[0]) | u128::from(id[1]) << 64
}

/// 128 bits that stand for what a request says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fingerprint(pub(crate) [u64; 2]);

impl Fingerprint {
    /// The caller's own 128 bits; they should be evenly spread and hard to forge.
    #[must_use]
    pub fn from_u128(bits: u128) -> Self {
        Self([bits as u64, (bits >> 64) as u64])
    }

    /// The bits.
    #[must_use]
    pub fn to_u128(self) -> u128 {
        u128::from(self.0[0]) | u128::from(self.0[1]) << 64
    }
}

/// What a hash is of; its first byte.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Domain {
    Key = b'k',
    FingerprintAsKey = b'f',
    Fingerprint = b'p',
    Stream = b's',
    Placement = b'l',
    RawMask = b'r',
    Scope = b'c',
    Epoch = b'e',
    RawInNamespace = b'n',
}

/// The engine's secret, and the hash it keys.
#[derive(Clone)]
pub(crate) struct Secret {
    key: [u8; 16],
    hash: KeyHash,
    raw_mask: [u64; 2],
}

impl Secret {
    pub(crate) fn new(key: [u8; 16], hash: KeyHash) -> Self {
        let mut this = Self { key, hash, raw_mask: [0; 2] };
        this.raw_mask = this.start(Domain::RawMask).finish();
        this
    }

    /// Decides in which line of the table a key lies.
    pub(crate) fn placement_seed(&self) -> u64 {
        self.start(Domain::Placement).finish()[0]
    }

    pub(crate) fn key_id(&self, namespace: &[u8], scope: Scope<'_>, key: &[u8]) -> [u64; 2] {
        let mut hash = self.start(Domain::Key);
        hash.name(namespace, scope);
        hash.field(key);
        hash.finish()
    }

    pub(crate) fn fingerprint_id(
        &self,
        namespace: &[u8],
        scope: Scope<'_>,
        fingerprint: Fingerprint,
    ) -> [u64; 2] {
        let mut hash = self.start(Domain::FingerprintAsKey);
        hash.name(namespace, scope);
        hash.field(&fingerprint.to_u128().to_le_bytes());
        hash.finish()
    }

    /// The caller's own bits, apart from all ids that are hashes: without the secret nobody can make
    /// one equal the other.
    #[inline(always)]
    pub(crate) fn raw_id(&self, namespace: &[u8], bits: u128) -> [u64; 2] {
        if !namespace.is_empty() {
            return self.raw_id_in(namespace, bits);
        }
        [bits as u64 ^ self.raw_mask[0], (bits >> 64) as u64 ^ self.raw_mask[1]]
    }

    fn raw_id_in(&self, namespace: &[u8], bits: u128) -> [u64; 2] {
        let mut hash = self.start(Domain::RawInNamespace);
        hash.name(namespace, Scope::None);
        hash.field(&bits.to_le_bytes());
        hash.finish()
    }

    /// What a scope's account is found by; never 0.
    pub(crate) fn scope_id(&self, scope: &[u8]) -> u64 {
        let mut hash = self.start(Domain::Scope);
        hash.field(scope);
        hash.finish()[0].max(1)
    }

    /// What the ids of a namespace differ by in this epoch.
    pub(crate) fn epoch_mask(&self, epoch: u32) -> [u64; 2] {
        if epoch == 0 {
            return [0; 2];
        }
        let mut hash = self.start(Domain::Epoch);
        hash.field(&epoch.to_le_bytes());
        hash.finish()
    }

    pub(crate) fn fingerprint(&self) -> FingerprintBuilder {
        FingerprintBuilder {
            secret: self.clone(),
            fields: self.start(Domain::Fingerprint),
            stream: None,
        }
    }

    fn start(&self, domain: Domain) -> Framed {
        let state = match self.hash {
            KeyHash::SipHash24 => State::Sip(SipHasher24::new_with_key(&self.key)),
            KeyHash::Xxh3 => {
                let (seed, _) = self.key.split_at(8);
                let seed = seed.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
                State::Xxh(Box::new(Xxh3::with_seed(seed)))
            }
        };
        let mut hash = Framed { state };
        hash.raw(&[domain as u8]);
        hash
    }
}

/// A keyed hash of fields, each with its length before it.
#[derive(Clone)]
struct Framed {
    state: State,
}

#[derive(Clone)]
enum State {
    Sip(SipHasher24),
    Xxh(Box<Xxh3>),
}

impl Framed {
    fn raw(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sip(hash) => hash.write(bytes),
            State::Xxh(hash) => hash.update(bytes),
        }
    }

    fn field(&mut self, bytes: &[u8]) {
        self.raw(&(bytes.len() as u64).to_le_bytes());
        self.raw(bytes);
    }

    /// A field after a 1. In one piece where it is short: each piece costs the hash as much as 16 bytes.
    fn tagged(&mut self, bytes: &[u8]) {
        let mut frame = [1; 64];
        let end = 9 + bytes.len();
        if let Some(place) = frame.get_mut(9..end) {
            place.copy_from_slice(bytes);
            frame[1..9].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
            self.raw(&frame[..end]);
        } else {
            self.raw(&[1]);
            self.field(bytes);
        }
    }

    fn name(&mut self, namespace: &[u8], scope: Scope<'_>) {
        self.field(namespace);
        match scope {
            Scope::None => self.raw(&[0]),
            Scope::Of(scope) => {
                self.raw(&[1]);
                self.field(scope);
            }
        }
    }

    fn finish(&self) -> [u64; 2] {
        match &self.state {
            State::Sip(hash) => {
                let hash = hash.finish128();
                [hash.h1, hash.h2]
            }
            State::Xxh(hash) => {
                let hash = hash.digest128();
                [hash as u64, (hash >> 64) as u64]
            }
        }
    }
}

/// Makes a fingerprint from the parts of a request, keyed with the engine's secret.
///
/// ```
/// # use idem::Engine;
/// # let engine = Engine::builder().helper_thread(false).build()?;
/// let whole = engine.fingerprint().http("POST", "/charge?currency=eur", b"amount=100");
/// let mut parts = engine.fingerprint();
/// parts.field(b"POST").field(b"/charge?currency=eur").update(b"amount").update(b"=100");
/// assert_eq!(parts.finish(), whole);
/// # Ok::<(), idem::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct FingerprintBuilder {
    secret: Secret,
    fields: Framed,
    /// What `update` has seen since the last field: its hash and its length.
    stream: Option<(Framed, u64)>,
}

impl FingerprintBuilder {
    /// The fingerprint of an HTTP request: `target` is path and query as they were sent.
    #[must_use]
    pub fn http(
        mut self,
        method: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
        body: impl AsRef<[u8]>,
    ) -> Fingerprint {
        self.field(method.as_ref()).field(target.as_ref()).update(body.as_ref());
        self.finish()
    }

    /// Adds a field. Fields are framed: `ab`, `c` is not `a`, `bc`.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.end_stream();
        self.fields.tagged(bytes);
        self
    }

    /// Adds a piece of a field that comes in pieces; how it is cut does not matter. The next
    /// [`field`](Self::field), or [`finish`](Self::finish), ends it.
    pub fn update(&mut self, piece: &[u8]) -> &mut Self {
        let (hash, length) =
            self.stream.get_or_insert_with(|| (self.secret.start(Domain::Stream), 0));
        hash.raw(piece);
        *length += piece.len() as u64;
        self
    }

    /// The fingerprint of what was added.
    #[must_use]
    pub fn finish(mut self) -> Fingerprint {
        self.end_stream();
        Fingerprint(self.fields.finish())
    }

    /// A stream's length is known only at its end, so it is framed by its hash: nothing that is
    /// streamed can look like the fields after it.
    fn end_stream(&mut self) {
        if let Some((hash, length)) = self.stream.take() {
            let hash = hash.finish();
            self.fields.raw(&[2]);
            self.fields.raw(&length.to_le_bytes());
            self.fields.raw(&hash[0].to_le_bytes());
            self.fields.raw(&hash[1].to_le_bytes());
        }
    }
}

impl core::fmt::Debug for FingerprintBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FingerprintBuilder").finish_non_exhaustive()
    }
}
