//! Scenarios, as the file has them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One thing that a server has to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it does.
    pub name: String,
    /// The rules that it shows.
    pub rules: Vec<String>,
    /// The profiles that it holds for.
    pub profiles: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) send: Option<Send>,
    /// So often, at once.
    #[serde(default = "one")]
    pub(crate) times: usize,
    pub(crate) expect: Option<Expect>,
    /// A name for the body that came back.
    #[serde(rename = "as")]
    pub(crate) name: Option<String>,
    /// Goes on with the next step while the answer is still to come.
    pub(crate) go_on_after_ms: Option<u64>,
    /// Closes the connection without an answer.
    pub(crate) leave_after_ms: Option<u64>,
    #[serde(default)]
    pub(crate) pause_ms: u64,
}

fn one() -> usize {
    1
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    #[serde(default = "post")]
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) query: String,
    pub(crate) key: Option<String>,
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) body: String,
    pub(crate) body_bytes: Option<usize>,
    pub(crate) cut_body_at: Option<usize>,
}

fn post() -> String {
    String::from("POST")
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) status: Option<u16>,
    /// Of many at once: how many at least, and at most, have a status. No other may come.
    #[serde(default)]
    pub(crate) statuses: BTreeMap<u16, (usize, usize)>,
    /// How many different bodies there are among the answers of 201.
    pub(crate) bodies_of_201: Option<usize>,
    pub(crate) replayed: Option<bool>,
    pub(crate) same_as: Option<String>,
    pub(crate) differs_from: Option<String>,
    /// The title of the problem that it is.
    pub(crate) problem: Option<String>,
    /// Header fields, by name or with their value.
    #[serde(default)]
    pub(crate) has: Vec<String>,
    #[serde(default)]
    pub(crate) lacks: Vec<String>,
}

/// The scenarios that come with this package.
///
/// # Errors
/// None, unless the file has been broken.
pub fn scenarios() -> Result<Vec<Scenario>, serde_json::Error> {
    serde_json::from_str(include_str!("../scenarios.json"))
}
