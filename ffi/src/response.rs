//! Responses: held, shared, copied out, let go of.

use core::ffi::c_void;
use core::mem::ManuallyDrop;

use idem::Replay;

use crate::boundary::{call, tell};
use crate::convert::of_info;
use crate::status::idem_status_t::{self, *};
use crate::types::{idem_info_t, idem_response_t};
use crate::value::value_of;

pub(crate) const NO_RESPONSE: idem_response_t =
    idem_response_t { data: core::ptr::null(), len: 0, opaque: [0; 2] };

/// Whether it is an error, its value if it has one, and the response.
#[inline(always)]
pub(crate) fn of_replay(replay: Replay) -> (bool, u64, idem_response_t) {
    let (is_error, bytes) = replay.contents();
    let (data, len) = (bytes.as_ptr(), bytes.len());
    let (data, value) = if len == 0 { (core::ptr::null(), value_of(&replay)) } else { (data, 0) };
    (is_error, value, idem_response_t { data, len, opaque: replay.into_raw() })
}

/// The first byte of a response; null if it has none, or was released.
///
/// Ownership: `response` is borrowed, and the bytes until it is released.
/// Threads: any.
/// Blocks: no.
/// Returns: the bytes, for reading only.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_response_data(response: *const idem_response_t) -> *const u8 {
    let mut data = core::ptr::null();
    call(|c| {
        data = c.object(response)?.data;
        Ok(())
    });
    data
}

/// How many bytes a response has; 0 if it was released.
///
/// Ownership: `response` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: the length.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_response_len(response: *const idem_response_t) -> usize {
    let mut len = 0;
    call(|c| {
        len = c.object(response)?.len;
        Ok(())
    });
    len
}

/// Holds a response once more, to give it to somebody else; each hold is released.
///
/// Ownership: `response` is borrowed; `*other` is the caller's.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_RELEASED, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_response_retain(
    response: *const idem_response_t,
    other: *mut idem_response_t,
) -> idem_status_t {
    call(|c| {
        let (response, out) = (c.object(response)?, c.out(other)?);
        let held = c.replay(response)?;
        let replay = Replay::clone(&held);
        out.write(idem_response_t { opaque: replay.into_raw(), ..*response });
        Ok(())
    })
}

/// Lets go of a response, and empties the structure, so that a second release of it is refused.
///
/// Ownership: the hold is consumed, the structure is borrowed.
/// Threads: any.
/// Blocks: no; may call the `destroy` of bytes that were handed in; the last response of an engine that was
///   freed frees its memory.
/// Returns: IDEM_OK; IDEM_ERR_RELEASED, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_response_release(response: *mut idem_response_t) -> idem_status_t {
    call(|c| {
        let response = c.change(response)?;
        let replay = ManuallyDrop::into_inner(c.replay(response)?);
        *response = NO_RESPONSE;
        drop(replay);
        Ok(())
    })
}

/// Copies a response to the caller's `buffer` of `capacity` bytes.
///
/// Ownership: both are borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_BUFFER: it is too short, and nothing was copied; either way the length of the
///   response is in `*len` (unless that is null); IDEM_ERR_RELEASED, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_response_copy(
    response: *const idem_response_t,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
) -> idem_status_t {
    call(|c| {
        let (response, buffer) = (c.object(response)?, c.outs(buffer.cast::<u8>(), capacity)?);
        let len = c.optional_out(len)?;
        let replay = c.replay(response)?;
        copy(&replay, buffer, len)
    })
}

/// Copies `bytes` to a buffer of C's, if they fit.
pub(crate) fn copy(
    bytes: &[u8],
    buffer: &mut [core::mem::MaybeUninit<u8>],
    len: Option<&mut core::mem::MaybeUninit<usize>>,
) -> crate::boundary::Called {
    tell(len, bytes.len());
    let place = buffer.get_mut(..bytes.len()).ok_or(IDEM_ERR_BUFFER)?;
    place.write_copy_of_slice(bytes);
    Ok(())
}

/// How old a response is, and how long its record is kept.
///
/// Ownership: `response` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_RELEASED, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_response_info(
    response: *const idem_response_t,
    info: *mut idem_info_t,
) -> idem_status_t {
    call(|c| {
        let (response, out) = (c.object(response)?, c.out(info)?);
        out.write(of_info(c.replay(response)?.info()));
        Ok(())
    })
}
