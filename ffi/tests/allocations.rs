//! No claim allocates that comes to `IDEM_EXECUTE` or `IDEM_REPLAY`, nor what follows it.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls of C functions, one after the other"
)]

use core::cell::Cell;
use core::ptr::null_mut;
use std::alloc::{GlobalAlloc, Layout, System};

#[allow(clippy::wildcard_imports, reason = "all that the header has")]
use idem_ffi::{idem_outcome_kind_t::*, idem_status_t::*, *};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

// SAFETY: all is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    of();
    ALLOCATIONS.get() - before
}

fn claims<const N: usize>(first: u64) -> [idem_claim_t; N] {
    core::array::from_fn(|index| {
        // SAFETY: integers and pointers, for which zeroes are good.
        let mut claim: idem_claim_t = unsafe { core::mem::zeroed() };
        claim.struct_size = size_of::<idem_claim_t>();
        claim.key.kind = idem_key_kind_t::IDEM_KEY_RAW as u32;
        claim.key.bits[..8].copy_from_slice(&(first + index as u64).to_le_bytes());
        // Half of them on terms of their own.
        claim.lease_ms = if index % 2 == 0 { 0 } else { 5000 };
        claim
    })
}

#[test]
fn claims_that_execute_or_replay_allocate_nothing() {
    // SAFETY: integers and pointers, for which zeroes are good.
    let mut config: idem_config_t = unsafe { core::mem::zeroed() };
    config.struct_size = size_of::<idem_config_t>();
    config.helper_thread = idem_switch_t::IDEM_SWITCH_OFF as u32;
    let mut engine = null_mut();
    // SAFETY: the engine and all structures are alive.
    unsafe { assert_eq!(idem_engine_new(&raw const config, &raw mut engine), IDEM_OK) };
    let one = |claim: &idem_claim_t, expected| {
        // SAFETY: as above; zeroes are good for an outcome.
        unsafe {
            let mut out: idem_outcome_t = core::mem::zeroed();
            assert_eq!(idem_claim(engine, claim, &raw mut out), IDEM_OK);
            assert_eq!(out.kind, expected as u32);
            let end = match expected {
                IDEM_EXECUTE => {
                    let response = idem_bytes_t { data: b"done".as_ptr().cast(), len: 4 };
                    idem_complete(engine, out.lease, response, 0, null_mut())
                }
                _ => idem_response_release(&raw mut out.response),
            };
            assert_eq!(end, IDEM_OK);
        }
    };
    // The thread's first call sets up what is the thread's.
    one(&claims::<1>(u64::MAX)[0], IDEM_EXECUTE);
    let [first, second] = claims(0);
    for claim in [&first, &second] {
        assert_eq!(allocations(|| one(claim, IDEM_EXECUTE)), 0);
        assert_eq!(allocations(|| one(claim, IDEM_REPLAY)), 0);
    }
    let batch = claims::<40>(100);
    // SAFETY: as above.
    let mut outs: [idem_outcome_t; 40] = unsafe { core::mem::zeroed() };
    let mut claim_all = |expected| {
        // SAFETY: as above.
        unsafe {
            let out = outs.as_mut_ptr();
            assert_eq!(idem_claim_batch(engine, batch.as_ptr(), batch.len(), out), IDEM_OK);
        }
        assert!(outs.iter().all(|out| out.kind == expected as u32));
        outs
    };
    let mut held = None;
    assert_eq!(allocations(|| held = Some(claim_all(IDEM_EXECUTE))), 0);
    for out in held.iter().flatten() {
        // SAFETY: as above.
        let end = unsafe {
            let none = idem_bytes_t { data: core::ptr::null(), len: 0 };
            idem_complete(engine, out.lease, none, 0, null_mut())
        };
        assert_eq!(end, IDEM_OK);
    }
    let mut held = None;
    assert_eq!(allocations(|| held = Some(claim_all(IDEM_REPLAY))), 0);
    for mut out in held.into_iter().flatten() {
        // SAFETY: as above.
        unsafe { assert_eq!(idem_response_release(&raw mut out.response), IDEM_OK) };
    }
    // SAFETY: as above; nothing of it is used any more.
    unsafe { assert_eq!(idem_engine_free(engine), IDEM_OK) };
}

#[test]
fn an_allocation_would_be_seen() {
    assert_eq!(allocations(|| drop(core::hint::black_box(Box::new(1)))), 1);
}
