//! The policy: everything that can be said about idempotency over HTTP, in one value that can be printed,
//! changed and compared; and the four profiles to begin with.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::header_key::Syntax;
use crate::json::Select;
use crate::problem::{Documentation, Refusal};
use crate::text::{marks, millis, profile, statuses};

/// Where a request's key comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The header; what has none passes through, unless it is required.
    Header,
    /// What the request says: every request of these methods has a key.
    Fingerprint,
    /// The header, and without one what the request says.
    HeaderElseFingerprint,
}

/// What of the body counts in a fingerprint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing: the body need not be read before the claim.
    Ignored,
    /// Its bytes.
    Bytes,
    /// If it is JSON, its value, or some of it; otherwise its bytes.
    Json(Select),
}

/// What of a request counts in its fingerprint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// The method.
    pub method: bool,
    /// The scheme and the authority, of requests to elsewhere.
    pub authority: bool,
    /// The path.
    pub path: bool,
    /// The query.
    pub query: bool,
    /// These header fields, by name; all of one name count, in their order.
    pub headers: Vec<String>,
    /// The body.
    pub body: Body,
}

/// What a duplicate gets while the first is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileInFlight {
    /// A conflict, at once.
    Refuse,
    /// The first one's answer, if it comes in this time; then a conflict.
    #[serde(rename = "wait_ms", with = "millis")]
    Wait(Duration),
}

/// What becomes of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is kept and replayed, for the policy's retention.
    Keep,
    /// It is kept and replayed, for this long.
    #[serde(rename = "keep_for_ms", with = "millis")]
    KeepFor(Duration),
    /// Those who wait get it; it is not kept, and the next request executes.
    Share,
    /// The key is free: who waits executes, one after the other.
    Release,
    /// Nobody executes until the halted retention is over, or somebody settles it.
    Halt,
}

/// Statuses from one to another, both included, and what becomes of responses that have them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The first status.
    pub from: u16,
    /// The last status.
    pub to: u16,
    /// What becomes of them.
    pub fate: Fate,
}

impl Rule {
    const fn new(from: u16, to: u16, fate: Fate) -> Self {
        Self { from, to, fate }
    }
}

/// How requests are told apart, what becomes of their responses, and what duplicates get.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The name of the profile that it began as.
    #[serde(rename = "profile", deserialize_with = "profile")]
    pub name: &'static str,
    /// The header that a key is in.
    pub header: String,
    /// Methods that it is about; others pass through.
    pub methods: Vec<String>,
    /// Paths that pass through: these, and all below them.
    pub excluded_paths: Vec<String>,
    /// Where the key comes from.
    pub identity: Identity,
    /// Whether a request without a key is refused.
    pub require_key: bool,
    /// How keys are written.
    pub syntax: Syntax,
    /// The most bytes of a key.
    pub key_length_max: usize,
    /// What a key is checked with, or what stands for it.
    pub says: Says,
    /// The most bytes of a body that counts. A request with a longer one is refused.
    pub body_max: usize,
    /// How long such a body may take to come.
    #[serde(rename = "body_timeout_ms", with = "millis")]
    pub body_timeout: Duration,
    /// The most bytes of a response's body that are kept. Of a longer one it is only known that it was sent; or, if
    /// the request is its own key, that is not kept either. The engine's own limit of one response (1 MiB, unless
    /// its builder says otherwise) counts header fields too, and may be lower.
    pub response_max: usize,
    /// What duplicates get while the first is not answered.
    pub while_in_flight: WhileInFlight,
    /// Whether an answer is replayed; otherwise duplicates get a conflict.
    pub replay: bool,
    /// What becomes of responses: the first rule that fits. What none fits is released.
    pub fates: Vec<Rule>,
    /// What becomes of a response that was cut off, or of a handler that panics, once the handler has said that
    /// its side effects have begun; before that the key is released.
    pub interrupted: Fate,
    /// How long an answer is kept.
    #[serde(rename = "retention_ms", with = "millis")]
    pub retention: Duration,
    /// How long a handler may take before others may take over, unless the lease is kept alive.
    #[serde(rename = "lease_ms", with = "millis")]
    pub lease: Duration,
    /// How long a lease is kept alive for a handler at work (L9).
    #[serde(rename = "max_run_ms", with = "millis")]
    pub max_run: Duration,
    /// Header fields that are not stored, besides those of the connection.
    pub unstored_headers: Vec<String>,
    /// Header fields that are stored, and no others; empty: all but the unstored.
    pub stored_headers: Vec<String>,
    /// What a replay is marked with: a name, and the value; and the value of a first answer, if that is marked.
    #[serde(with = "marks")]
    pub replay_header: Option<(String, String, Option<String>)>,
    /// The header that says until when an answer is kept.
    pub lifetime_header: Option<String>,
    /// Seconds after which to try again, with a conflict or where there is no room.
    pub retry_after: Option<u32>,
    /// Statuses of refusals, where they are not the usual ones.
    #[serde(with = "statuses")]
    pub statuses: Vec<(Refusal, u16)>,
    /// Where refusals are documented.
    pub documentation: Documentation,
}

