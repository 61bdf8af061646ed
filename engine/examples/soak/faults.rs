//! What is not as it should be.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Of each kind, how often; and the first few are told as they happen.
#[derive(Default)]
pub(crate) struct Faults(Mutex<BTreeMap<&'static str, u64>>);

const TOLD: u64 = 3;

impl Faults {
    pub(crate) fn add(&self, kind: &'static str, what: &str) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = faults.entry(kind).or_default();
        *count += 1;
        if *count <= TOLD {
            // Where this cannot be written the verdict still counts it.
            let _ = writeln!(std::io::stderr(), "soak: {kind}: {what}");
        }
    }

    /// `None`: there were none.
    pub(crate) fn summary(&self) -> Option<String> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each: Vec<_> = faults.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        (!each.is_empty()).then(|| each.join(", "))
    }
}
