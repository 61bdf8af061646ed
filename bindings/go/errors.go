package idem

import (
	"context"
	"errors"
	"fmt"
)

// What a call came to, where it did not do what it was asked for. Compare with errors.Is: what is
// returned may say more, by errors.As.
var (
	// ErrDone: it was done, but the response was not kept. It must not be done again.
	ErrDone = errors.New("idem: done, and the response was not kept")
	// ErrInFlight: somebody else is at it, and the caller did not want to wait (WithNoWait).
	ErrInFlight = errors.New("idem: in flight")
	// ErrMismatch: the key was used with another fingerprint. See MismatchError.
	ErrMismatch = errors.New("idem: the key was used for another request")
	// ErrCancelled: it was given up. See CancelledError, which has the reason.
	ErrCancelled = errors.New("idem: cancelled")
	// ErrHalted: nobody knows whether it was done, so nobody does it again. See HaltedError.
	ErrHalted = errors.New("idem: halted, the outcome is unknown")
	// ErrFull: a limit was reached. See FullError, which says which.
	ErrFull = errors.New("idem: full")
	// ErrClosed: the engine is closed, to new keys or altogether.
	ErrClosed = errors.New("idem: closed")
	// ErrStale: the lease is over, and nothing was overwritten; or a halt that was settled since.
	ErrStale = errors.New("idem: stale, the lease is over")
	// ErrUndecided: Once cannot say whether it is the first. A claim tells why.
	ErrUndecided = errors.New("idem: undecided")
	// ErrFailed: the owner shared an error. See FailedError, which has its text.
	ErrFailed = errors.New("idem: failed")
	// ErrInvalid: an argument or an option is wrong. Nothing was done.
	ErrInvalid = errors.New("idem: invalid")
	// ErrSystem: the system lacks what it takes: memory, a descriptor, a thread.
	ErrSystem = errors.New("idem: out of resources")
)

// A FullError says which limit was reached. It is ErrFull.
type FullError struct{ Limit Limit }

func (e *FullError) Error() string        { return "idem: full: " + e.Limit.String() }
func (e *FullError) Is(target error) bool { return target == ErrFull }

// A CancelledError says why it was given up. It is ErrCancelled.
type CancelledError struct{ Reason Reason }

func (e *CancelledError) Error() string        { return "idem: cancelled: " + e.Reason.String() }
func (e *CancelledError) Is(target error) bool { return target == ErrCancelled }

// A HaltedError says why it is halted. It is ErrHalted.
type HaltedError struct{ Reason Reason }

func (e *HaltedError) Error() string {
	return "idem: halted, the outcome is unknown: " + e.Reason.String()
}
func (e *HaltedError) Is(target error) bool { return target == ErrHalted }

// A MismatchError says what state the record of the other request is in. It is ErrMismatch.
type MismatchError struct{ State State }

func (e *MismatchError) Error() string {
	return "idem: the key was used for another request, which is " + e.State.String()
}
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// A FailedError is an error that an owner shared, where only its text is left: it was kept
// (WithKeepError), or ended by Lease.Fail. It is ErrFailed.
type FailedError struct{ Text string }

func (e *FailedError) Error() string        { return e.Text }
func (e *FailedError) Is(target error) bool { return target == ErrFailed }

// An argumentError is about what the caller said. It is ErrInvalid.
type argumentError struct{ text string }

func (e *argumentError) Error() string        { return "idem: " + e.text }
func (e *argumentError) Is(target error) bool { return target == ErrInvalid }

func invalid(format string, args ...any) error {
	return &argumentError{fmt.Sprintf(format, args...)}
}

// What the negative statuses say.
var statusTexts = map[int32]string{
	-1:  "internal: a null pointer",
	-2:  "internal: a misaligned pointer",
	-3:  "internal: a structure of an unknown size",
	-4:  "the library is older than this package, and lacks an option that was asked for",
	-5:  "an unknown value or flag",
	-6:  "a key, a scope, or a namespace's name is empty",
	-7:  "a key, a scope, or a namespace's name is longer than 65536 bytes",
	-8:  "the key does not say what its scope is, or that it has none",
	-9:  "a namespace's name is not UTF-8",
	-10: "an option or a duration is out of its bounds",
	-11: "the namespace has other limits already",
	-12: "a key, lease or namespace of another engine",
	-13: "internal: released already",
	-16: "internal: a buffer is too short",
}

// statusError is the error of a status that is not one of the ordinary answers.
func statusError(status int32) error {
	switch status {
	case statusOK:
		return nil
	case statusStale:
		return ErrStale
	case statusUndecided:
		return ErrUndecided
	case statusFull:
		return ErrFull
	case -14, -15:
		return fmt.Errorf("%w (status %d)", ErrSystem, status)
	}
	if text, ok := statusTexts[status]; ok {
		return &argumentError{text}
	}
	return fmt.Errorf("idem: defect of the library (status %d)", status)
}

// contextError is what a cancelled context says: its Err, and its Cause if that is another error.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return cause
	}
	return &causeError{err, cause}
}

type causeError struct{ err, cause error }

func (e *causeError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *causeError) Unwrap() []error { return []error{e.err, e.cause} }

// The errors of outcomes that have nothing to tell but a word are made once.
var (
	fullErrors      = made(8, func(n uint32) error { return &FullError{Limit(n)} })
	cancelledErrors = made(16, func(n uint32) error { return &CancelledError{Reason(n)} })
	haltedErrors    = made(16, func(n uint32) error { return &HaltedError{Reason(n)} })
	mismatchErrors  = made(8, func(n uint32) error { return &MismatchError{State(n)} })
)

type errorTable struct {
	known []error
	make  func(uint32) error
}

func made(count uint32, make func(uint32) error) errorTable {
	table := errorTable{make: make}
	for n := range count {
		table.known = append(table.known, make(n))
	}
	return table
}

func (t *errorTable) of(n uint32) error {
	if int(n) < len(t.known) {
		return t.known[n]
	}
	return t.make(n)
}

// refusal is the error of an outcome that neither executes, waits nor has a response.
func refusal(told *cTold) error {
	switch Kind(told.kind) {
	case Execute, InFlight, Replay:
		return nil
	case Done:
		return ErrDone
	case Mismatch:
		return mismatchErrors.of(uint32(told.state))
	case Cancelled:
		return cancelledErrors.of(uint32(told.reason))
	case Halted:
		return haltedErrors.of(uint32(told.reason))
	case Full:
		return fullErrors.of(uint32(told.limit))
	}
	return ErrClosed
}
