//! Whether a policy can be carried out. What cannot is said when a gate is made of it, not with each request.

use core::time::Duration;
use std::borrow::Cow;

use crate::policy::{Body, Fate, Identity, Policy};

/// What of a policy cannot be carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyError {
    field: Cow<'static, str>,
    why: Cow<'static, str>,
}

impl PolicyError {
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), why: why.into() }
    }

    /// The field of [`Policy`] that is wrong; empty if its text is no JSON.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl core::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "policy: {} {}", self.field, self.why)
    }
}

impl core::error::Error for PolicyError {}

impl Policy {
    /// The longest lease or retention: the engine's ten years.
    pub const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

    /// Whether this policy can be carried out, as [`Gate::builder`](crate::Gate::builder) sees to.
    ///
    /// # Errors
    /// The first field that is wrong: a name or a method that HTTP has no place for, or that says where a message
    /// ends; a duration of none or of more than ten years; statuses that are none; a key of no length or of more
    /// than the engine takes; a path without its slash; requests that are their own keys and say nothing.
    pub fn check(&self) -> Result<(), PolicyError> {
        const NAME: &str = "is not a name of HTTP: letters, digits and !#$%&'*+-.^_`|~";
        const VALUE: &str = "has what a header field cannot have";
        const FRAMING: &str = "says where a message ends";
        const LONG: &str = "is longer than ten years";
        let is_long = |time: Duration| time > Self::LONGEST;
        let are_names = |names: &[String]| names.iter().all(|name| is_name(name));
        let replay = self.replay_header.as_ref();
        let values = |(_, again, first): &(String, String, Option<String>)| {
            is_value(again) && first.as_deref().is_none_or(is_value)
        };
        let kept_long = |fate| matches!(fate, Fate::KeepFor(time) if is_long(time));
        let length = 1..=idem::Key::LENGTH_MAX;
        for (is_right, field, why) in [
            (is_name(&self.header), "header", NAME),
            (are_names(&self.methods), "methods", NAME),
            (!self.methods.iter().any(|name| is_lower(name)), "methods", "has one in lower case"),
            (
                self.excluded_paths.iter().all(|path| path.starts_with('/')),
                "excluded_paths",
                "has one that does not begin with a slash",
            ),
            (!is_framing(&self.header), "header", FRAMING),
            (says_something(self), "says", "has nothing that tells one request from another"),
            (!self.body_timeout.is_zero(), "body_timeout", "is no time at all"),
            (length.contains(&self.key_length_max), "key_length_max", "is not from 1 to 65536"),
            (are_names(&self.says.headers), "says.headers", NAME),
            (!self.lease.is_zero(), "lease", "is no time at all"),
            (!is_long(self.lease), "lease", LONG),
            (!is_long(self.retention), "retention", LONG),
            (!self.fates.iter().any(|rule| kept_long(rule.fate)), "fates", LONG),
            (!kept_long(self.interrupted), "interrupted", LONG),
            (
                self.interrupted != Fate::Share,
                "interrupted",
                "cannot be shared: there is no response",
            ),
            (
                self.fates.iter().all(|rule| rule.from <= rule.to),
                "fates",
                "has a rule from a higher status to a lower",
            ),
            (are_names(&self.unstored_headers), "unstored_headers", NAME),
            (are_names(&self.stored_headers), "stored_headers", NAME),
            (replay.is_none_or(|(name, ..)| is_name(name)), "replay_header", NAME),
            (replay.is_none_or(values), "replay_header", VALUE),
            (!replay.is_some_and(|(name, ..)| is_framing(name)), "replay_header", FRAMING),
            (self.lifetime_header.as_deref().is_none_or(is_name), "lifetime_header", NAME),
            (!self.lifetime_header.as_deref().is_some_and(is_framing), "lifetime_header", FRAMING),
            (
                self.statuses.iter().all(|(_, status)| (400..600).contains(status)),
                "statuses",
                "has one that is not from 400 to 599",
            ),
            (
                self.documentation.address.as_deref().is_none_or(is_address),
                "documentation",
                "has what an address cannot have",
            ),
        ] {
            if !is_right {
                return Err(PolicyError::new(field, why));
            }
        }
        Ok(())
    }
}

