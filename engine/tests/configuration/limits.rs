//! Limits of a namespace and its scopes made from any bytes, and their bounds as `NamespaceOptions`
//! documents them.

use idem::{ConfigError, NamespaceOptions, Scope};

use super::options::Bytes;

/// The greatest limit of records, and of what has 64 bytes.
pub(crate) const COUNT_MAX: u64 = 67_108_863;

/// The limits of a namespace and of each scope in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Whether the model's key has a scope, so that those of its scope bind it as well.
    is_scoped: bool,
    records: Option<u64>,
    bytes: Option<u64>,
    records_per_scope: Option<u64>,
    bytes_per_scope: Option<u64>,
}

impl Limits {
    pub(crate) fn decode(bytes: &mut Bytes<'_>) -> Self {
        Self {
            is_scoped: bytes.next() & 1 == 0,
            records: bytes.maybe(Bytes::size),
            bytes: bytes.maybe(Bytes::size),
            records_per_scope: bytes.maybe(Bytes::size),
            bytes_per_scope: bytes.maybe(Bytes::size),
        }
    }

    /// The scope of the model's key.
    pub(crate) fn scope(&self) -> Scope<'static> {
        if self.is_scoped { Scope::Of(b"scope") } else { Scope::None }
    }

    pub(crate) fn set(&self, mut options: NamespaceOptions) -> NamespaceOptions {
        let set: [fn(NamespaceOptions, u64) -> NamespaceOptions; 4] = [
            NamespaceOptions::records,
            NamespaceOptions::bytes,
            NamespaceOptions::records_per_scope,
            NamespaceOptions::bytes_per_scope,
        ];
        for ((_, value, _), set) in self.sizes().into_iter().zip(set) {
            options = value.map_or(options, |value| set(options, value));
        }
        options
    }

    /// Every limit, with its least and greatest value.
    fn sizes(&self) -> [(&'static str, Option<u64>, [u64; 2]); 4] {
        let (count, size) = ([1, COUNT_MAX], [64, COUNT_MAX * 64]);
        [
            ("records", self.records, count),
            ("bytes", self.bytes, size),
            ("records_per_scope", self.records_per_scope, count),
            ("bytes_per_scope", self.bytes_per_scope, size),
        ]
    }

    pub(crate) fn is_good(&self) -> bool {
        let is_good = |value, [least, most]: [u64; 2]| (least..=most).contains(&value);
        self.sizes().into_iter().all(|(_, value, of)| value.is_none_or(|value| is_good(value, of)))
    }

    /// Whether the error names a limit that is out of bounds, and its bound.
    pub(crate) fn explains(&self, error: ConfigError) -> bool {
        self.sizes().into_iter().any(|(name, value, [least, most])| {
            value.is_some_and(|value| match error {
                ConfigError::Zero(of) => of == name && value == 0,
                ConfigError::TooSmall(of, bound) => of == name && value < least && bound == least,
                ConfigError::TooLarge(of, bound) => of == name && value > most && bound == most,
                _ => false,
            })
        })
    }

    /// Takes all back if one is out of bounds.
    pub(crate) fn mended(self) -> Self {
        if self.is_good() { self } else { Self { is_scoped: self.is_scoped, ..Self::default() } }
    }

    /// How many records the key's scope, and its namespace, may have in flight: each has 64 bytes.
    pub(crate) fn in_flight(&self) -> [Option<u64>; 2] {
        let least = |records: Option<u64>, bytes: Option<u64>| {
            records.into_iter().chain(bytes.map(|bytes| bytes / 64)).min()
        };
        let scope = least(self.records_per_scope, self.bytes_per_scope);
        [scope.filter(|_| self.is_scoped), least(self.records, self.bytes)]
    }

    /// The most bytes of one response beside which nothing else is kept: it has 64 more.
    pub(crate) fn response_bound(&self) -> Option<u64> {
        let scope = self.bytes_per_scope.filter(|_| self.is_scoped);
        let bytes = self.bytes.into_iter().chain(scope).min()?;
        Some((bytes / 64 - 1) * 64)
    }
}
