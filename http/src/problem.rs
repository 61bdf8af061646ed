//! Answers that refuse: problem details (RFC 9457), as the draft has them (D1.16, D1.17).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a request is not served. Each has a status, a title and a place in the documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A key is required, and missing.
    Missing,
    /// The header is there more than once.
    Repeated,
    /// The header is not written as a key is.
    Malformed,
    /// The key is too long.
    TooLong,
    /// The body is longer than one that is fingerprinted may be.
    BodyTooLarge,
    /// The body did not come in time.
    BodyTooSlow,
    /// The body ended before it was whole.
    BodyCutOff,
    /// The same key with another request.
    Reused,
    /// The first request with this key is not answered yet.
    Outstanding,
    /// The request was answered, and its answer is not handed out again.
    Answered,
    /// The outcome of the first request is unknown.
    Unknown,
    /// The first request was given up, and its key is not free yet.
    GivenUp,
    /// There is no room for one more key; of one client's share, if it says so.
    Full {
        /// It is the client's own share that is used up.
        own: bool,
    },
    /// The server is shutting down.
    Closing,
}

impl Refusal {
    /// All of them, for tables.
    pub const ALL: [Self; 15] = [
        Self::Missing,
        Self::Repeated,
        Self::Malformed,
        Self::TooLong,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyCutOff,
        Self::Reused,
        Self::Outstanding,
        Self::Answered,
        Self::Unknown,
        Self::GivenUp,
        Self::Full { own: true },
        Self::Full { own: false },
        Self::Closing,
    ];

    /// The status, unless the policy says another.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Missing | Self::Repeated | Self::Malformed | Self::TooLong | Self::BodyCutOff => {
                400
            }
            Self::BodyTooSlow => 408,
            Self::BodyTooLarge => 413,
            Self::Reused => 422,
            Self::Outstanding | Self::Answered | Self::GivenUp => 409,
            Self::Unknown => 500,
            Self::Full { own: true } => 429,
            Self::Full { own: false } | Self::Closing => 503,
        }
    }

    /// The title; where the draft has one, that (D1.16).
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Missing => "Idempotency-Key is missing",
            Self::Repeated => "Idempotency-Key is there more than once",
            Self::Malformed => "Idempotency-Key is malformed",
            Self::TooLong => "Idempotency-Key is too long",
            Self::BodyTooLarge => "The body is too large",
            Self::BodyTooSlow => "The body did not come in time",
            Self::BodyCutOff => "The body was cut off",
            Self::Reused => "Idempotency-Key is already used",
            Self::Outstanding => "A request is outstanding for this Idempotency-Key",
            Self::Answered => "The request for this Idempotency-Key was answered",
            Self::Unknown => "The outcome of the request for this Idempotency-Key is unknown",
            Self::GivenUp => "The request for this Idempotency-Key was given up",
            Self::Full { own: true } => "Too many requests with an Idempotency-Key",
            Self::Full { own: false } => "No room for another Idempotency-Key",
            Self::Closing => "The server is shutting down",
        }
    }

    /// A word for machines, and the fragment of the documentation's address.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "key-missing",
            Self::Repeated => "key-repeated",
            Self::Malformed => "key-malformed",
            Self::TooLong => "key-too-long",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTooSlow => "body-too-slow",
            Self::BodyCutOff => "body-cut-off",
            Self::Reused => "key-reused",
            Self::Outstanding => "outstanding",
            Self::Answered => "answered",
            Self::Unknown => "unknown-outcome",
            Self::GivenUp => "given-up",
            Self::Full { own: true } => "too-many-keys",
            Self::Full { own: false } => "no-room",
            Self::Closing => "closing",
        }
    }

    /// Whether the same request may be sent again as it is, later (D1.15).
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::BodyTooSlow
                | Self::BodyCutOff
                | Self::Outstanding
                | Self::GivenUp
                | Self::Full { .. }
                | Self::Closing
        )
    }
}

/// The `code` of problem details of this policy, in a body; for tests and clients.
#[must_use]
pub fn problem_code(body: &[u8]) -> Option<String> {
    let problem: Value = serde_json::from_slice(body).ok()?;
    problem.get("code")?.as_str().map(str::to_owned)
}

/// What problem details say besides.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documentation {
    /// Where the errors are documented; the code of each is put after it as a fragment. `None`: `about:blank`.
    pub address: Option<String>,
    /// Whether a `Link` header says so as well.
    pub link: bool,
}

impl Documentation {
    /// The `type` of a problem.
    fn kind(&self, refusal: Refusal) -> String {
        match &self.address {
            Some(address) => format!("{address}#{}", refusal.code()),
            None => String::from("about:blank"),
        }
    }

    /// The value of a `Link` header, if there is to be one.
    pub(crate) fn link(&self, refusal: Refusal) -> Option<String> {
        let address = self.address.as_ref().filter(|_| self.link)?;
        Some(format!("<{address}#{}>; rel=\"describedby\"; type=\"text/html\"", refusal.code()))
    }

    /// The body of a problem, `application/problem+json`.
    pub(crate) fn body(&self, refusal: Refusal, status: u16) -> Vec<u8> {
        let mut members = Map::new();
        members.insert(String::from("type"), Value::String(self.kind(refusal)));
        members.insert(String::from("title"), Value::String(refusal.title().to_owned()));
        members.insert(String::from("status"), Value::Number(status.into()));
        members.insert(String::from("code"), Value::String(refusal.code().to_owned()));
        members.insert(String::from("retryable"), Value::Bool(refusal.is_retryable()));
        Value::Object(members).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d1_16_titles_and_statuses_are_the_drafts() {
        let of = |refusal: Refusal| (refusal.status(), refusal.title());
        assert_eq!(of(Refusal::Missing), (400, "Idempotency-Key is missing"));
        assert_eq!(of(Refusal::Reused), (422, "Idempotency-Key is already used"));
        assert_eq!(
            of(Refusal::Outstanding),
            (409, "A request is outstanding for this Idempotency-Key")
        );
    }

    #[test]
    fn d1_17_the_type_is_an_address_of_ours() {
        let none = Documentation::default();
        let body: Value = serde_json::from_slice(&none.body(Refusal::Missing, 400)).unwrap();
        assert_eq!(body["type"], "about:blank");
        assert_eq!((&body["status"], &body["retryable"]), (&400.into(), &false.into()));
        let address = Some(String::from("https://example.com/errors"));
        let some = Documentation { address, link: true };
        let body: Value = serde_json::from_slice(&some.body(Refusal::Outstanding, 409)).unwrap();
        assert_eq!(body["type"], "https://example.com/errors#outstanding");
        assert_eq!(body["retryable"], true);
        assert_eq!(
            some.link(Refusal::Missing).unwrap(),
            "<https://example.com/errors#key-missing>; rel=\"describedby\"; type=\"text/html\""
        );
    }

    #[test]
    fn codes_are_each_of_one_refusal() {
        let codes: std::collections::HashSet<_> = Refusal::ALL.map(Refusal::code).into();
        assert_eq!(codes.len(), Refusal::ALL.len());
    }
}
