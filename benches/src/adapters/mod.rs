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

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;

use self::peer::BuildKeyHasher;
use crate::adapter::Adapter;
use crate::conformance;
use crate::expiry;
use crate::keys::{Key, Text};
use crate::runner;
use crate::sample::Sample;
use crate::wake;
use crate::workload::{Hashing, Row, Spec, Workload};

/// Takes one sample.
pub(crate) type Sampler = fn(&Spec) -> Sample;

/// One engine as the command line and the tables know it.
pub(crate) struct Engine {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it is libidem.
    pub(crate) ours: bool,
    how: &'static str,
    /// The job: with ready keys, and with keys of text.
    job: Option<[Job; 2]>,
    /// What nobody else does.
    alone: &'static [(Workload, Sampler)],
}

/// An engine at the job.
struct Job {
    sampler: Sampler,
    conform: fn(),
    only: Option<&'static [Workload]>,
}

impl Job {
    const fn of<A: Adapter>() -> Self {
        Self { sampler: runner::run::<A>, conform: conformance::check::<A>, only: A::ONLY }
    }
}

impl Engine {
    /// `R` with ready keys and `T`, the same engine, with keys of text.
    const fn of<R: Adapter<Name = Key>, T: Adapter<Name = Text>>() -> Self {
        let job = [Job::of::<R>(), Job::of::<T>()];
        Self { name: R::NAME, ours: R::OURS, how: R::HOW, job: Some(job), alone: &[] }
    }

    /// The same, which also has rows of its own.
    const fn and(self, alone: &'static [(Workload, Sampler)]) -> Self {
        Self { alone, ..self }
    }

    /// What a workload of libidem alone is measured beside.
    const fn baseline(
        name: &'static str,
        how: &'static str,
        alone: &'static [(Workload, Sampler)],
    ) -> Self {
        Self { name, ours: false, how, job: None, alone }
    }

    /// Whether it has rows only where libidem is measured beside a baseline.
    pub(crate) const fn is_baseline(&self) -> bool {
        self.job.is_none()
    }

    /// Takes a sample of `row`, if the engine has one.
    pub(crate) fn sampler(&self, row: &Row) -> Option<Sampler> {
        let mut alone = self.alone.iter();
        if let Some(found) = alone.find(|(workload, _)| *workload == row.workload) {
            return Some(found.1);
        }
        let [ready, text] = self.job.as_ref()?;
        let job = match row.hashing {
            Hashing::Ready => ready,
            Hashing::Default => text,
        };
        let takes_part = match job.only {
            Some(only) => only.contains(&row.workload),
            None => row.workload.is_the_job(),
        };
        takes_part.then_some(job.sampler)
    }

    /// Panics where it does less than the job.
    pub(crate) fn conform(&self) {
        for job in self.job.iter().flatten() {
            (job.conform)();
        }
    }
}

/// Every engine, in the order of the tables' columns. What hashes text is what a peer takes if it
/// is told nothing.
pub(crate) static ENGINES: [Engine; 15] = [
    Engine::of::<idem::Idem<Key>, idem::Idem<Text>>()
        .and(&[(Workload::Expiry, expiry::during), (Workload::Wake, wake::engine)]),
    Engine::of::<idem::IdemTicked<Key>, idem::IdemTicked<Text>>(),
    Engine::of::<idem::IdemHooked<Key>, idem::IdemHooked<Text>>(),
    Engine::of::<idem::IdemHuge<Key>, idem::IdemHuge<Text>>(),
    Engine::of::<
        quick_cache::QuickCache<Key, BuildKeyHasher>,
        quick_cache::QuickCache<Text, ::quick_cache::DefaultHashBuilder>,
    >(),
    Engine::of::<dashmap::DashEntry<Key, BuildKeyHasher>, dashmap::DashEntry<Text, RandomState>>(),
    Engine::of::<dashmap::DashRead<Key, BuildKeyHasher>, dashmap::DashRead<Text, RandomState>>(),
    Engine::of::<scc::SccEntry<Key, BuildKeyHasher>, scc::SccEntry<Text, RandomState>>(),
    Engine::of::<scc::SccRead<Key, BuildKeyHasher>, scc::SccRead<Text, RandomState>>(),
    Engine::of::<papaya::Papaya<Key, BuildKeyHasher>, papaya::Papaya<Text, RandomState>>(),
    Engine::of::<moka::Moka<Key, BuildKeyHasher>, moka::Moka<Text, RandomState>>(),
    Engine::of::<
        mutex_map::MutexMap<Key, BuildKeyHasher>,
        mutex_map::MutexMap<Text, hashbrown::DefaultHashBuilder>,
    >(),
    Engine::baseline(
        "idem-still",
        "libidem with nothing expiring (expiry only)",
        &[(Workload::Expiry, expiry::without)],
    ),
    Engine::baseline(
        "floor",
        "reads of what an engine needs to read, many under way, and nothing decided (batch only)",
        &[(Workload::Batch, runner::floor::sample)],
    ),
    Engine::baseline(
        "futexes",
        "threads that sleep on a futex each and are woken in turn (wake only)",
        &[(Workload::Wake, wake::futexes)],
    ),
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
            engine.conform();
        }
    }

    #[test]
    fn names_are_distinct() {
        for engine in &ENGINES {
            assert!(std::ptr::eq(named(engine.name).unwrap(), engine));
        }
    }
}
