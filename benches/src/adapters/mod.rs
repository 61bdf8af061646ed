//! The engines, one file each, and the list of them.

mod budget;
mod dashmap;
mod idem;
mod moka;
mod mutex_map;
mod papaya;
mod peer;
mod quick_cache;
mod record;
mod scc;

use std::fmt::Write as _;

use crate::adapter::Adapter;
use crate::conformance;
use crate::runner::{self, Sample};
use crate::workload::{Spec, Workload};

/// One engine as the command line and the tables know it.
pub(crate) struct Engine {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it is libidem.
    pub(crate) ours: bool,
    how: &'static str,
    churn_only: bool,
    /// Takes one sample.
    pub(crate) run: fn(&Spec) -> Sample,
    /// Checks that it does the job.
    pub(crate) conform: fn(),
}

impl Engine {
    const fn of<A: Adapter>() -> Self {
        Self {
            name: A::NAME,
            ours: A::OURS,
            how: A::HOW,
            churn_only: A::CHURN_ONLY,
            run: runner::run::<A>,
            conform: conformance::check::<A>,
        }
    }

    /// Whether the engine has a row in `workload`.
    pub(crate) fn takes(&self, workload: Workload) -> bool {
        !self.churn_only || workload == Workload::Churn
    }
}

/// Every engine, in the order of the tables' columns.
pub(crate) static ENGINES: [Engine; 10] = [
    Engine::of::<idem::Idem>(),
    Engine::of::<idem::IdemTicked>(),
    Engine::of::<quick_cache::QuickCache>(),
    Engine::of::<dashmap::DashEntry>(),
    Engine::of::<dashmap::DashRead>(),
    Engine::of::<scc::SccEntry>(),
    Engine::of::<scc::SccRead>(),
    Engine::of::<papaya::Papaya>(),
    Engine::of::<moka::Moka>(),
    Engine::of::<mutex_map::MutexMap>(),
];

/// The engine called `name`.
pub(crate) fn named(name: &str) -> Option<&'static Engine> {
    ENGINES.iter().find(|engine| engine.name == name)
}

/// What `--list` prints.
pub(crate) fn list() -> String {
    let mut text = String::from("engines\n");
    for engine in &ENGINES {
        let _ = writeln!(text, "  {:<14} {}", engine.name, engine.how);
    }
    text.push_str("workloads\n");
    for workload in Workload::ALL {
        let _ = writeln!(text, "  {:<14} {}", workload.name(), workload.what());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_does_the_job() {
        for engine in &ENGINES {
            (engine.conform)();
        }
    }

    #[test]
    fn names_are_distinct() {
        for engine in &ENGINES {
            assert!(std::ptr::eq(named(engine.name).unwrap(), engine));
        }
    }
}
