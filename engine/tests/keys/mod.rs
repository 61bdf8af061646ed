//! Any bytes as keys and fingerprints, and a model of which of them are one: those that were made
//! of the same. Shared by `tests/keys.rs`, which runs it with proptest, and `fuzz/` with libFuzzer.

use std::borrow::Cow;
use std::collections::HashMap;

use idem::{
    Builder, Claim, Clock, ConfigError, Engine, Fingerprint, FingerprintBuilder, Key, KeyError,
    KeyHash, Lease, ManualClock, Namespace, NamespaceOptions, Outcome, Scope,
};

/// The first bytes are the text that all parts are cut from: the same bytes, cut in other places,
/// are what a frame is for.
const TEXT: usize = 64;
/// The bytes of a part are at most so many (K6).
const LENGTH_MAX: usize = 65_536;
/// Longer inputs show nothing new, only slower.
const OPS_MAX: usize = 60;

type Code = [u8; 8];
type Bytes<'a> = Cow<'a, [u8]>;

/// What a key was made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Named<'a> {
    namespace: Option<String>,
    scope: Option<Bytes<'a>>,
    what: What<'a>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum What<'a> {
    Key(Bytes<'a>),
    Fingerprint(u128),
    Raw(u128),
}

/// A field of a fingerprint; one that is streamed is not one that is given at once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Field<'a> {
    AtOnce(Bytes<'a>),
    Streamed(Vec<u8>),
}

/// Runs the input with either hash.
pub(crate) fn run(data: &[u8]) {
    let Some((text, codes)) = data.split_at_checked(TEXT) else { return };
    let text = text.repeat(2 + 2 * LENGTH_MAX / TEXT);
    let (codes, _) = codes.as_chunks::<8>();
    for hash in [KeyHash::SipHash24, KeyHash::Xxh3] {
        let mut sides = SideBySide::new(hash, &text);
        for code in codes.iter().take(OPS_MAX) {
            sides.apply(code);
        }
        sides.end();
    }
}

fn options(hash: KeyHash) -> Builder {
    Engine::builder()
        .clock(Clock::manual(&ManualClock::new()))
        .records(16 * OPS_MAX)
        .bytes(128 * 1024)
        .waiters(0)
        .key_hash(hash)
        // The same run again has the same keys in the same places.
        .secret([7; 16])
}

/// The engine, and what it was given.
struct SideBySide<'a> {
    engine: Engine,
    text: &'a [u8],
    /// Who claimed first.
    owners: HashMap<Named<'a>, u64>,
    leases: Vec<Lease>,
    /// The fingerprint at work, what it was made of, and those that are finished.
    builder: FingerprintBuilder,
    fields: Vec<Field<'a>>,
    prints: HashMap<Vec<Field<'a>>, Fingerprint>,
    made_of: HashMap<Fingerprint, Vec<Field<'a>>>,
    last: Fingerprint,
}

impl<'a> SideBySide<'a> {
    fn new(hash: KeyHash, text: &'a [u8]) -> Self {
        let engine = options(hash).build().expect("options within bounds");
        Self {
            builder: engine.fingerprint(),
            engine,
            text,
            owners: HashMap::new(),
            leases: Vec::new(),
            fields: Vec::new(),
            prints: HashMap::new(),
            made_of: HashMap::new(),
            last: Fingerprint::from_u128(0),
        }
    }

    fn apply(&mut self, code: &Code) {
        let [op, flags, ..] = *code;
        let [name, scope, part] = [2, 4, 6].map(|at| self.part(code[at], code[at + 1]));
        let what = match op % 16 {
            0..5 => What::Key(part.into()),
            5 => What::Fingerprint(self.last.to_u128()),
            6 => What::Fingerprint(self.bits(code[6])),
            7 | 8 => What::Raw(self.bits(code[6])),
            9 => {
                self.forge_kinds(name, self.bits(code[6]));
                return self.forge_names([name, scope, part]);
            }
            10 => return self.forge_fields([name, scope, part]),
            11 => {
                self.builder.field(part);
                return self.fields.push(Field::AtOnce(part.into()));
            }
            12 | 13 => return self.update(part),
            14 => return self.finish(flags & 1 != 0),
            _ => return self.http(name, scope, part),
        };
        let namespace = (flags & 1 != 0).then_some(name);
        let has_scope = flags & 2 != 0 && !matches!(what, What::Raw(_));
        self.name(namespace, has_scope.then_some(scope.into()), &what, flags & 4 != 0);
    }

    /// The same bits as a key, as a fingerprint and as they are.
    fn forge_kinds(&mut self, name: &'a [u8], bits: u128) {
        for namespace in [None, Some(name)] {
            let key = bits.to_le_bytes().to_vec();
            for what in [What::Key(key.into()), What::Fingerprint(bits), What::Raw(bits)] {
                self.name(namespace, None, &what, false);
            }
        }
    }

