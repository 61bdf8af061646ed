//! Gates by route, for servers that have no router of their own: proxies, and services of one handler.

use std::sync::Arc;

use matchit::Router;

use crate::gate::Gate;

/// Which gate a request goes through, by its path.
///
/// Patterns are as `/charges/{id}` and `/files/{*rest}`; the most specific one counts.
///
/// Clones are the same, and cost nothing: services are cloned with each request.
#[derive(Clone)]
pub struct Routes(Arc<Table>);

#[derive(Clone)]
struct Table {
    routes: Router<Option<Gate>>,
    is_empty: bool,
    otherwise: Option<Gate>,
}

/// A pattern that is malformed, or there already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteError(String);

impl core::fmt::Display for RouteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "route: {}", self.0)
    }
}

impl core::error::Error for RouteError {}

impl Routes {
    /// Routes of which none is known yet: every request goes through this gate, or through none.
    #[must_use]
    pub fn new(otherwise: Option<Gate>) -> Self {
        Self(Arc::new(Table { routes: Router::new(), is_empty: true, otherwise }))
    }

    /// Requests whose path is like this go through `gate`, or through none.
    ///
    /// # Errors
    /// A pattern that is malformed, or conflicts with another.
    pub fn route(mut self, pattern: &str, gate: Option<Gate>) -> Result<Self, RouteError> {
        let table = Arc::make_mut(&mut self.0);
        table.routes.insert(pattern, gate).map_err(|error| RouteError(error.to_string()))?;
        table.is_empty = false;
        Ok(self)
    }

    /// The gate of a path.
    #[must_use]
    pub fn gate(&self, path: &str) -> Option<&Gate> {
        let Table { routes, is_empty, otherwise } = &*self.0;
        if *is_empty {
            return otherwise.as_ref();
        }
        match routes.at(path) {
            Ok(found) => found.value.as_ref(),
            Err(_) => otherwise.as_ref(),
        }
    }
}

impl From<Gate> for Routes {
    fn from(gate: Gate) -> Self {
        Self::new(Some(gate))
    }
}
