//! The table at the end, and the verdict.

use std::fmt::Display;
use std::time::Duration;

use crate::clients::Tally;
use crate::log::Log;
use crate::measure::Measured;
use crate::plan::{Plan, Sender};
use crate::upstream::Counts;

pub(crate) struct Report<'a> {
    pub(crate) log: &'a Log<'a>,
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) tally: &'a Tally,
    pub(crate) upstream: Counts,
    /// None where the engine was bypassed.
    pub(crate) measured: Option<&'a Measured>,
}

impl Report<'_> {
    pub(crate) fn table(&self) -> String {
        let mut table = Table::default();
        self.requests(&mut table);
        if let Some(measured) = self.measured {
            claims(&mut table, measured);
        }
        table.0
    }

    fn requests(&self, table: &mut Table) {
        let sent_by =
            |sender| self.plan.requests.iter().filter(|request| request.sender == sender).count();
        let extra = format!(
            "{} of the log, {} double clicks, {} retries, {} with another body",
            sent_by(Sender::Log),
            sent_by(Sender::DoubleClick),
            sent_by(Sender::Retry),
            sent_by(Sender::OtherBody),
        );
        let window = format!(
            "of real time; {} s of log time at {:.0} x",
            self.plan.window_s, self.plan.speed,
        );
        table.row("log lines", self.log.line_count, "");
        table.row("malformed lines", self.log.malformed_count, "");
        table.row("requests", self.tally.requests(), &extra);
        table.row("executions", self.upstream.executions, "counted by the upstream");
        table.row("coalesced", self.tally.coalesced, "waited for one in flight");
        table.row("replayed", self.tally.replayed, "got the stored response");
        table.row("mismatches", self.tally.mismatched, "same key, other fingerprint");
        table.row("wrong bytes", self.tally.wrong, "of all coalesced and replayed");
        table.row("unexpected", self.tally.unexpected, "any other outcome");
        table.row("double executions", self.upstream.doubles, "counted by the upstream");
        table.row("window", ms(self.plan.window), &window);
        table.row("sent late by up to", ms(self.tally.behind), "behind the plan");
    }

    /// What went wrong, a sentence for each; empty if all is well.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |count: u64, what: &str| {
            if count > 0 {
                faults.push(format!("{count} {what}"));
            }
        };
        fault(self.upstream.doubles, "double executions");
        fault(self.tally.wrong, "responses were those of another request");
        if let Some(example) = &self.tally.example {
            fault(self.tally.unexpected, &format!("unexpected outcomes, such as: {example}"));
        }
        fault(
            self.upstream.executions.abs_diff(self.tally.executed),
            "executions more or less at the upstream than at the clients",
        );
        fault(
            self.tally.requests().abs_diff(self.plan.requests.len() as u64),
            "requests more or less answered than planned",
        );
        if let Some(measured) = self.measured {
            fault(measured.counts.wrong, "measured replays had the wrong bytes");
            fault(measured.counts.unexpected, "measured claims had an unexpected outcome");
        }
        faults
    }
}

fn claims(table: &mut Table, measured: &Measured) {
    let counts = &measured.counts;
    let mix = format!(
        "on an empty engine: {} replays, {} new keys, {} in flight",
        counts.replays, counts.new_keys, counts.in_flight,
    );
    table.row("claims", measured.claims.count(), &mix);
    for (label, per_10_000) in [
        ("claim p50", 5_000),
        ("claim p99", 9_900),
        ("claim p99.9", 9_990),
        ("claim p99.99", 9_999),
    ] {
        table.row(label, format!("{} ns", measured.claims.quantile_ns(per_10_000)), "");
    }
    let records = measured.records.max(1) as f64;
    let response = format!(
        "stored for each of {} records; {:.1} of it response",
        measured.records,
        counts.response_bytes as f64 / records,
    );
    let stored = format!("{:.1}", measured.stored_bytes as f64 / records);
    table.row("bytes per record", stored, &response);
}

fn ms(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1e3)
}

/// Rows of label, figure and remark.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, label: &str, figure: impl Display, remark: &str) {
        let row = format!("{label:<20}{:>12}  {remark}", figure.to_string());
        self.0.push_str(row.trim_end());
        self.0.push('\n');
    }
}
