package idem

import (
	"iter"
	"sync"
	"time"
)

// A Record is of a key in flight or halted.
type Record struct {
	// Key names the record as long as it is there: for ForceEnd, Resolve and their like.
	Key   Key
	State State
	// Reason and Halt are of StateHalted.
	Reason Reason
	Halt   HaltToken
	// Attempt is how many leases there were, the present one included; 0 of a halted one.
	Attempt uint32
	// Waiters is how many wait for it.
	Waiters int
	// IsDetached: not under its key any more; an owner that finishes for its own waiters.
	IsDetached bool
	Info       Info
	// KeyHash stands for the key, as KeyHash has it.
	KeyHash [16]byte
}

// Records lists what is in flight and what is halted, in no order. It looks through all of the
// table, and takes memory for all that it finds: for operators, not for every request. An error
// ends it.
func (e *Engine) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		listing, err := e.list()
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer crossListFree(listing)
		var records [64]cRecord
		for {
			taken := crossListNext(listing, records[:])
			for i := range taken {
				if !yield(recordOf(&records[i]), nil) {
					return
				}
			}
			if taken < len(records) {
				return
			}
		}
	}
}

func (e *Engine) list() (uint64, error) {
	calls := e.enter()
	if calls == nil {
		return 0, ErrClosed
	}
	defer calls.exit()
	listing, status := crossList(e.c)
	return listing, statusError(status)
}

// A Fingerprint is 128 bits of what a request says. It is good in the engine that made it, or in
// one with the same Secret. The zero one is none.
type Fingerprint struct {
	bits [16]byte
	made bool
}

// FingerprintOf is a fingerprint that was made elsewhere: hard to forge, where callers are not
// trusted.
func FingerprintOf(bits [16]byte) Fingerprint { return Fingerprint{bits, true} }

// Bits are its 128 bits, little endian.
func (f Fingerprint) Bits() [16]byte { return f.bits }

// Fingerprint is the fingerprint of these fields, which are framed: "ab", "c" is not "a", "bc".
func (e *Engine) Fingerprint(fields ...[]byte) (Fingerprint, error) {
	calls := e.enter()
	if calls == nil {
		return Fingerprint{}, ErrClosed
	}
	defer calls.exit()
	made := Fingerprint{made: true}
	lens := make([]uint64, len(fields))
	var joined []byte
	for i, field := range fields {
		lens[i] = uint64(len(field))
		joined = append(joined, field...)
	}
	if status := crossFingerprint(e.c, joined, lens, &made.bits); status != statusOK {
		return Fingerprint{}, statusError(status)
	}
	return made, nil
}

// FingerprintHTTP is the fingerprint of an HTTP request; target is path and query as they were
// sent.
func (e *Engine) FingerprintHTTP(method, target string, body []byte) (Fingerprint, error) {
	calls := e.enter()
	if calls == nil {
		return Fingerprint{}, ErrClosed
	}
	defer calls.exit()
	made := Fingerprint{made: true}
	status := crossFingerprintHTTP(e.c, method, target, body, &made.bits)
	if status != statusOK {
		return Fingerprint{}, statusError(status)
	}
	return made, nil
}

// A Clock stands still until it is moved: for tests, which then need not sleep. Any number of
// engines may have it. Free it when they are open; they go on with it.
type Clock struct {
	lock sync.Mutex
	c    uint64
}

// NewClock makes a manual clock.
func NewClock() (*Clock, error) {
	c, status := crossClockNew()
	if status != statusOK {
		return nil, statusError(status)
	}
	return &Clock{c: c}, nil
}

// Advance moves the clock forward, by whole milliseconds, rounded up. What ends by that ends when
// somebody acts on it: a claim, or Engine.Tick.
func (c *Clock) Advance(time time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.c != 0 {
		crossClockAdvance(c.c, millis(time))
	}
}

// Now is how far the clock was moved since it was made.
func (c *Clock) Now() time.Duration {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.c == 0 {
		return 0
	}
	return time.Duration(crossClockNow(c.c)) * time.Millisecond
}

// Free frees the clock, which does not move any more. Freeing it again does nothing.
func (c *Clock) Free() {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.c != 0 {
		crossClockFree(c.c)
		c.c = 0
	}
}
