//! What libidem has to say to people, by a function of theirs; without one, defects alone, on standard error.

use core::ffi::c_void;
use std::panic;
use std::sync::{Once, RwLock};

use crate::boundary::{Foreign, Keeper, call};
use crate::status::idem_status_t;
use crate::types::{idem_bytes_t, idem_destroy_fn};

/// How much a message matters.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_log_level_t {
    /// A call was refused, for the reason given.
    IDEM_LOG_ERROR = 1,
    /// A defect of libidem: please report it.
    IDEM_LOG_DEFECT = 2,
}

/// A message.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_message_t {
    /// An `idem_log_level_t`; greater ones may come with later versions.
    pub level: u32,
    /// Reserved; zero.
    pub reserved: u32,
    /// UTF-8, without a newline, and without an end of string. Has neither keys nor responses in it.
    pub text: idem_bytes_t,
}

/// Called with a message, which is borrowed until it returns, on the thread whose call it is about. It must
/// not call libidem.
pub type idem_log_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, message: *const idem_message_t)>;

static LOG: RwLock<Option<Foreign<*const idem_message_t>>> = RwLock::new(None);

/// Sets the function that is told what libidem has to say: which option is wrong, where a defect is. One
/// for the process, the last one set; null: nobody is told, and messages about defects go to standard
/// error.
///
/// Ownership: `user` is borrowed until `destroy` is called with it, once, when another one is set (of a
///   null `log` at once).
/// Threads: any.
/// Blocks: until the function set before has returned.
/// Returns: IDEM_OK.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_log_to(
    log: idem_log_fn,
    user: *mut c_void,
    destroy: idem_destroy_fn,
) -> idem_status_t {
    call(|_| {
        let log = match log {
            Some(log) => Some(Foreign::new(log, user, destroy)),
            None => {
                drop(Keeper::new(user, destroy));
                None
            }
        };
        let mut place = LOG.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = core::mem::replace(&mut *place, log);
        drop(place);
        drop(before);
        hear_panics();
        Ok(())
    })
}

pub(crate) fn error(text: &str) {
    say(idem_log_level_t::IDEM_LOG_ERROR, text);
}

/// Whether somebody was told.
fn say(level: idem_log_level_t, text: &str) -> bool {
    let log = LOG.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(log) = &*log else { return false };
    let text = idem_bytes_t { data: text.as_ptr().cast(), len: text.len() };
    log.call(&idem_message_t { level: level as u32, reserved: 0, text });
    true
}

/// A panic is told to the log function instead of standard error, if there is one.
fn hear_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.to_string().replace('\n', " ");
            if !say(idem_log_level_t::IDEM_LOG_DEFECT, &text) {
                before(info);
            }
        }));
    });
}
