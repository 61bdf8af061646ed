//! Sends the steps of a scenario, and compares.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

use crate::client::{Answer, exchange};
use crate::scenario::{Expect, Scenario, Send, Step};

/// Which scenarios held.
#[derive(Debug, Default)]
pub struct Report {
    /// The name of each, its rules, and what was wrong.
    pub rows: Vec<(String, Vec<String>, Result<(), String>)>,
}

impl Report {
    /// Whether all did.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|(.., result)| result.is_ok())
    }
}

/// A table, a line for each scenario; then a line for each rule.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (name, shown, result) in &self.rows {
            match result {
                Ok(()) => writeln!(f, "well    {name}")?,
                Err(error) => writeln!(f, "BROKEN  {name}: {error}")?,
            }
            for rule in shown {
                let (held, all) = rules.entry(rule).or_default();
                *held += usize::from(result.is_ok());
                *all += 1;
            }
        }
        writeln!(f)?;
        for (rule, (held, all)) in rules {
            writeln!(f, "{rule:<6}  {held} of {all}")?;
        }
        Ok(())
    }
}

/// Runs those scenarios of a profile against a server: `base` is as `http://127.0.0.1:8080/charge`.
///
/// # Errors
/// An address that is none; TLS is not spoken.
pub async fn run(
    base: &str,
    profile: &str,
    scenarios: &[Scenario],
    mut progress: impl FnMut(&str),
) -> Result<Report, String> {
    let rest = base.strip_prefix("http://").ok_or("the address must begin with http://")?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = format!("/{path}");
    let mut report = Report::default();
    for scenario in scenarios {
        if !scenario.profiles.iter().any(|known| known == profile) {
            continue;
        }
        progress(&scenario.name);
        let mut play = Play::new(address, &path);
        let result = play.all(scenario).await;
        report.rows.push((scenario.name.clone(), scenario.rules.clone(), result));
    }
    Ok(report)
}

/// One scenario under way.
struct Play<'a> {
    address: &'a str,
    path: &'a str,
    /// Keys that nobody has used.
    unique: String,
    bodies: HashMap<String, Vec<u8>>,
    /// Answers that nobody has waited for yet, and what they are called.
    pending: Vec<(Option<String>, Exchange)>,
}

type Exchange = tokio::task::JoinHandle<std::io::Result<Option<Answer>>>;

