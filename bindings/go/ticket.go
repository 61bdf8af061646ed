package idem

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// A ticket is what this side knows of one claim: as a waiter, where its end is delivered; and as a
// call of Do, who wants its result. C knows it by its handle alone, as the tag of the wait and the
// label of the owner. DESIGN.md says who may touch what.
type ticket struct {
	index uint32
	// The generation, and above it whether somebody has had a pointer to this but the owner: it is
	// not used again then. One word, so that who joins and who retires see each other.
	state atomic.Uint32

	// The waiter. `pending` belongs to whoever swaps it out. `end` is written before `ended` is
	// sent to, by whoever took the end out of the queue, and read by whoever receives.
	pending atomic.Uint64
	ended   chan struct{}
	end     end
	// It is of a Group: what comes is a label, and no response.
	isValued bool
	// Of a group that is direct: what it claims by, its key, and which group it is.
	direct *cDirect
	name   string
	group  *direct

	// The call; all of it under the lock.
	lock sync.Mutex
	// Waiters that joined, and whether the owner's own caller is there.
	waiters int
	owner   bool
	// The function has ended, or nobody wanted its result any more and it was told so.
	over, abandoned bool
	finish          bool
	// The function's goroutine is through; the ticket is kept for those who still look it up.
	left, kept bool
	err        error
	// What a function of a Group has returned, if it is there for those who joined.
	value    any
	isShared bool
	cancel   context.CancelCauseFunc
	// The call that took over from this one, and its waiters with it.
	next *ticket
}

// end is what a wait came to.
type end struct {
	told cTold
	// Of a response that was short enough to be copied on the way.
	response []byte
	// Of a call of a Group: the label of the one that has the value.
	label uint64
}

const labelSize = 8

const joinedBit = 1 << 31

// ticketTable finds tickets by handle. A ticket has its index from when it is made until it is
// collected, in use or not: so a claim writes nothing here. The table does not keep it alive; who
// may be named has somebody who has it. Tickets are used again by way of a pool, so that a claim
// makes none.
type ticketTable struct {
	slots slots[weak.Pointer[ticket]]
	pool  sync.Pool

	lock   sync.Mutex
	unused []uint32
	next   uint32
	made   uint32
	// Its tickets are of groups that are direct.
	isDirect bool
}

// take is a ticket in the table.
func (t *ticketTable) take(isValued bool) *ticket {
	taken, ok := t.pool.Get().(*ticket)
	if !ok {
		taken = t.make()
	}
	taken.owner, taken.isValued = true, isValued
	return taken
}

func (t *ticketTable) make() *ticket {
	t.lock.Lock()
	defer t.lock.Unlock()
	var index uint32
	if last := len(t.unused) - 1; last >= 0 {
		index, t.unused = t.unused[last], t.unused[:last]
	} else {
		index = t.next
		t.next++
		t.slots.reach(index)
	}
	made := &ticket{index: index, ended: make(chan struct{}, 1)}
	// Not where the last one of this index began.
	t.made++
	made.state.Store(t.made * 0x9e3779b1 & generationMask)
	if t.isDirect {
		made.direct = newDirect()
	}
	place := weak.Make(made)
	t.slots.place(index).Store(&place)
	runtime.AddCleanup(made, t.giveBack, index)
	return made
}

func (t *ticketTable) giveBack(index uint32) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.slots.place(index).Store(nil)
	t.unused = append(t.unused, index)
}

// find is the ticket of a handle; nil if it is gone, or the handle is none.
func (t *ticketTable) find(handle uint64) *ticket {
	place := t.slots.at(handle)
	if place == nil {
		return nil
	}
	found := place.Value()
	if found == nil || found.handle() != handle {
		return nil
	}
	return found
}

// put gives a ticket back that C names no more and whose end, if it was to have one, was received.
func (t *ticketTable) put(used *ticket) {
	if used.kept {
		return
	}
	if !used.retire() {
		t.forget(used)
		return
	}
	t.putRetired(used)
}

// putRetired gives a ticket back that nobody finds by its handle any more.
func (t *ticketTable) putRetired(used *ticket) {
	used.waiters, used.owner, used.over, used.abandoned = 0, false, false, false
	used.left, used.finish, used.err, used.cancel, used.next = false, false, nil, nil, nil
	used.value, used.isShared, used.end.response, used.name = nil, false, nil, ""
	t.pool.Put(used)
}

// forget takes a ticket out of the table for good, and leaves it to those who have it.
func (t *ticketTable) forget(used *ticket) { t.slots.place(used.index).Store(nil) }