const DAY: Duration = Duration::from_secs(86_400);

/// Statuses that say nothing of what the request did, because it did not get there, or may do later.
const NOT_YET: [u16; 5] = [401, 403, 408, 425, 429];

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Policy {
    /// draft-ietf-httpapi-idempotency-key-header-07: 409 while outstanding, 422 for another request, success
    /// and error replayed.
    #[must_use]
    pub fn ietf() -> Self {
        let mut fates: Vec<Rule> =
            NOT_YET.map(|status| Rule::new(status, status, Fate::Release)).into();
        fates.push(Rule::new(500, 599, Fate::Release));
        fates.push(Rule::new(200, 499, Fate::Keep));
        Self {
            name: "ietf",
            header: String::from("idempotency-key"),
            methods: strings(&["POST", "PATCH"]),
            excluded_paths: Vec::new(),
            identity: Identity::Header,
            require_key: true,
            syntax: Syntax::Strict,
            key_length_max: 255,
            says: Says {
                method: true,
                authority: false,
                path: true,
                query: true,
                headers: Vec::new(),
                body: Body::Bytes,
            },
            body_max: 1 << 20,
            body_timeout: Duration::from_secs(30),
            response_max: (1 << 20) - (64 << 10),
            while_in_flight: WhileInFlight::Refuse,
            replay: true,
            fates,
            interrupted: Fate::Halt,
            retention: DAY,
            lease: Duration::from_secs(30),
            max_run: Duration::from_secs(900),
            unstored_headers: strings(&["set-cookie"]),
            stored_headers: Vec::new(),
            replay_header: Some((String::from("idempotent-replayed"), String::from("true"), None)),
            lifetime_header: None,
            retry_after: Some(1),
            statuses: Vec::new(),
            documentation: Documentation::default(),
        }
    }

    /// Stripe's first: keys without quotes, optional; every answer of an endpoint is kept, 500 as well; what
    /// was refused before it began is not (D2.2, D2.3, D2.7).
    #[must_use]
    pub fn stripe_v1() -> Self {
        let mut fates: Vec<Rule> =
            [400, 401, 403, 429].map(|status| Rule::new(status, status, Fate::Release)).into();
        fates.push(Rule::new(200, 599, Fate::Keep));
        Self {
            name: "stripe_v1",
            methods: strings(&["POST"]),
            require_key: false,
            syntax: Syntax::Lenient,
            fates,
            interrupted: Fate::Keep,
            ..Self::ietf()
        }
    }

    /// Stripe's second: successes are replayed for 30 days, failures run again (D2.10).
    #[must_use]
    pub fn stripe_v2() -> Self {
        Self {
            name: "stripe_v2",
            methods: strings(&["POST", "DELETE"]),
            fates: vec![Rule::new(200, 399, Fate::Keep)],
            interrupted: Fate::Halt,
            retention: 30 * DAY,
            ..Self::stripe_v1()
        }
    }

    /// No keys: identical requests at the same time are one, and all get its answer.
    #[must_use]
    pub fn coalesce() -> Self {
        Self {
            name: "coalesce",
            methods: strings(&["GET", "HEAD"]),
            identity: Identity::Fingerprint,
            require_key: false,
            says: Says {
                method: true,
                authority: true,
                path: true,
                query: true,
                headers: strings(&[
                    "accept",
                    "accept-charset",
                    "accept-encoding",
                    "accept-language",
                    "authorization",
                    "cookie",
                    "if-match",
                    "if-modified-since",
                    "if-none-match",
                    "if-range",
                    "if-unmodified-since",
                    "origin",
                    "range",
                ]),
                body: Body::Bytes,
            },
            while_in_flight: WhileInFlight::Wait(Duration::from_secs(30)),
            fates: vec![Rule::new(100, 599, Fate::Share)],
            interrupted: Fate::Release,
            retention: Duration::ZERO,
            // Whoever asks anew goes out anew if the first one seems to hang.
            lease: Duration::from_secs(10),
            max_run: Duration::from_secs(30),
            replay_header: None,
            // What a client takes them for: the request failed where it went, or took too long.
            statuses: vec![
                (Refusal::Answered, 502),
                (Refusal::GivenUp, 502),
                (Refusal::Outstanding, 504),
            ],
            ..Self::ietf()
        }
    }

    /// What becomes of a response with this status.
    #[must_use]
    pub fn fate(&self, status: u16) -> Fate {
        let fits = |rule: &&Rule| (rule.from..=rule.to).contains(&status);
        self.fates.iter().find(fits).map_or(Fate::Release, |rule| rule.fate)
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self, refusal: Refusal) -> u16 {
        let said = self.statuses.iter().find(|(of, _)| *of == refusal);
        said.map_or(refusal.status(), |(_, status)| *status)
    }

    /// Whether it is about requests of this method and path.
    #[must_use]
    pub fn applies(&self, method: &str, path: &str) -> bool {
        self.methods.iter().any(|known| known == method)
            && !self.excluded_paths.iter().any(|excluded| is_below(path, excluded))
    }

    /// Whether a header field of a response is stored: not what is of the connection, nor what is said anew
    /// with each answer (H3).
    #[must_use]
    pub fn stores(&self, name: &[u8]) -> bool {
        const NEVER: [&str; 10] = [
            "connection",
            "content-length",
            "date",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
        ];
        let is_it = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        let is_in = |names: &[String]| names.iter().any(|known| is_it(known));
        !NEVER.iter().any(|known| is_it(known))
            && !is_in(&self.unstored_headers)
            && (self.stored_headers.is_empty() || is_in(&self.stored_headers))
    }
}

