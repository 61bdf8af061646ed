package idem

import (
	"fmt"
	"strconv"
)

// Kind is what a claim or a wait came to.
type Kind uint32

const (
	// Execute: the caller is the owner, and nobody else executes until its lease ends.
	Execute Kind = 1
	// InFlight: somebody else is at it; the Waiter is the caller's place in the queue.
	InFlight Kind = 2
	// Replay: it was done; the Response is what was stored, or the error that was shared.
	Replay Kind = 3
	// Done: it was done, and the response was not kept.
	Done Kind = 4
	// Mismatch: the key was used with another fingerprint.
	Mismatch Kind = 5
	// Cancelled: it was given up.
	Cancelled Kind = 6
	// Halted: its outcome is unknown, and nobody executes it.
	Halted Kind = 7
	// Full: there is no room for a new record or waiter.
	Full Kind = 8
	// Closed: the engine is closed to new keys, and to hand-overs.
	Closed Kind = 9
)

// Origin is how an owner came by its lease.
type Origin uint32

const (
	// OriginFresh: the key had no record.
	OriginFresh Origin = 1
	// OriginAfterCancel: an earlier owner gave up.
	OriginAfterCancel Origin = 2
	// OriginAfterExpiry: an earlier owner's lease ran out.
	OriginAfterExpiry Origin = 3
)

// State is the state of a record.
type State uint32

const (
	// StateVacant: the key has no record.
	StateVacant State = 1
	// StateInFlight: an owner is at work, or it is being handed over to one.
	StateInFlight State = 2
	// StateCompleted: finished, with or without its bytes.
	StateCompleted State = 3
	// StateCancelled: given up, and kept so.
	StateCancelled State = 4
	// StateHalted: of unknown outcome.
	StateHalted State = 5
)

// Reason is why a record was cancelled or halted: one of those below, or a code of an owner's own.
type Reason uint32

const (
	// ReasonOwner: the owner gave up.
	ReasonOwner Reason = 1
	// ReasonDropped: the lease was abandoned; in Do also by a panic, or by runtime.Goexit.
	ReasonDropped Reason = 2
	// ReasonPanicked: the owner's thread unwound. Owners in Go are ReasonDropped.
	ReasonPanicked Reason = 3
	// ReasonLeaseExpired: the lease ran out.
	ReasonLeaseExpired Reason = 4
	// ReasonShutdown: the engine was closed.
	ReasonShutdown Reason = 5
	// ReasonForced: an operator ended it.
	ReasonForced Reason = 6
	// ReasonForgotten: the key was forgotten.
	ReasonForgotten Reason = 7
	// ReasonCleared: the namespace was cleared.
	ReasonCleared Reason = 8
)

const reasonCode = 65536

// ReasonOf is the reason of an owner's own code.
func ReasonOf(code uint16) Reason { return reasonCode + Reason(code) }

// Code is the owner's own code, if it is one.
func (r Reason) Code() (code uint16, ok bool) { return uint16(r), r >= reasonCode }

// Limit is a limit that was reached.
type Limit uint32

const (
	// LimitRecords: keys with a record.
	LimitRecords Limit = 1
	// LimitBytes: bytes of stored responses.
	LimitBytes Limit = 2
	// LimitWaiters: waiters, of this key or in all.
	LimitWaiters Limit = 3
	// LimitNamespace: what the namespace may have.
	LimitNamespace Limit = 4
	// LimitScope: what the scope may have.
	LimitScope Limit = 5
)

// Completion is how a response was stored.
type Completion uint32

const (
	// Stored: with its bytes; or given to those who waited, where the retention is none.
	Stored Completion = 1
	// TooLarge: without its bytes, which are more than a response may have. It is done all the
	// same.
	TooLarge Completion = 2
	// NoRoomForBody: without its bytes, since there was no room. It is done all the same.
	NoRoomForBody Completion = 3
	// Detached: not at all, only given to those who waited: the key had been taken from this lease.
	Detached Completion = 4
)

// OnEnd is what becomes of a key as its lease ends without a result.
type OnEnd uint32

const (
	// OnEndDefault: in a claim as the namespace has it, there as the engine, there HandOver.
	OnEndDefault OnEnd = 0
	// HandOver: whoever has waited longest executes next; if nobody waits the key is free.
	HandOver OnEnd = 1
	// FailWaiters: everybody who waits gets ErrCancelled; the key is free.
	FailWaiters OnEnd = 2
	// Halt: the outcome is unknown; nobody executes until the halted retention ends or Resolve.
	Halt OnEnd = 3
)

// Removal is what came of forgetting a key.
type Removal uint32

const (
	// RemovalVacant: there was nothing to forget.
	RemovalVacant Removal = 1
	// Removed: the record is gone.
	Removed Removal = 2
	// RemovalInFlight: it is in flight, and was left alone.
	RemovalInFlight Removal = 3
	// RemovalHalted: it is halted, and was left alone.
	RemovalHalted Removal = 4
)

// name is the name of a word, or its number if this package has none for it.
func name(names []string, n uint32) string {
	if n > 0 && int(n) <= len(names) {
		return names[n-1]
	}
	return "unknown (" + strconv.FormatUint(uint64(n), 10) + ")"
}

var (
	kindNames = []string{"execute", "in flight", "replay", "done", "mismatch", "cancelled",
		"halted", "full", "closed"}
	originNames = []string{"fresh", "after cancel", "after expiry"}
	stateNames  = []string{"vacant", "in flight", "completed", "cancelled", "halted"}
	reasonNames = []string{"the owner gave up", "the lease was abandoned", "the owner panicked",
		"the lease ran out", "the engine was closed", "an operator ended it",
		"the key was forgotten", "the namespace was cleared"}
	limitNames      = []string{"records", "bytes", "waiters", "namespace", "scope"}
	completionNames = []string{"stored", "too large", "no room for the body", "detached"}
	onEndNames      = []string{"hand over", "fail waiters", "halt"}
	removalNames    = []string{"vacant", "removed", "in flight", "halted"}
)

func (k Kind) String() string       { return name(kindNames, uint32(k)) }
func (o Origin) String() string     { return name(originNames, uint32(o)) }
func (s State) String() string      { return name(stateNames, uint32(s)) }
func (l Limit) String() string      { return name(limitNames, uint32(l)) }
func (c Completion) String() string { return name(completionNames, uint32(c)) }
func (r Removal) String() string    { return name(removalNames, uint32(r)) }

func (o OnEnd) String() string {
	if o == OnEndDefault {
		return "default"
	}
	return name(onEndNames, uint32(o))
}

func (r Reason) String() string {
	if code, ok := r.Code(); ok {
		return fmt.Sprintf("code %d", code)
	}
	return name(reasonNames, uint32(r))
}
