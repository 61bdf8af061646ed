//! What a handler may say of its own request while it is at work.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use crate::policy::{Fate, Policy};

/// A handler's say in what becomes of its response. Clones are of the same request; saying it again
/// replaces what was said, and once the response is settled nothing changes any more.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Said>);

#[derive(Debug, Default)]
struct Said {
    has_begun: AtomicBool,
    /// 0: nothing; otherwise one of the codes below.
    fate: AtomicU64,
}

const KEEP: u64 = 1;
const SHARE: u64 = 2;
const RELEASE: u64 = 3;
const HALT: u64 = 4;
/// And milliseconds.
const KEEP_FOR: u64 = 8;

impl Control {
    /// From here on the request has effects that cannot be taken back: if the handler is interrupted, the key
    /// is not simply free again, but what the policy says of interrupted requests.
    pub fn side_effects_began(&self) {
        // Release: pairs with the load in `has_begun`; whoever ends the request sees what was done before.
        self.0.has_begun.store(true, Ordering::Release);
    }

    /// The response is kept and replayed, whatever its status.
    pub fn keep(&self) {
        self.say(KEEP);
    }

    /// The same, for this long.
    pub fn keep_for(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.say(KEEP_FOR.saturating_add(millis));
    }

    /// Those who wait get the response; it is not kept.
    pub fn share(&self) {
        self.say(SHARE);
    }

    /// The key is free once the response is sent.
    pub fn release(&self) {
        self.say(RELEASE);
    }

    /// Nobody executes until the halted retention is over, or an operator settles it.
    pub fn halt(&self) {
        self.say(HALT);
    }

    fn say(&self, fate: u64) {
        // Relaxed: a word by itself, read after the handler has returned.
        self.0.fate.store(fate, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        // Acquire: see `side_effects_began`.
        self.0.has_begun.load(Ordering::Acquire)
    }

    fn said(&self) -> Option<Fate> {
        // Relaxed: see `say`.
        match self.0.fate.load(Ordering::Relaxed) {
            0 => None,
            KEEP => Some(Fate::Keep),
            SHARE => Some(Fate::Share),
            RELEASE => Some(Fate::Release),
            HALT => Some(Fate::Halt),
            millis => Some(Fate::KeepFor(Duration::from_millis(millis - KEEP_FOR))),
        }
    }

    /// What becomes of a response with this status.
    pub(crate) fn fate(&self, policy: &Policy, status: u16) -> Fate {
        match (self.said(), policy.fate(status)) {
            (Some(said), _) => said,
            // It has had effects: it must not be done again just because of its status.
            (None, Fate::Release | Fate::Share) if self.has_begun() => policy.interrupted,
            (None, fate) => fate,
        }
    }

    /// What becomes of a request without a response.
    pub(crate) fn interrupted(&self, policy: &Policy) -> Fate {
        match self.said() {
            Some(Fate::Halt) => Fate::Halt,
            _ if self.has_begun() => policy.interrupted,
            _ => Fate::Release,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c5_what_the_handler_says_goes_before_the_status() {
        let policy = Policy::ietf();
        let control = Control::default();
        assert_eq!(control.fate(&policy, 500), Fate::Release);
        assert_eq!(control.interrupted(&policy), Fate::Release);
        control.side_effects_began();
        assert_eq!(control.fate(&policy, 500), Fate::Halt);
        assert_eq!(control.fate(&policy, 200), Fate::Keep);
        assert_eq!(control.interrupted(&policy), Fate::Halt);
        control.keep();
        assert_eq!(control.fate(&policy, 500), Fate::Keep);
        control.keep_for(Duration::from_secs(3));
        assert_eq!(control.fate(&policy, 500), Fate::KeepFor(Duration::from_secs(3)));
        control.release();
        assert_eq!(control.fate(&policy, 200), Fate::Release);
        control.clone().halt();
        assert_eq!(control.fate(&policy, 200), Fate::Halt);
    }
}
