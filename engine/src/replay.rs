//! A stored response, as it is handed out.

use core::fmt;
use core::ops::Deref;
use core::time::Duration;
use std::sync::Arc;

use crate::engine::Anchor;
use crate::outcome::Info;
use crate::record::response::{Kind, Response};
use crate::record::value::Handle;

/// The bytes of a response, shared with everyone else who has them, and immutable.
///
/// Nothing is copied. The bytes stay where they are, also when the record expires, for as long as
/// the replay is held; they count against the engine's byte limit until then.
pub struct Replay {
    anchor: Arc<Anchor>,
    loc: u32,
}

impl Replay {
    /// Takes over one hold on the response at `loc`.
    #[inline]
    pub(crate) fn new(anchor: Arc<Anchor>, loc: u32) -> Self {
        Self { anchor, loc }
    }

    /// The bytes; none, if it is a [typed](crate::Typed) value.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.response().bytes()
    }

    /// Whether it is an error that the owner shared, not a response.
    #[must_use]
    #[inline]
    pub fn is_error(&self) -> bool {
        self.response().kind().is_error()
    }

    /// How old it is, and how long the record is kept.
    #[must_use]
    pub fn info(&self) -> Info {
        let now = self.anchor.core.clock.now();
        let response = self.response();
        Info {
            age: Duration::from_millis(now.saturating_sub(response.finished())),
            left: Duration::from_millis(response.deadline().saturating_sub(now)),
            owner: 0,
        }
    }

    /// The value of this type, if it is one of this kind: `Value` or `Failure`.
    pub(crate) fn value<T: Send + Sync + 'static>(&self, kind: Kind) -> Option<Handle> {
        let response = self.response();
        let value = if response.kind() == kind { response.value() } else { None };
        value.filter(|value| value.get::<T>().is_some())
    }

    /// What `into_raw` takes apart.
    #[inline]
    pub(crate) fn parts(&self) -> (&Arc<Anchor>, u32) {
        (&self.anchor, self.loc)
    }

    #[inline]
    pub(crate) fn response(&self) -> Response<'_> {
        self.anchor.core.response(self.loc)
    }
}

impl Deref for Replay {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Replay {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Clone for Replay {
    fn clone(&self) -> Self {
        self.anchor.core.hold(self.loc);
        Self { anchor: self.anchor.clone(), loc: self.loc }
    }
}

impl Drop for Replay {
    #[inline]
    fn drop(&mut self) {
        self.anchor.core.end_replay(self.loc);
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The length only: responses may hold what does not belong in a log (H5).
        f.debug_struct("Replay").field("length", &self.len()).finish_non_exhaustive()
    }
}