impl<'a> Play<'a> {
    fn new(address: &'a str, path: &'a str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            address,
            path,
            unique: format!("{:x}", now.as_nanos()),
            bodies: HashMap::new(),
            pending: Vec::new(),
        }
    }

    async fn all(&mut self, scenario: &Scenario) -> Result<(), String> {
        for (number, step) in scenario.steps.iter().enumerate() {
            let done = self.step(step).await;
            done.map_err(|error| format!("step {}: {error}", number + 1))?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        sleep(Duration::from_millis(step.pause_ms)).await;
        let Some(send) = &step.send else { return Ok(()) };
        let request = self.request(send);
        let leave = step.leave_after_ms.map(Duration::from_millis);
        let tasks: Vec<_> = (0..step.times)
            .map(|_| {
                let (address, request) = (self.address.to_owned(), request.clone());
                tokio::spawn(async move { exchange(&address, &request, leave).await })
            })
            .collect();
        if let Some(time) = step.go_on_after_ms {
            self.pending.extend(tasks.into_iter().map(|task| (step.name.clone(), task)));
            sleep(Duration::from_millis(time)).await;
            return Ok(());
        }
        let mut answers = Vec::new();
        for task in tasks {
            let answer = task.await.map_err(|error| error.to_string())?;
            answers.extend(answer.map_err(|error| format!("no answer: {error}"))?);
        }
        for (name, task) in self.pending.drain(..) {
            let answer = task.await.map_err(|error| error.to_string())?;
            let answer =
                answer.map_err(|error| format!("no answer to an earlier step: {error}"))?;
            if let (Some(name), Some(answer)) = (name, answer) {
                self.bodies.insert(name, answer.body);
            }
        }
        if let Some(expect) = &step.expect {
            self.check(expect, &answers)?;
        }
        if let (Some(name), Some(answer)) = (&step.name, answers.first()) {
            self.bodies.insert(name.clone(), answer.body.clone());
        }
        Ok(())
    }

    fn request(&self, send: &Send) -> Vec<u8> {
        let fill = |text: &str| {
            let long = "x".repeat(300);
            ["a", "b", "c"].iter().fold(text.replace("$long", &long), |text, name| {
                text.replace(&format!("${name}"), &format!("{name}-{}", self.unique))
            })
        };
        let body = match send.body_bytes {
            Some(count) => vec![b'x'; count],
            None => send.body.clone().into_bytes(),
        };
        let query =
            if send.query.is_empty() { String::new() } else { format!("?{}", fill(&send.query)) };
        let mut head = format!(
            "{} {}{query} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            send.method, self.path, self.address
        );
        for key in send.key.iter().chain(&send.keys) {
            head += &format!("idempotency-key: {}\r\n", fill(key));
        }
        for header in &send.headers {
            head += &format!("{header}\r\n");
        }
        if send.method == "POST" {
            head += &format!("content-type: text/plain\r\ncontent-length: {}\r\n", body.len());
        }
        let sent = send.cut_body_at.map_or(&body[..], |length| &body[..length.min(body.len())]);
        [head.as_bytes(), b"\r\n", sent].concat()
    }

    fn check(&self, expect: &Expect, answers: &[Answer]) -> Result<(), String> {
        let wrong = |what: String| if what.is_empty() { Ok(()) } else { Err(what) };
        if !expect.statuses.is_empty() {
            let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
            answers.iter().for_each(|answer| *counts.entry(answer.status).or_default() += 1);
            let fits = |status: &u16| expect.statuses.contains_key(status);
            let within = expect.statuses.iter().all(|(status, (least, most))| {
                (*least..=*most).contains(counts.get(status).unwrap_or(&0))
            });
            if !within || !counts.keys().all(fits) {
                return Err(format!("statuses {counts:?}, not {:?}", expect.statuses));
            }
        }
        if let Some(wanted) = expect.bodies_of_201 {
            let of_201 = answers.iter().filter(|answer| answer.status == 201);
            let bodies: HashSet<_> = of_201.map(|answer| &answer.body).collect();
            if bodies.len() != wanted {
                return Err(format!("{} different executions, not {wanted}", bodies.len()));
            }
        }
        for answer in answers {
            wrong(self.differences(expect, answer))?;
        }
        Ok(())
    }

    fn differences(&self, expect: &Expect, answer: &Answer) -> String {
        let text = String::from_utf8_lossy(&answer.body);
        if let Some(status) = expect.status.filter(|status| *status != answer.status) {
            return format!("{}, not {status}: {text}", answer.status);
        }
        let is_replay = answer.values("idempotent-replayed").any(|value| value == "true");
        if expect.replayed.is_some_and(|wanted| wanted != is_replay) {
            return format!("it is {}marked as a replay", if is_replay { "" } else { "not " });
        }
        for (name, wanted) in [(&expect.same_as, true), (&expect.differs_from, false)] {
            let Some(name) = name else { continue };
            let Some(known) = self.bodies.get(name) else {
                return format!("the scenario has no answer called {name}");
            };
            if (known == &answer.body) != wanted {
                return format!("the body is {}that of {name}", if wanted { "not " } else { "" });
            }
        }
        if let Some(title) = &expect.problem {
            let is_problem =
                answer.values("content-type").any(|kind| kind == "application/problem+json");
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if !is_problem || body["title"] != title.as_str() || body["status"] != answer.status {
                return format!("no problem \"{title}\": {text}");
            }
        }
        let has = |field: &String| match field.split_once(": ") {
            Some((name, value)) => answer.values(name).any(|known| known == value),
            None => answer.values(field).next().is_some(),
        };
        // Values of one name are to be there in this order, and no others.
        let values = |name: &str| -> Vec<&str> {
            let wanted = expect.has.iter().filter_map(|field| field.split_once(": "));
            wanted.filter(|(known, _)| *known == name).map(|(_, value)| value).collect()
        };
        for (name, _) in expect.has.iter().filter_map(|field| field.split_once(": ")) {
            let there: Vec<_> = answer.values(name).collect();
            if there != values(name) {
                return format!("{name} is {there:?}");
            }
        }
        let missing = expect.has.iter().find(|field| !has(field));
        if let Some(field) = missing {
            return format!("without {field}");
        }
        match expect.lacks.iter().find(|field| has(field)) {
            Some(field) => format!("with {field}"),
            None => String::new(),
        }
    }
}