func (t *ticket) handle() uint64 {
	return handleBit | uint64(t.state.Load()&generationMask)<<32 | uint64(t.index)
}

func (t *ticket) isJoined() bool { return t.state.Load()&joinedBit != 0 }

// retire changes the generation, unless somebody has joined: whoever still has the handle does not
// find the ticket by it any more, and nobody but the caller touches it from here on.
func (t *ticket) retire() bool {
	state := t.state.Load()
	return state&joinedBit == 0 && t.state.CompareAndSwap(state, (state+1)&generationMask)
}

// admit makes the ticket of this handle one that was joined; false if it has another by now.
func (t *ticket) admit(handle uint64) bool {
	state := uint32(handle >> 32 & generationMask)
	return t.state.CompareAndSwap(state, state|joinedBit) || t.state.Load() == state|joinedBit
}

// join counts a waiter of the owner with this label, if that is a call of Do.
func (t *ticketTable) join(label uint64) *ticket {
	found := t.find(label)
	// From here on it is not used again.
	if found == nil || !found.admit(label) {
		return nil
	}
	found.lock.Lock()
	found = found.lockedLast()
	if found.isValued && found.over && !found.isShared {
		// Its value is nobody's but its own caller's: who comes now is too late for it.
		found.lock.Unlock()
		return nil
	}
	found.waiters++
	found.lock.Unlock()
	return found
}

// lockedLast is the call that has taken over in the end, or t itself, locked as t is now. Links
// are set once and from older to newer ones.
func (t *ticket) lockedLast() *ticket {
	for t.next != nil {
		next := t.next
		t.lock.Unlock()
		t = next
		t.lock.Lock()
	}
	return t
}

// leave is what a waiter does that joined, when it waits no more.
func (t *ticket) leave() {
	if t == nil {
		return
	}
	t.lock.Lock()
	t = t.lockedLast()
	t.waiters--
	t.abandonIfAlone()
}

// leaveOwner is what the caller does whose function is to go on without it. False: it has just
// ended, and the caller is to have what came of it.
func (t *ticket) leaveOwner() bool {
	t.lock.Lock()
	if t.left {
		t.lock.Unlock()
		return false
	}
	t.owner = false
	t.abandonIfAlone()
	return true
}

// leaveFunction is what the function's goroutine does in the end: whether its caller is there. If
// not the ticket is its own to give back.
func (t *ticket) leaveFunction() bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.left = true
	return t.owner
}

// abandonIfAlone tells the function that nobody wants its result. Lets go of the lock.
func (t *ticket) abandonIfAlone() {
	cancel := t.cancel
	if t.owner || t.waiters > 0 || t.over || t.finish || cancel == nil {
		t.lock.Unlock()
		return
	}
	t.abandoned = true
	t.lock.Unlock()
	cancel(errNobodyWaits)
}

// takeOver makes heir the call that the waiters of t count at; one of them was its own. t may be
// nil.
func (t *ticket) takeOver(heir *ticket) {
	if t == nil {
		return
	}
	t.lock.Lock()
	t = t.lockedLast()
	heir.admit(heir.handle())
	heir.lock.Lock()
	heir.waiters += t.waiters - 1
	heir.lock.Unlock()
	t.next, t.waiters = heir, 0
	// Its lease ran out, and its own caller has gone: nobody is left.
	t.abandonIfAlone()
}

// shared is what the call of a Group returned that these waiters belonged to; if the end was
// labelled, only if it is the call with this label.
func (t *ticket) shared(isLabelled bool, label uint64) (value any, err error, ok bool) {
	if t == nil {
		return nil, nil, false
	}
	t.lock.Lock()
	t = t.lockedLast()
	defer t.lock.Unlock()
	return t.value, t.err, t.isShared && (!isLabelled || t.handle() == label)
}

// failure is the error with which the call ended that these waiters belonged to, if it ended so.
func (t *ticket) failure() error {
	if t == nil {
		return nil
	}
	t.lock.Lock()
	t = t.lockedLast()
	defer t.lock.Unlock()
	return t.err
}

// joinedIn is how many waiters count at calls, for tests: they wait for that before they let
// callers leave.
func joinedIn(e *Engine) int {
	joined := 0
	chunks := e.tickets.slots.chunks.Load()
	if chunks == nil {
		return 0
	}
	for _, chunk := range *chunks {
		for i := range chunk {
			place := chunk[i].Load()
			if place == nil {
				continue
			}
			if t := place.Value(); t != nil && t.isJoined() {
				t.lock.Lock()
				joined += t.waiters
				t.lock.Unlock()
			}
		}
	}
	return joined
}
