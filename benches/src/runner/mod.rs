//! One sample: one engine, one row, a process of its own.

mod churn;
mod fill;
pub(crate) mod floor;
mod hand;
mod latency;
mod replay;
mod retention;

use std::process::ExitCode;

use replay::Mode;

use crate::adapter::{Adapter, Tally};
use crate::adapters;
use crate::sample::{self, Sample};
use crate::workload::{Spec, Workload};

/// Steps between two looks at whether time is up.
const BATCH: u64 = 64;

/// One step in so many has its whole response compared, and in churn its key claimed once more.
const CHECK_EVERY: u64 = 1024;

/// Where worker `t` begins to count: no two workers' keys meet.
const COUNTERS_PER_LANE: u64 = 1 << 40;

/// Takes the sample that the command line asks for and prints it.
pub(crate) fn sample(spec: &Spec) -> ExitCode {
    let engine = adapters::named(&spec.engine);
    let Some(sampler) = engine.and_then(|engine| engine.sampler(&spec.row)) else {
        eprintln!("no engine is called {}, or it has no such row", spec.engine);
        return ExitCode::from(2);
    };
    end_with_a_panic();
    println!("{}", sampler(spec).line());
    // The process ends here: nothing waits for millions of records to be freed one by one.
    std::process::exit(0)
}

/// Ends the process of a sample that cannot be taken, and says why.
fn give_up(why: &str) -> ! {
    println!("{}{why}", sample::NONE);
    std::process::exit(0)
}

/// Takes one sample of `A` doing the job.
pub(crate) fn run<A: Adapter>(spec: &Spec) -> Sample {
    match spec.row.workload {
        Workload::Churn | Workload::Hooks => churn::sample::<A>(spec),
        Workload::Fill | Workload::Bytes => fill::sample::<A>(spec),
        // The hot row is a replay row with one key.
        Workload::Replay | Workload::Hot => replay::sample::<A>(spec, Mode::Replay),
        Workload::Peek => replay::sample::<A>(spec, Mode::Peek),
        Workload::Batch => replay::sample::<A>(spec, Mode::Batch),
        Workload::Latency => latency::sample::<A>(spec),
        Workload::Expiry | Workload::Wake => unreachable!("not the job of `adapter.rs`"),
    }
}

/// Lets a wrong answer that any thread finds end the process, whoever waits for that thread.
fn end_with_a_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(101);
    }));
}

fn audit<A: Adapter>(adapter: &A, tally: &Tally) {
    if let Err(difference) = adapter.audit(tally) {
        panic!("{}: {difference}", A::NAME);
    }
}
