package idem

// #cgo noescape idemgo_stats
// #cgo nocallback idemgo_stats
// #include "operate.h"
import "C"

// Stats is what an engine has done since it was opened, and holds now. Counts of different things
// are read one after the other.
type Stats struct {
	// Claims, by outcome; Executes are waits as well, InFlight those that met an owner at work.
	Executes, Replays, Done, InFlight, Mismatches, Cancelled, Halted uint64
	// Claims that were refused, by the limit that was reached, or because the engine was closed.
	FullRecords, FullBytes, FullWaiters, FullNamespace, FullScope, Closed uint64
	// Leases that ended with a response; of these, Tombstones are those whose bytes were not kept,
	// and Detached those that the key had been taken from.
	Completes, Tombstones, Detached uint64
	// Late ends by the owner came after the deadline and still counted; Stale ones did not.
	Late, Stale uint64
	// Leases that were given up or abandoned, that ended halted, that were renewed, that passed to
	// a waiter, and that ended for their age.
	Cancels, Halts, Renews, HandOvers, LeaseExpiries uint64
	// Finished records that were removed because their retention was over.
	Expired uint64
	// Leases ended by force, records removed before their time, halted ones settled, and leases
	// that were ended as the engine closed.
	Forced, Forgotten, Resolved, Shutdowns uint64
	// Keys with a record, bytes in use and waiters: now, and the most there were as seen at ticks.
	Records, RecordsPeak, Bytes, BytesPeak, Waiters, WaitersPeak uint64
	// Waits is how long waits took: Waits[0] less than a microsecond, Waits[i] at least 2^(i-1)
	// and less than 2^i microseconds, the last all that are longer.
	Waits [32]uint64
}

// Stats reads the counters. Of a closed engine they are as they were at the end.
func (e *Engine) Stats() Stats {
	if e == nil {
		return Stats{}
	}
	if calls := e.enter(); calls != nil {
		defer calls.exit()
		stats, _ := crossStats(e.c)
		return stats
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.final
}

func crossStats(c uintptr) (Stats, int32) {
	stress()
	var raw C.idem_stats_t
	status := C.idemgo_stats(C.uintptr_t(c), &raw)
	u := func(n C.uint64_t) uint64 { return uint64(n) }
	stats := Stats{
		Executes: u(raw.executes), Replays: u(raw.replays), Done: u(raw.done),
		InFlight: u(raw.in_flight), Mismatches: u(raw.mismatches), Cancelled: u(raw.cancelled),
		Halted: u(raw.halted), FullRecords: u(raw.full_records), FullBytes: u(raw.full_bytes),
		FullWaiters: u(raw.full_waiters), FullNamespace: u(raw.full_namespace),
		FullScope: u(raw.full_scope), Closed: u(raw.closed), Completes: u(raw.completes),
		Tombstones: u(raw.tombstones), Detached: u(raw.detached), Late: u(raw.late),
		Stale: u(raw.stale), Cancels: u(raw.cancels), Halts: u(raw.halts), Renews: u(raw.renews),
		HandOvers: u(raw.hand_overs), LeaseExpiries: u(raw.lease_expiries), Expired: u(raw.expired),
		Forced: u(raw.forced), Forgotten: u(raw.forgotten), Resolved: u(raw.resolved),
		Shutdowns: u(raw.shutdowns), Records: u(raw.records), RecordsPeak: u(raw.records_peak),
		Bytes: u(raw.bytes), BytesPeak: u(raw.bytes_peak), Waiters: u(raw.waiters),
		WaitersPeak: u(raw.waiters_peak),
	}
	for i := range stats.Waits {
		stats.Waits[i] = u(raw.waits[i])
	}
	return stats, int32(status)
}
