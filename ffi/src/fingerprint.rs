//! Fingerprints: what a request says, in 128 bits.

use idem::FingerprintBuilder;

use crate::boundary::{call, give};
use crate::engine::idem_engine_t;
use crate::status::idem_status_t::{self, IDEM_ERR_RELEASED};
use crate::types::idem_bytes_t;

/// A fingerprint in the making. Used up when it is finished.
pub struct idem_fingerprint_t(Option<FingerprintBuilder>);

/// The fingerprint of an HTTP request: `target` is path and query as they were sent. Keyed with the
/// engine's secret, so it is good in this engine, or in one with the same secret.
///
/// Ownership: all are borrowed; `bits` is 16 bytes.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fingerprint_http(
    engine: *const idem_engine_t,
    method: idem_bytes_t,
    target: idem_bytes_t,
    body: idem_bytes_t,
    bits: *mut u8,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.outs(bits, 16)?);
        let fingerprint = engine.fingerprint();
        let (method, target, body) = (c.bytes(method)?, c.bytes(target)?, c.bytes(body)?);
        let bits = fingerprint.http(method, target, body).to_u128();
        out.write_copy_of_slice(&bits.to_le_bytes());
        Ok(())
    })
}

/// Begins a fingerprint, of fields and of bytes that come in pieces.
///
/// Ownership: `*fingerprint` is the caller's, free it with idem_fingerprint_free.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fingerprint_new(
    engine: *const idem_engine_t,
    fingerprint: *mut *mut idem_fingerprint_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(fingerprint)?);
        out.write(give(idem_fingerprint_t(Some(engine.fingerprint()))));
        Ok(())
    })
}

/// Adds a field. Fields are framed: "ab", "c" is not "a", "bc".
///
/// Ownership: both are borrowed.
/// Threads: one at a time.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_RELEASED: finished already; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fingerprint_field(
    fingerprint: *mut idem_fingerprint_t,
    field: idem_bytes_t,
) -> idem_status_t {
    call(|c| {
        let field = c.bytes(field)?;
        let builder = c.object_mut(fingerprint)?.0.as_mut().ok_or(IDEM_ERR_RELEASED)?;
        builder.field(field);
        Ok(())
    })
}

/// Adds a piece of a field that comes in pieces; how it is cut does not matter. The next field, or the end,
/// ends it.
///
/// Ownership: both are borrowed.
/// Threads: one at a time.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_RELEASED: finished already; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fingerprint_update(
    fingerprint: *mut idem_fingerprint_t,
    piece: idem_bytes_t,
) -> idem_status_t {
    call(|c| {
        let piece = c.bytes(piece)?;
        let builder = c.object_mut(fingerprint)?.0.as_mut().ok_or(IDEM_ERR_RELEASED)?;
        builder.update(piece);
        Ok(())
    })
}

/// The fingerprint of what was added.
///
/// Ownership: `fingerprint` is borrowed, and still to be freed; `bits` is 16 bytes.
/// Threads: one at a time.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_RELEASED: finished already; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fingerprint_finish(
    fingerprint: *mut idem_fingerprint_t,
    bits: *mut u8,
) -> idem_status_t {
    call(|c| {
        let out = c.outs(bits, 16)?;
        let builder = c.object_mut(fingerprint)?.0.take().ok_or(IDEM_ERR_RELEASED)?;
        out.write_copy_of_slice(&builder.finish().to_u128().to_le_bytes());
        Ok(())
    })
}

/// Frees a fingerprint, finished or not.
///
/// Ownership: `fingerprint` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fingerprint_free(
    fingerprint: *mut idem_fingerprint_t,
) -> idem_status_t {
    call(|c| c.take_optional(fingerprint).map(drop))
}
