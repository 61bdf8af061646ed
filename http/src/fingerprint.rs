//! What a request says, in 128 bits, made step by step: the head first, then the body as it comes.
//!
//! The canonical form (`http/vectors/fingerprints.json` has examples, with their secret) is this sequence of
//! fields, each framed by the engine's fingerprint:
//!
//! ```text
//! "http 1"
//! "m" method                     if the method counts
//! "a" authority                  if that counts; empty if there is none
//! "p" path                       if the path counts
//! "q" query                      if the query counts; empty if there is none
//! "h" name, lower case           for each header that counts, in the order of the policy,
//!     value, white space trimmed     and each of its values in their order
//! "b" bytes                      if the body counts, as it is
//! "j" canonical JSON             or as JSON, if it is any
//! "c" bytes                      what the embedder says
//! ```

use idem::{Engine, Fingerprint, FingerprintBuilder};

use crate::gate::SaysOf;
use crate::head::Head;
use crate::json;
use crate::policy::{Body, Policy};

/// A fingerprint whose body is still to come.
pub(crate) struct Unfinished {
    builder: FingerprintBuilder,
    /// Whether the body counts.
    counts: bool,
    has_begun: bool,
    /// JSON is read as a whole, and so is what the embedder reads.
    held: Option<Vec<u8>>,
    /// For the embedder.
    head: Option<OwnedHead>,
    /// From the embedder.
    added: Option<Vec<u8>>,
}

struct OwnedHead {
    method: String,
    authority: Option<String>,
    path: String,
    query: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl OwnedHead {
    fn of(head: &Head<'_>) -> Self {
        let own = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
        Self {
            method: head.method.to_owned(),
            authority: head.authority.map(str::to_owned),
            path: head.path.to_owned(),
            query: head.query.map(str::to_owned),
            headers: head.headers.iter().map(own).collect(),
        }
    }
}

impl Unfinished {
    /// Of a request's head; `is_held`: the embedder is to see all of it at the end.
    pub(crate) fn of(engine: &Engine, policy: &Policy, head: &Head<'_>, is_held: bool) -> Self {
        let mut builder = engine.fingerprint();
        builder.field(b"http 1");
        if policy.says.method {
            builder.field(b"m").field(head.method.as_bytes());
        }
        if policy.says.authority {
            builder.field(b"a").field(head.authority.unwrap_or_default().as_bytes());
        }
        if policy.says.path {
            builder.field(b"p").field(head.path.as_bytes());
        }
        if policy.says.query {
            builder.field(b"q").field(head.query.unwrap_or_default().as_bytes());
        }
        for name in &policy.says.headers {
            for value in head.values(name) {
                let value = value.trim_ascii();
                builder.field(b"h").field(name.to_ascii_lowercase().as_bytes()).field(value);
            }
        }
        let is_json = matches!(policy.says.body, Body::Json(_));
        let held = (is_json || is_held).then(Vec::new);
        let counts = is_held || policy.says.body != Body::Ignored;
        let head = is_held.then(|| OwnedHead::of(head));
        Self { builder, counts, has_begun: false, held, head, added: None }
    }

    /// A piece of the body; how it is cut does not matter.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        match &mut self.held {
            _ if !self.counts => {}
            Some(held) => held.extend_from_slice(piece),
            None => self.bytes(piece),
        }
    }

    fn bytes(&mut self, piece: &[u8]) {
        if !self.has_begun {
            self.has_begun = true;
            self.builder.field(b"b");
        }
        self.builder.update(piece);
    }

    /// What else counts, after the body. Said again, it replaces what was said.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.added = Some(bytes.to_vec());
    }

    /// The fingerprint, the body being over.
    pub(crate) fn finish(&mut self, policy: &Policy, says: Option<&SaysOf>) -> Fingerprint {
        let held = self.held.take();
        match (&policy.says.body, &held) {
            (Body::Ignored, _) => {}
            (Body::Json(select), Some(held)) => match json::canonical(held, select) {
                Some(canonical) => {
                    self.builder.field(b"j").field(&canonical);
                }
                None => self.bytes(held),
            },
            // Also of a body that is empty.
            (_, held) => self.bytes(held.as_deref().unwrap_or_default()),
        }
        if let (Some(says), Some(head)) = (says, &self.head) {
            let headers: Vec<_> =
                head.headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
            let (method, path, query) = (&head.method, &head.path, head.query.as_deref());
            let authority = head.authority.as_deref();
            let head = Head { method, authority, path, query, headers: &headers };
            self.builder.field(b"c").field(&says(&head, &held.unwrap_or_default()));
        }
        if let Some(added) = self.added.take() {
            self.builder.field(b"c").field(&added);
        }
        self.builder.clone().finish()
    }
}