/// Whether a path is this one, or below it.
fn is_below(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_profiles_say_what_becomes_of_a_response() {
        let cases = [
            (Policy::ietf(), 200, Fate::Keep),
            (Policy::ietf(), 404, Fate::Keep),
            (Policy::ietf(), 401, Fate::Release),
            (Policy::ietf(), 429, Fate::Release),
            (Policy::ietf(), 500, Fate::Release),
            (Policy::stripe_v1(), 500, Fate::Keep),
            (Policy::stripe_v1(), 402, Fate::Keep),
            (Policy::stripe_v1(), 400, Fate::Release),
            (Policy::stripe_v2(), 201, Fate::Keep),
            (Policy::stripe_v2(), 402, Fate::Release),
            (Policy::stripe_v2(), 500, Fate::Release),
            (Policy::coalesce(), 200, Fate::Share),
            (Policy::coalesce(), 503, Fate::Share),
        ];
        for (policy, status, fate) in cases {
            assert_eq!(policy.fate(status), fate, "{} {status}", policy.name);
        }
    }

    #[test]
    fn b9_excluded_paths_pass_with_all_below_them() {
        let policy = Policy { excluded_paths: strings(&["/health", "/docs/"]), ..Policy::ietf() };
        for (method, path, applies) in [
            ("POST", "/charge", true),
            ("GET", "/charge", false),
            ("post", "/charge", false),
            ("POST", "/health", false),
            ("POST", "/health/live", false),
            ("POST", "/healthy", true),
            ("POST", "/docs", false),
            ("POST", "/docs/a", false),
        ] {
            assert_eq!(policy.applies(method, path), applies, "{method} {path}");
        }
    }

    #[test]
    fn h3_headers_of_the_connection_and_of_the_moment_are_not_stored() {
        let policy = Policy::ietf();
        for (name, stored) in [
            ("content-type", true),
            ("Location", true),
            ("Date", false),
            ("Set-Cookie", false),
            ("transfer-encoding", false),
            ("Content-Length", false),
        ] {
            assert_eq!(policy.stores(name.as_bytes()), stored, "{name}");
        }
        let listed = Policy { stored_headers: strings(&["etag"]), ..Policy::ietf() };
        assert!(listed.stores(b"ETag") && !listed.stores(b"location"));
    }

    #[test]
    fn h2_a_status_can_be_another() {
        let policy = Policy { statuses: vec![(Refusal::Outstanding, 425)], ..Policy::ietf() };
        assert_eq!(policy.status(Refusal::Outstanding), 425);
        assert_eq!(policy.status(Refusal::Reused), 422);
    }
}
