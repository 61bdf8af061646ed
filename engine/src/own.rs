//! A value in the hands of whoever made it, by itself and without a response.

use std::sync::Arc;

use crate::engine::Anchor;
use crate::record::body::ByHandle;
use crate::record::value::Handle;

/// One holder of a value (value.1); keeps the engine, where its weight is counted if it was stored.
pub(crate) struct Own {
    anchor: Arc<Anchor>,
    value: Handle,
}

impl Own {
    pub(crate) fn new<T: Send + Sync + 'static>(anchor: Arc<Anchor>, value: T) -> Self {
        anchor.core.expect_values();
        Self { anchor, value: Handle::new(value) }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.value
    }

    /// As a body, of a value that stands for no bytes.
    pub(crate) fn body(&self, weight: usize) -> ByHandle {
        ByHandle { value: self.value, weight, bytes: core::ptr::null() }
    }
}

impl Clone for Own {
    fn clone(&self) -> Self {
        self.value.hold();
        Self { anchor: self.anchor.clone(), value: self.value }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.anchor.core.end_own(self.value);
    }
}
