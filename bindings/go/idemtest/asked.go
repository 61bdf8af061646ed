package idemtest

// Asked is what claims and calls of Do came to, and how leases ended.
type Asked struct {
	Executes, Replays, Done, InFlight, Mismatches, Cancelled, Halted, Full uint64
	// How leases ended, and whose were renewed.
	Completes, Cancels, Halts, Renews, HandOvers, Expiries, Stale uint64
}

// Asked is what the engine was asked since the last call of it, what the Harness itself did
// included.
func (h *Harness) Asked() Asked {
	h.lock.Lock()
	defer h.lock.Unlock()
	was, is := h.last, h.Engine.Stats()
	h.last = is
	return Asked{
		Executes: is.Executes - was.Executes, Replays: is.Replays - was.Replays,
		Done: is.Done - was.Done, InFlight: is.InFlight - was.InFlight,
		Mismatches: is.Mismatches - was.Mismatches, Cancelled: is.Cancelled - was.Cancelled,
		Halted: is.Halted - was.Halted,
		Full: is.FullRecords + is.FullBytes + is.FullWaiters + is.FullNamespace + is.FullScope -
			was.FullRecords - was.FullBytes - was.FullWaiters - was.FullNamespace - was.FullScope,
		Completes: is.Completes - was.Completes, Cancels: is.Cancels - was.Cancels,
		Halts: is.Halts - was.Halts, Renews: is.Renews - was.Renews,
		HandOvers: is.HandOvers - was.HandOvers,
		Expiries:  is.LeaseExpiries - was.LeaseExpiries, Stale: is.Stale - was.Stale,
	}
}
