//! Sizes, offsets and values are as they are kept in `layout.txt`: here as Rust has them, in
//! `c/layout.c` as C has them.

use core::mem::offset_of;
use std::fmt::Write as _;

#[allow(clippy::wildcard_imports, reason = "all that the header has")]
use idem_ffi::*;

macro_rules! structures {
    ($table:ident: $($structure:ident { $($field:ident)* })*) => {$(
        writeln!($table, "{} {}", stringify!($structure), size_of::<$structure>()).unwrap();
        $(
            let (name, offset) = (stringify!($field), offset_of!($structure, $field));
            let name = name.trim_start_matches("r#");
            writeln!($table, "{}.{name} {offset}", stringify!($structure)).unwrap();
        )*
    )*};
}

macro_rules! values {
    ($table:ident: $($enumeration:ident { $($value:ident)* })*) => {$(
        writeln!($table, "{} {}", stringify!($enumeration), size_of::<$enumeration>()).unwrap();
        $(
            let value = i64::from($enumeration::$value as i32);
            writeln!($table, "{} {value}", stringify!($value)).unwrap();
        )*
    )*};
}

fn structures(table: &mut String) {
    structures! { table:
        idem_bytes_t { data len }
        idem_key_t { kind scope_kind ns scope key bits }
        idem_claim_t { struct_size key fingerprint lease_ms retention_ms owner flags on_expiry
            on_abandon reserved }
        idem_lease_t { opaque }
        idem_response_t { data len opaque }
        idem_info_t { age_ms left_ms owner }
        idem_outcome_t { kind origin attempt reason state limit is_error reserved info lease
            response waiter value more }
        idem_ending_t { lease response status completion }
        idem_lease_info_t { left_ms key_hash more }
        idem_peek_t { state reason is_error has_response halt reserved len info more }
        idem_record_t { state reason attempt waiters is_detached halt info key_hash r#ref more }
        idem_event_t { what detail reason reserved key_hash more }
        idem_ended_t { tag outcome }
        idem_config_t { struct_size records bytes max_response waiters waiters_per_key lease_ms
            retention_ms cancelled_retention_ms halted_retention_ms accept_timeout_ms on_abandon
            on_expiry key_hash helper_thread huge_pages prefault clock_rate has_secret secret
            clock hook hook_user hook_destroy }
        idem_namespace_options_t { struct_size lease_ms retention_ms records bytes
            records_per_scope bytes_per_scope on_abandon on_expiry }
        idem_stats_t { struct_size executes replays done in_flight mismatches cancelled halted
            full_records full_bytes full_waiters full_namespace full_scope closed completes
            tombstones detached late stale cancels halts renews hand_overs lease_expiries
            expired timed_out forced forgotten resolved shutdowns wakes records records_peak
            bytes bytes_peak waiters waiters_peak waits }
        idem_message_t { level reserved text }
        idem_http_field_t { name value }
        idem_http_head_t { struct_size method authority path query fields field_count scope_kind
            flags scope key retention_ms wait_ms }
        idem_http_answer_t { status is_retryable headers header_count trailers trailer_count body
            refusal more }
        idem_http_decision_t { kind needs_body room time_ms max_run_ms response_max answer waiter
            origin attempt more }
        idem_http_response_t { struct_size status reserved headers header_count trailers
            trailer_count body }
        idem_http_finished_t { fate is_settled is_stored reserved headers header_count more }
    }
}

fn values(table: &mut String) {
    values! { table:
        idem_key_kind_t { IDEM_KEY_BYTES IDEM_KEY_FINGERPRINT IDEM_KEY_RAW IDEM_KEY_LISTED }
        idem_scope_kind_t { IDEM_SCOPE_NONE IDEM_SCOPE_OF }
        idem_on_end_t { IDEM_ON_END_DEFAULT IDEM_ON_END_HAND_OVER IDEM_ON_END_FAIL_WAITERS
            IDEM_ON_END_HALT }
        idem_claim_flag_t { IDEM_CLAIM_FINGERPRINT IDEM_CLAIM_NO_WAIT IDEM_CLAIM_NO_EXECUTE }
        idem_outcome_kind_t { IDEM_EXECUTE IDEM_IN_FLIGHT IDEM_REPLAY IDEM_DONE IDEM_MISMATCH
            IDEM_CANCELLED IDEM_HALTED IDEM_NO_ROOM IDEM_CLOSED IDEM_WAIT_OVER IDEM_EVICTED }
        idem_origin_t { IDEM_ORIGIN_FRESH IDEM_ORIGIN_AFTER_CANCEL IDEM_ORIGIN_AFTER_EXPIRY }
        idem_state_t { IDEM_STATE_VACANT IDEM_STATE_IN_FLIGHT IDEM_STATE_COMPLETED
            IDEM_STATE_CANCELLED IDEM_STATE_HALTED }
        idem_reason_t { IDEM_REASON_OWNER IDEM_REASON_DROPPED IDEM_REASON_PANICKED
            IDEM_REASON_LEASE_EXPIRED IDEM_REASON_SHUTDOWN IDEM_REASON_FORCED
            IDEM_REASON_FORGOTTEN IDEM_REASON_CLEARED }
        idem_limit_t { IDEM_LIMIT_RECORDS IDEM_LIMIT_BYTES IDEM_LIMIT_WAITERS
            IDEM_LIMIT_NAMESPACE IDEM_LIMIT_SCOPE }
        idem_completion_t { IDEM_STORED IDEM_TOO_LARGE IDEM_NO_ROOM_FOR_BODY IDEM_DETACHED }
        idem_removal_t { IDEM_REMOVAL_VACANT IDEM_REMOVAL_REMOVED IDEM_REMOVAL_IN_FLIGHT
            IDEM_REMOVAL_HALTED }
        idem_resolution_t { IDEM_RESOLVE_COMPLETE IDEM_RESOLVE_RELEASE IDEM_RESOLVE_KEEP }
        idem_what_t { IDEM_WHAT_OTHER IDEM_WHAT_EXECUTES IDEM_WHAT_IN_FLIGHT IDEM_WHAT_REPLAYED
            IDEM_WHAT_DONE IDEM_WHAT_MISMATCHED IDEM_WHAT_CANCELLED IDEM_WHAT_HALTED
            IDEM_WHAT_NO_ROOM IDEM_WHAT_CLOSED IDEM_WHAT_COMPLETED IDEM_WHAT_GAVE_UP
            IDEM_WHAT_RENEWED IDEM_WHAT_STALE IDEM_WHAT_LEASE_EXPIRED IDEM_WHAT_HANDED_OVER
            IDEM_WHAT_FORCED IDEM_WHAT_FORGOTTEN IDEM_WHAT_DETACHED IDEM_WHAT_RESOLVED }
        idem_status_t { IDEM_OK IDEM_STALE IDEM_TOO_LATE IDEM_TIMED_OUT IDEM_FULL IDEM_UNDECIDED
            IDEM_ERR_NULL IDEM_ERR_MISALIGNED IDEM_ERR_SIZE IDEM_ERR_UNSUPPORTED IDEM_ERR_VALUE
            IDEM_ERR_EMPTY IDEM_ERR_TOO_LONG IDEM_ERR_NO_SCOPE IDEM_ERR_NOT_TEXT IDEM_ERR_RANGE
            IDEM_ERR_LIMITS_SET IDEM_ERR_WRONG_ENGINE IDEM_ERR_RELEASED IDEM_ERR_NO_MEMORY
            IDEM_ERR_SYSTEM IDEM_ERR_BUFFER IDEM_ERR_PANIC IDEM_ERR_POLICY IDEM_ERR_STATE }
        idem_key_hash_t { IDEM_KEY_HASH_DEFAULT IDEM_KEY_HASH_SIPHASH24 IDEM_KEY_HASH_XXH3 }
        idem_switch_t { IDEM_SWITCH_DEFAULT IDEM_SWITCH_ON IDEM_SWITCH_OFF }
        idem_log_level_t { IDEM_LOG_ERROR IDEM_LOG_DEFECT }
        idem_http_head_flag_t { IDEM_HTTP_OFF }
        idem_http_decision_kind_t { IDEM_HTTP_PASS IDEM_HTTP_KEYED IDEM_HTTP_WAIT
            IDEM_HTTP_EXECUTE IDEM_HTTP_ANSWER }
        idem_http_fault_t { IDEM_HTTP_TOO_SLOW IDEM_HTTP_CUT_OFF IDEM_HTTP_TOO_LARGE }
        idem_http_fate_t { IDEM_HTTP_KEEP IDEM_HTTP_KEEP_FOR IDEM_HTTP_SHARE IDEM_HTTP_RELEASE
            IDEM_HTTP_HALT }
    }
}

#[test]
fn the_layout_is_what_it_was() {
    let mut table = String::new();
    structures(&mut table);
    values(&mut table);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/layout.txt");
    if std::env::var_os("IDEM_BLESS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(table, kept, "what the ABI has may not change");
}
