//! A stored value, as it is handed out.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

use crate::outcome::Info;
use crate::own::Own;
use crate::record::response::Kind;
use crate::record::value::Handle;
use crate::replay::Replay;

/// A value, shared with everyone else who has it. Nothing is copied, and [`Clone`] counts a holder.
///
/// It stays as it is, also when its record is over, for as long as anybody has it; its weight counts
/// against the engine's byte limit until then.
pub struct Value<V> {
    value: Handle,
    hold: Hold,
    of: PhantomData<V>,
}

/// What keeps it.
#[derive(Clone)]
enum Hold {
    /// The response that has the handle.
    Replay(Replay),
    /// It was made here.
    Own(#[expect(dead_code, reason = "it holds the value, and has it dropped")] Own),
}

impl<V: Send + Sync + 'static> Value<V> {
    /// What was stored, if it is a value of this type, and of this kind.
    pub(super) fn of(replay: Replay, kind: Kind) -> Result<Self, Replay> {
        match replay.value::<V>(kind) {
            Some(value) => Ok(Self { value, hold: Hold::Replay(replay), of: PhantomData }),
            None => Err(replay),
        }
    }

    /// One that was made here, of this type.
    pub(super) fn made(own: Own) -> Self {
        Self { value: own.handle(), hold: Hold::Own(own), of: PhantomData }
    }

    /// How old it is, and how long its record is kept; `None` of one that the caller has made just now.
    #[must_use]
    pub fn info(&self) -> Option<Info> {
        match &self.hold {
            Hold::Replay(replay) => Some(replay.info()),
            Hold::Own(_) => None,
        }
    }
}

impl<V: Send + Sync + 'static> Deref for Value<V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value.get().expect("value.1: it is held, and was found to be of this type")
    }
}

impl<V: Send + Sync + 'static> AsRef<V> for Value<V> {
    fn as_ref(&self) -> &V {
        self
    }
}

impl<V> Clone for Value<V> {
    fn clone(&self) -> Self {
        Self { value: self.value, hold: self.hold.clone(), of: PhantomData }
    }
}

impl<V> fmt::Debug for Value<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what it is: it may hold what does not belong in a log (H5).
        f.debug_struct("Value").finish_non_exhaustive()
    }
}
