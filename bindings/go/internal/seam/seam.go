// Package seam is how the packages for HTTP get at the library, which only package idem links. Idem
// sets New when it is initialized; whoever calls it imports idem, so it is set.
package seam

import "context"

// New makes a gate of an engine (*idem.Engine) and a namespace of it (*idem.Namespace, may be nil).
var New func(engine, namespace any, policy string) (Gate, error)

// Policy reads a policy's text, and returns all of it.
var Policy func(text string) (string, error)

// A Gate is a policy at work. Any goroutine may use it.
type Gate interface {
	// Header is the name of the header that keys are in.
	Header() string
	// Policy is the whole policy, as JSON.
	Policy() string
	// Passes is whether a request with nothing overridden is certain to pass.
	Passes(method, path string, hasHeader bool) bool
	// Admit begins a request. There is none where the decision is Pass, or with an answer that was
	// short; free what there is.
	Admit(head *Head) (Request, Decision, error)
	// Fingerprint is 128 bits, little endian.
	Fingerprint(head *Head, body []byte) ([16]byte, error)
}

// A Request is under way, from its admission until it is answered or ended. Its steps are for one
// goroutine; Renew, SideEffectsBegan and Say for any, also when it is over: then they do nothing.
type Request interface {
	// Claim gives the body, if it counts, and says, if not nil, and claims the key.
	Claim(body, says []byte) (Decision, error)
	// Refuse is for a body that did not come.
	Refuse(fault Fault) (Decision, error)
	// Wait waits as a decision says, and tells what came of it. With ctx's error that is what is to
	// be told where its time is up: the request is over.
	Wait(ctx context.Context, decision Decision) (Decision, error)

	Renew() error
	SideEffectsBegan() error
	Say(fate Fate, ms uint64) error

	// Finish, Lose and Fail end an execution.
	Finish(response *Response) (Finished, error)
	Lose(status int, wasCutOff bool) (Finished, error)
	Fail() error
	// Free ends whatever has not ended. Once more it does nothing.
	Free()
}

// Kind is what becomes of a request. Kinds, faults and fates have the numbers of idem.h.
type Kind uint32

// The kinds of a Decision.
const (
	Pass Kind = 1 + iota
	Keyed
	Wait
	Execute
	Answered
)

// Fault is why a body did not come.
type Fault uint32

// The faults of a body; None: it did come.
const (
	None Fault = iota
	TooSlow
	CutOff
	TooLarge
)

// Fate is what becomes of a response.
type Fate uint32

// The fates of a response.
const (
	Keep Fate = 1 + iota
	KeepFor
	Share
	Release
	Halt
)

// Zero is a duration of none at all, where 0 is what the policy says: IDEM_ZERO.
const Zero = 1<<64 - 2

// Fields are header or trailer fields as they cross: the bytes of all of them, one after the other,
// and the lengths of each name and value.
type Fields struct {
	Bytes []byte
	Lens  []uint32
}

// Add adds a field.
func Add[T string | []byte](f *Fields, name string, value T) {
	f.Bytes = append(append(f.Bytes, name...), value...)
	f.Lens = append(f.Lens, uint32(len(name)), uint32(len(value)))
}

// Count is how many fields there are.
func (f *Fields) Count() int { return len(f.Lens) / 2 }

// Reset empties it, and keeps its memory.
func (f *Fields) Reset() { f.Bytes, f.Lens = f.Bytes[:0], f.Lens[:0] }

// A Head is the head of a request, and how it differs from its policy.
type Head struct {
	Method, Authority, Path, Query string
	HasQuery                       bool
	Fields                         Fields

	Scope    string
	IsGlobal bool
	// Empty: as the policy has it.
	Key string
	// Milliseconds; 0: as the policy has it; Zero.
	Retention, Wait uint64
	IsOff           bool
}

// A Field is a header or trailer field.
type Field struct{ Name, Value string }

// A Response is one that a handler gave. Its body is borrowed.
type Response struct {
	Status            int
	Headers, Trailers Fields
	Body              []byte
}

// A Decision is what becomes of a request. Kind says which of the others count.
type Decision struct {
	Kind      Kind
	NeedsBody bool
	// Room is how many bytes of body may come.
	Room uint64
	// Time is in milliseconds what Kind says, MaxRun how long a lease is kept alive.
	Time, MaxRun uint64
	// ResponseMax is the most bytes of a response that are kept.
	ResponseMax uint64
	Answer      *Answer
	// Waiter is the library's; Wait has it.
	Waiter uint64
}

// An Answer is sent as it is.
type Answer struct {
	Status            int
	Headers, Trailers []Field
	Body              []byte
	// Refusal is why it is refused; empty: it is the first one's.
	Refusal string
}

// Finished is what became of a response.
type Finished struct {
	Fate      Fate
	IsSettled bool
	// Headers are to be added to the response that is sent.
	Headers []Field
}
