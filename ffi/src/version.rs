//! Which library this is.

use core::ffi::{CStr, c_char};

/// The number of the ABI that this header describes. While it is 0 the ABI may still change.
pub const IDEM_ABI_VERSION: u32 = 0;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of the library that is loaded, as "0.1.0".
///
/// Ownership: the text is static.
/// Threads: any.
/// Blocks: no.
/// Returns: never null.
/// Since: 0.
#[unsafe(no_mangle)]
pub extern "C" fn idem_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The ABI of the library that is loaded, to compare with IDEM_ABI_VERSION.
///
/// Ownership: none.
/// Threads: any.
/// Blocks: no.
/// Returns: the number.
/// Since: 0.
#[unsafe(no_mangle)]
pub extern "C" fn idem_abi_version() -> u32 {
    IDEM_ABI_VERSION
}
