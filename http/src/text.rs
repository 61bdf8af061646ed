//! A policy as text: JSON, which every language and every configuration has. What it does not say is as in the
//! profile that it names.
//!
//! Fields have the names that they have in [`Policy`]; durations are milliseconds and say so (`lease_ms`). Of choices
//! that have nothing to them there is the name (`"keep"`), of others an object (`{"keep_for_ms": 1000}`).

use core::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::check::PolicyError;
use crate::policy::Policy;

impl Policy {
    /// The names of the profiles.
    pub const PROFILES: [&str; 4] = ["ietf", "stripe_v1", "stripe_v2", "coalesce"];

    /// The profile of this name.
    #[must_use]
    pub fn profile(name: &str) -> Option<Self> {
        Some(match name {
            "ietf" => Self::ietf(),
            "stripe_v1" => Self::stripe_v1(),
            "stripe_v2" => Self::stripe_v2(),
            "coalesce" => Self::coalesce(),
            _ => return None,
        })
    }

    /// All of it, as JSON; [`from_json`](Self::from_json) makes the same of it.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!("{:#}", self.to_value())
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The policy of a text as `{"profile": "ietf", "retention_ms": 60000, "says": {"query": false}}`: a profile, and
    /// what is otherwise. Members of `says` and `documentation` are taken one by one, everything else as a whole.
    ///
    /// # Errors
    /// What is no JSON, no profile, no field, not of its field's kind, or [cannot be carried out](Self::check).
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        let said: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| PolicyError::new("", error.to_string()))?;
        let name = said.get("profile").and_then(Value::as_str).unwrap_or_default();
        let mut policy = Self::profile(name).ok_or_else(|| {
            let names = Self::PROFILES.join(", ");
            PolicyError::new("profile", format!("is none of {names}"))
        })?;
        let mut whole = policy.to_value();
        for (field, value) in said {
            let place = whole.get_mut(&field);
            let place = place.ok_or_else(|| PolicyError::new(field.clone(), "is not known"))?;
            put(place, value);
            // Field by field, so that it is known which one is wrong.
            policy = Self::deserialize(whole.clone())
                .map_err(|error| PolicyError::new(field, error.to_string()))?;
        }
        policy.check()?;
        Ok(policy)
    }
}

/// Members one by one, where there is an object with the same ones; otherwise what is said is all.
fn put(place: &mut Value, said: Value) {
    match (place, said) {
        (Value::Object(members), Value::Object(said)) => members.extend(said),
        (place, said) => *place = said,
    }
}

pub(crate) fn profile<'de, D: Deserializer<'de>>(from: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(from)?;
    let known = Policy::PROFILES.into_iter().find(|known| *known == name);
    known.ok_or_else(|| Error::custom("no such profile"))
}

/// Durations, in whole milliseconds.
pub(crate) mod millis {
    use core::time::Duration;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// Statuses of refusals, by their codes.
pub(crate) mod statuses {
    use serde::de::{MapAccess, Visitor};

    use super::*;
    use crate::problem::Refusal;

    pub(crate) fn serialize<S: Serializer>(
        statuses: &[(Refusal, u16)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(statuses.iter().map(|(refusal, status)| (refusal.code(), status)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(Refusal, u16)>, D::Error> {
        from.deserialize_map(Statuses)
    }

    struct Statuses;

    impl<'de> Visitor<'de> for Statuses {
        type Value = Vec<(Refusal, u16)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("codes of refusals with their statuses")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut statuses = Vec::new();
            while let Some((code, status)) = map.next_entry::<String, u16>()? {
                let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.code() == code);
                let refusal =
                    refusal.ok_or_else(|| Error::custom(format!("{code} is no refusal")))?;
                statuses.push((refusal, status));
            }
            Ok(statuses)
        }
    }
}

/// The replay header, by the names of its parts.
pub(crate) mod marks {
    use super::*;

    type Marks = Option<(String, String, Option<String>)>;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parts {
        name: String,
        replay: String,
        first: Option<String>,
    }

    pub(crate) fn serialize<S: Serializer>(marks: &Marks, to: S) -> Result<S::Ok, S::Error> {
        let parts = |(name, replay, first)| Parts { name, replay, first };
        marks.clone().map(parts).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Marks, D::Error> {
        let parts = Option::<Parts>::deserialize(from)?;
        Ok(parts.map(|Parts { name, replay, first }| (name, replay, first)))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::{Body, Fate, Identity, Refusal, Select, WhileInFlight};

    #[test]
    fn a_policy_is_the_same_after_its_text() {
        let mut other = Policy::stripe_v2();
        other.identity = Identity::HeaderElseFingerprint;
        other.says.body = Body::Json(Select::Except(vec![String::from("sent_at")]));
        other.while_in_flight = WhileInFlight::Wait(Duration::from_millis(1500));
        other.interrupted = Fate::KeepFor(Duration::from_secs(9));
        // In the order of their codes.
        other.statuses = vec![(Refusal::Missing, 422), (Refusal::Full { own: true }, 503)];
        other.documentation.address = Some(String::from("https://x/errors"));
        let profiles = Policy::PROFILES.map(|name| Policy::profile(name).unwrap());
        for policy in profiles.into_iter().chain([other]) {
            assert_eq!(Policy::from_json(&policy.to_json()), Ok(policy));
        }
    }

    #[test]
    fn what_a_text_does_not_say_is_as_in_its_profile() {
        let text = r#"{"profile": "ietf", "retention_ms": 60000, "says": {"query": false},
            "while_in_flight": {"wait_ms": 5000}, "statuses": {"outstanding": 425},
            "replay_header": {"name": "x-replay", "replay": "yes", "first": null},
            "fates": [{"from": 200, "to": 299, "fate": {"keep_for_ms": 1000}}]}"#;
        let mut policy = Policy::ietf();
        policy.retention = Duration::from_secs(60);
        policy.says.query = false;
        policy.while_in_flight = WhileInFlight::Wait(Duration::from_secs(5));
        policy.statuses = vec![(Refusal::Outstanding, 425)];
        policy.replay_header = Some((String::from("x-replay"), String::from("yes"), None));
        let fate = Fate::KeepFor(Duration::from_secs(1));
        policy.fates = vec![crate::Rule { from: 200, to: 299, fate }];
        assert_eq!(Policy::from_json(text), Ok(policy));
    }

    #[test]
    fn what_is_wrong_with_a_text_is_said() {
        for (text, field) in [
            ("", ""),
            ("[]", ""),
            ("{}", "profile"),
            (r#"{"profile": "mine"}"#, "profile"),
            (r#"{"profile": "ietf", "retention": 5}"#, "retention"),
            (r#"{"profile": "ietf", "retention_ms": -5}"#, "retention_ms"),
            (r#"{"profile": "ietf", "says": {"weather": true}}"#, "says"),
            (r#"{"profile": "ietf", "interrupted": "explode"}"#, "interrupted"),
            (r#"{"profile": "ietf", "statuses": {"nothing": 400}}"#, "statuses"),
            (r#"{"profile": "ietf", "documentation": {"link": 3}}"#, "documentation"),
            (r#"{"profile": "ietf", "lease_ms": 0}"#, "lease"),
        ] {
            let error = Policy::from_json(text).unwrap_err();
            assert_eq!(error.field(), field, "{text}: {error}");
        }
    }
}