/// A token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}

fn is_name(name: &str) -> bool {
    is_token(name.as_bytes())
}

fn is_lower(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_lowercase())
}

fn is_framing(name: &str) -> bool {
    ["content-length", "transfer-encoding", "connection", "trailer", "upgrade", "te"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Where a request is its own key, something of it has to count.
fn says_something(policy: &Policy) -> bool {
    let says = &policy.says;
    policy.identity == Identity::Header
        || says.path
        || says.query
        || !says.headers.is_empty()
        || says.body != Body::Ignored
}

/// Visible ASCII and spaces, of the values that a field may have (RFC 9110, section 5.5).
fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn is_address(address: &str) -> bool {
    address.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Rule;
    use crate::problem::{Documentation, Refusal};

    #[test]
    fn profiles_can_be_carried_out() {
        for policy in [Policy::ietf(), Policy::stripe_v1(), Policy::stripe_v2(), Policy::coalesce()]
        {
            assert_eq!(policy.check(), Ok(()), "{}", policy.name);
        }
    }

    #[test]
    fn what_cannot_be_carried_out_is_named() {
        let wrong = |change: &dyn Fn(&mut Policy)| {
            let mut policy = Policy::ietf();
            change(&mut policy);
            policy.check().map_err(|error| error.field().to_owned())
        };
        let text = |text: &str| String::from(text);
        let rule = |from, to, fate| vec![Rule { from, to, fate }];
        let long = Policy::LONGEST + Duration::from_millis(1);
        let address = Some(text("https://x/>\r\n"));
        let cases: [(&str, &dyn Fn(&mut Policy)); 27] = [
            ("header", &|policy| policy.header = text("")),
            ("header", &|policy| policy.header = text("idempotency key")),
            ("methods", &|policy| policy.methods.push(text("PO\nST"))),
            ("methods", &|policy| policy.methods.push(text("post"))),
            ("excluded_paths", &|policy| policy.excluded_paths.push(text("health"))),
            ("header", &|policy| policy.header = text("Content-Length")),
            ("says", &|policy| {
                policy.identity = Identity::HeaderElseFingerprint;
                policy.says.body = Body::Ignored;
                (policy.says.path, policy.says.query) = (false, false);
            }),
            ("body_timeout", &|policy| policy.body_timeout = Duration::ZERO),
            ("interrupted", &|policy| policy.interrupted = Fate::Share),
            ("lifetime_header", &|policy| policy.lifetime_header = Some(text("te"))),
            ("key_length_max", &|policy| policy.key_length_max = 0),
            ("key_length_max", &|policy| policy.key_length_max = 65_537),
            ("says.headers", &|policy| policy.says.headers.push(text(":x"))),
            ("lease", &|policy| policy.lease = Duration::ZERO),
            ("lease", &|policy| policy.lease = long),
            ("retention", &|policy| policy.retention = long),
            ("fates", &|policy| policy.fates = rule(200, 299, Fate::KeepFor(long))),
            ("interrupted", &|policy| policy.interrupted = Fate::KeepFor(long)),
            ("fates", &|policy| policy.fates = rule(299, 200, Fate::Keep)),
            ("unstored_headers", &|policy| policy.unstored_headers.push(text(""))),
            ("stored_headers", &|policy| policy.stored_headers.push(text("a,b"))),
            ("replay_header", &|policy| policy.replay_header = Some((text(""), text("x"), None))),
            ("replay_header", &|policy| {
                policy.replay_header = Some((text("x"), text("a\r\nb: c"), None));
            }),
            ("replay_header", &|policy| {
                policy.replay_header = Some((text("x"), text("y"), Some(text("\0"))));
            }),
            ("lifetime_header", &|policy| policy.lifetime_header = Some(text("x y"))),
            ("statuses", &|policy| policy.statuses.push((Refusal::Missing, 200))),
            ("documentation", &|policy| {
                policy.documentation = Documentation { address: address.clone(), link: true };
            }),
        ];
        for (number, (field, change)) in cases.into_iter().enumerate() {
            assert_eq!(wrong(change), Err(field.to_owned()), "{number}");
        }
    }
}
