//! Namespaces: keys apart from each other, with terms and limits of their own.

use core::str;

use idem::{Namespace, NamespaceOptions};

use crate::boundary::{Plain, Versioned, call, give};
use crate::convert::{duration, on_end};
use crate::engine::idem_engine_t;
use crate::log;
use crate::status::idem_status_t::{self, *};
use crate::types::idem_bytes_t;

/// A namespace of an engine: the same key in two of them is two keys. A handle; the namespace itself lives
/// as long as the engine.
pub struct idem_namespace_t(Namespace);

impl idem_namespace_t {
    #[inline]
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.0
    }
}

/// How a namespace differs from its engine. Zero everything and set `struct_size`: what is 0 is as the
/// engine has it, and limits are none but the engine's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_namespace_options_t {
    /// `sizeof(idem_namespace_options_t)`.
    pub struct_size: usize,
    /// How long an owner may take.
    pub lease_ms: u64,
    /// How long responses are kept; `IDEM_ZERO`: they only go to those who wait.
    pub retention_ms: u64,
    /// Keys that may have a record.
    pub records: u64,
    /// Bytes, counted as the engine's are.
    pub bytes: u64,
    /// The same for each scope within it.
    pub records_per_scope: u64,
    /// The same for each scope within it.
    pub bytes_per_scope: u64,
    /// An `idem_on_end_t`.
    pub on_abandon: u32,
    /// An `idem_on_end_t`.
    pub on_expiry: u32,
}

// SAFETY: ffi.1 (integers).
unsafe impl Plain for idem_namespace_options_t {}
// SAFETY: the first field is its size.
unsafe impl Versioned for idem_namespace_options_t {
    const LEAST: usize = 64;
}

/// The namespace of this name, which is made when it is first named. With `options`, they are put on record
/// for all who name it from now on; its limits are set by whoever names it first, and stay. Null: on the
/// terms that are on record, or else the engine's. Look it up once and keep the handle.
///
/// Ownership: `name` and `options` are borrowed; `*ns` is the caller's, free it with idem_namespace_free.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_EMPTY, IDEM_ERR_TOO_LONG, IDEM_ERR_NOT_TEXT for the name; IDEM_ERR_RANGE,
///   IDEM_ERR_VALUE, IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED for the options, or too many namespaces;
///   IDEM_ERR_LIMITS_SET; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_namespace_new(
    engine: *const idem_engine_t,
    name: idem_bytes_t,
    options: *const idem_namespace_options_t,
    ns: *mut *mut idem_namespace_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(ns)?);
        let name = c.bytes(name)?;
        match name.len() {
            0 => return Err(IDEM_ERR_EMPTY),
            1..=idem::Key::LENGTH_MAX => {}
            _ => return Err(IDEM_ERR_TOO_LONG),
        }
        let name = str::from_utf8(name).map_err(|_| IDEM_ERR_NOT_TEXT)?;
        let namespace = if options.is_null() {
            engine.namespace(name)?
        } else {
            let options = c.sized(options)?.options()?;
            let defined = engine.define_namespace(name, options);
            defined.inspect_err(|error| log::error(&error.to_string()))?
        };
        out.write(give(idem_namespace_t(namespace)));
        Ok(())
    })
}

impl idem_namespace_options_t {
    fn options(&self) -> Result<NamespaceOptions, idem_status_t> {
        let mut options = NamespaceOptions::default();
        if let Some(time) = duration(self.lease_ms) {
            options = options.lease(time);
        }
        if let Some(time) = duration(self.retention_ms) {
            options = options.retention(time);
        }
        if let Some(policy) = on_end(self.on_abandon)? {
            options = options.on_abandon(policy);
        }
        if let Some(policy) = on_end(self.on_expiry)? {
            options = options.on_expiry(policy);
        }
        let limits: [(u64, fn(NamespaceOptions, u64) -> NamespaceOptions); 4] = [
            (self.records, NamespaceOptions::records),
            (self.bytes, NamespaceOptions::bytes),
            (self.records_per_scope, NamespaceOptions::records_per_scope),
            (self.bytes_per_scope, NamespaceOptions::bytes_per_scope),
        ];
        for (limit, set) in limits {
            if limit != 0 {
                options = set(options, limit);
            }
        }
        Ok(options)
    }
}

/// Clears the namespace in one step, however large it is: from now on none of its keys has a record. What
/// is held of their responses stays readable. Owners of keys in flight go on for those who wait for them
/// already, and are told IDEM_DETACHED: an old and a new execution of one key may overlap.
///
/// Ownership: `ns` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_namespace_clear(ns: *const idem_namespace_t) -> idem_status_t {
    call(|c| {
        c.object(ns)?.0.clear();
        Ok(())
    })
}

/// As idem_namespace_clear, for the default namespace.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_clear(engine: *const idem_engine_t) -> idem_status_t {
    call(|c| {
        c.object(engine)?.engine().clear();
        Ok(())
    })
}

/// Frees the handle; nothing happens to the namespace.
///
/// Ownership: `ns` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no, unless it is the last that keeps an engine alive which was freed (idem_engine_free).
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_namespace_free(ns: *mut idem_namespace_t) -> idem_status_t {
    call(|c| c.take_optional(ns).map(drop))
}