    /// The same bytes in other roles, and with what would be a frame inside them: some of these are
    /// one key if a part has no frame, or no mark of its role.
    fn forge_names(&mut self, [x, y, z]: [&'a [u8]; 3]) {
        let (xy, yz) = ([x, y].concat(), [y, z].concat());
        let inner = [y, &length(z), z].concat();
        let outer = [x, &length(&inner), y].concat();
        let inner_unscoped = [y, &[0], &length(z), z].concat();
        let outer_unscoped = [x, &[0], &length(&inner_unscoped), y].concat();
        let names: [(Option<&[u8]>, Option<&[u8]>, &[u8]); 10] = [
            (None, Some(x), &yz),
            (None, Some(&xy), z),
            (None, Some(x), &inner),
            (None, Some(&outer), z),
            (Some(x), None, &yz),
            (Some(&xy), None, z),
            (Some(x), None, &inner_unscoped),
            (Some(&outer_unscoped), None, z),
            (Some(x), Some(y), z),
            (Some(y), Some(x), z),
        ];
        for (namespace, scope, key) in names {
            let scope = scope.map(|scope| scope.to_vec().into());
            self.name(namespace, scope, &What::Key(key.to_vec().into()), false);
        }
    }

    /// The same for fields: at once and streamed, side by side and one inside the other.
    fn forge_fields(&mut self, [x, y, z]: [&'a [u8]; 3]) {
        let at_once = |parts: &[&[u8]]| Field::AtOnce(parts.concat().into());
        let streamed = |parts: &[&[u8]]| Field::Streamed(parts.concat());
        for fields in [
            vec![at_once(&[x, y, z])],
            vec![at_once(&[x]), at_once(&[y, z])],
            vec![at_once(&[x, y]), at_once(&[z])],
            vec![at_once(&[x, &[1], y])],
            vec![at_once(&[x, &[1], &length(y), y])],
            vec![at_once(&[x]), at_once(&[y])],
            vec![streamed(&[x, y, z])],
            vec![streamed(&[x]), at_once(&[y, z])],
            vec![streamed(&[x, y]), at_once(&[z])],
            vec![streamed(&[x, &[1], &length(y), y])],
            vec![streamed(&[x]), at_once(&[y])],
            vec![at_once(&[x]), streamed(&[y])],
        ] {
            let print = self.print(&fields);
            self.compare(print, fields);
        }
    }

    /// A piece of the text: mostly a short one, sometimes one around the greatest length.
    fn part(&self, at: u8, size: u8) -> &'a [u8] {
        let length = match size {
            0..=0xDF => usize::from(size) % 25,
            0xE0..=0xFB => usize::from(size - 0xE0) * 16 + usize::from(at >> 6),
            _ => {
                [LENGTH_MAX - 1, LENGTH_MAX, LENGTH_MAX + 1, 2 * LENGTH_MAX][usize::from(size & 3)]
            }
        };
        &self.text[usize::from(at) % TEXT..][..length]
    }

    fn bits(&self, at: u8) -> u128 {
        let (bits, _) = self.text[usize::from(at) % TEXT..].split_first_chunk().expect("long");
        u128::from_le_bytes(*bits)
    }

    /// Makes a key, twice, and claims it: it is free, or whose the model says.
    fn name(
        &mut self,
        namespace: Option<&[u8]>,
        scope: Option<Bytes<'a>>,
        what: &What<'a>,
        define: bool,
    ) {
        let namespace = namespace.map(|name| String::from_utf8_lossy(name).into_owned());
        let space = match &namespace {
            Some(name) => match self.space(name, define) {
                Some(space) => Some(space),
                None => return,
            },
            None => None,
        };
        for _ in 0..2 {
            let made = self.make(space.as_ref(), scope.as_deref(), what);
            let key = match what {
                What::Key(key) => checked(made, &[Some(key), scope.as_deref()]),
                _ => checked(made, &[scope.as_deref()]),
            };
            let Some(key) = key else { return };
            let (namespace, scope) = (namespace.clone(), scope.clone());
            self.claim(key, Named { namespace, scope, what: what.clone() });
        }
    }

    fn make(
        &self,
        space: Option<&Namespace>,
        scope: Option<&[u8]>,
        what: &What<'_>,
    ) -> Result<Key, KeyError> {
        let engine = &self.engine;
        let scope = scope.map_or(Scope::None, Scope::Of);
        match (space, what) {
            (None, What::Key(key)) => engine.key(scope, key),
            (Some(space), What::Key(key)) => space.key(scope, key),
            (None, What::Fingerprint(bits)) => {
                engine.fingerprint_key(scope, Fingerprint::from_u128(*bits))
            }
            (Some(space), What::Fingerprint(bits)) => {
                space.fingerprint_key(scope, Fingerprint::from_u128(*bits))
            }
            (None, What::Raw(bits)) => Ok(engine.raw_key(*bits)),
            (Some(space), What::Raw(bits)) => Ok(space.raw_key(*bits)),
        }
    }

    /// The namespace, looked up or defined; `None` if its name is refused, as it should be.
    fn space(&self, name: &str, define: bool) -> Option<Namespace> {
        if !define {
            return checked(self.engine.namespace(name), &[Some(name.as_bytes())]);
        }
        let defined = self.engine.define_namespace(name, NamespaceOptions::default());
        let error = match defined.as_ref().err() {
            None => None,
            Some(ConfigError::Zero(_)) => Some(KeyError::Empty),
            Some(ConfigError::TooLarge(_, most)) => {
                assert_eq!(*most, LENGTH_MAX as u64);
                Some(KeyError::TooLong)
            }
            Some(other) => panic!("not about a name: {other:?}"),
        };
        assert_eq!(error, fault(name.as_bytes()));
        defined.ok()
    }

    fn claim(&mut self, key: Key, named: Named<'a>) {
        let label = self.owners.len() as u64 + 1;
        let outcome = self.engine.claim(Claim::new(key).wait(false).owner(label));
        match (outcome.expect("a key of this engine"), self.owners.get(&named)) {
            (Outcome::Execute(lease), None) => {
                self.leases.push(lease);
                self.owners.insert(named, label);
            }
            (Outcome::InFlight(other), Some(owner)) => {
                assert_eq!(other.info().owner, *owner, "another's key: {named:?}");
            }
            (Outcome::InFlight(other), None) => {
                let owner = other.info().owner;
                let other = self.owners.iter().find(|(_, label)| **label == owner);
                panic!("{named:?} is the same key as {other:?}");
            }
            (other, owner) => panic!("{other:?} for {named:?}, whose owner is {owner:?}"),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        self.builder.update(piece);
        if let Some(Field::Streamed(stream)) = self.fields.last_mut() {
            stream.extend(piece);
        } else {
            self.fields.push(Field::Streamed(piece.to_vec()));
        }
    }

    /// Looks at the fingerprint so far, and goes on with it or begins another.
    fn finish(&mut self, restart: bool) {
        let print = self.builder.clone().finish();
        assert_eq!(print, self.print(&self.fields), "however it is cut: {:?}", self.fields);
        let fields = self.fields.clone();
        if restart {
            self.fields.clear();
            self.builder = self.engine.fingerprint();
        }
        self.compare(print, fields);
    }

    /// The fingerprint of these fields; the streamed ones in one piece.
    fn print(&self, fields: &[Field<'_>]) -> Fingerprint {
        let mut made = self.engine.fingerprint();
        for field in fields {
            match field {
                Field::AtOnce(bytes) => made.field(bytes),
                Field::Streamed(bytes) => made.update(bytes),
            };
        }
        made.finish()
    }

    fn http(&mut self, method: &'a [u8], target: &'a [u8], body: &[u8]) {
        let print = self.engine.fingerprint().http(method, target, body);
        let head = [method, target].map(|part| Field::AtOnce(part.into()));
        let fields = head.into_iter().chain([Field::Streamed(body.to_vec())]).collect();
        self.compare(print, fields);
    }

    /// Fingerprints are equal if and only if what they were made of is.
    fn compare(&mut self, print: Fingerprint, fields: Vec<Field<'a>>) {
        assert_eq!(Fingerprint::from_u128(print.to_u128()), print);
        let before = *self.prints.entry(fields.clone()).or_insert(print);
        assert_eq!(before, print, "the same again: {fields:?}");
        let other = self.made_of.entry(print).or_insert_with(|| fields.clone());
        assert_eq!(*other, fields, "two fingerprints are one");
        self.last = print;
    }

    fn end(mut self) {
        let records = self.engine.stats().records;
        assert_eq!(records, self.owners.len() as u64, "a record for each key");
        self.leases.clear();
        assert_eq!(self.engine.stats().records, 0, "all were let go of");
    }
}

/// A frame, as the engine writes them.
fn length(bytes: &[u8]) -> [u8; 8] {
    (bytes.len() as u64).to_le_bytes()
}

/// What is wrong with a part.
fn fault(part: &[u8]) -> Option<KeyError> {
    match part.len() {
        0 => Some(KeyError::Empty),
        1..=LENGTH_MAX => None,
        _ => Some(KeyError::TooLong),
    }
}

/// What was made, if it should have been; an error has to be that of one of the parts.
fn checked<T>(made: Result<T, KeyError>, parts: &[Option<&[u8]>]) -> Option<T> {
    let mut faults = parts.iter().flatten().filter_map(|part| fault(part));
    match made {
        Ok(made) => {
            assert_eq!(faults.next(), None, "it was made all the same");
            Some(made)
        }
        Err(error) => {
            assert!(faults.any(|fault| fault == error), "{error:?} is no fault of it");
            None
        }
    }
}
