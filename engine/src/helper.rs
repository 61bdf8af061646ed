//! The optional helper thread: ticks, so that nobody else has to.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::builder::ConfigError;
use crate::protocol::Core;
use crate::sync::{AtomicU32, Ordering};

/// Time between ticks, in milliseconds of engine time.
const INTERVAL: u64 = 10;

const RUN: u32 = 0;
const STOP: u32 = 1;

/// Runs until dropped.
pub(crate) struct Helper {
    core: Arc<Core>,
    state: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
    /// The process that has the thread: a child that was forked has not.
    process: u32,
}

impl Helper {
    pub(crate) fn start(core: Arc<Core>) -> Result<Self, ConfigError> {
        let state = Arc::new(AtomicU32::new(RUN));
        let (its_core, its_state) = (core.clone(), state.clone());
        let thread = std::thread::Builder::new()
            .name("idem-helper".into())
            .spawn(move || run(&its_core, &its_state))
            .map_err(|_| ConfigError::NoThread)?;
        Ok(Self { core, state, thread: Some(thread), process: std::process::id() })
    }
}

fn run(core: &Core, state: &AtomicU32) {
    // Acquire: pairs with the Release in `drop`.
    while state.load(Ordering::Acquire) == RUN {
        if !core.tick() {
            core.parker.sleep(state, RUN, core.clock.now() + INTERVAL);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `run`.
        self.state.store(STOP, Ordering::Release);
        self.core.parker.wake(&self.state);
        if let Some(thread) = self.thread.take() {
            if self.process != std::process::id() {
                return core::mem::forget(thread);
            }
            if thread.thread().id() == std::thread::current().id() {
                // The last handle was dropped by a callback that the helper ran: it ends by itself.
                return;
            }
            // A panic in the helper would be a defect; dropping an engine is no place to raise it.
            let _ = thread.join();
        }
    }
}
