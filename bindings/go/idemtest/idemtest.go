// Package idemtest is for tests of code that uses an engine: a clock that the test moves, keys in
// any state that is wanted, and a record of what was asked.
//
//	harness := idemtest.New(t)
//	harness.Completed(idem.Global("order-17"), []byte("charged"))
//	... the code under test, with harness.Engine ...
//	if asked := harness.Asked(); asked.Replays != 1 { ... }
package idemtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
)

// A Harness is an engine of few records on a manual clock, without a helper thread. What Go times,
// as the Wait of a policy and the renewals of a handler at work, goes by the system's clock.
//
// Its methods end the test where they cannot do what they are asked for.
type Harness struct {
	Engine *idem.Engine
	Clock  *idem.Clock

	t    testing.TB
	most int64
	lock sync.Mutex
	last idem.Stats
}

// New is an engine of 1024 records and a mebibyte, everything else at its default. It is closed
// with the test, and must have no waiters then.
func New(t testing.TB) *Harness {
	t.Helper()
	return With(t, idem.Config{Records: 1024, Bytes: 1 << 20, Waiters: 1024})
}

// With is one of a config of the test's, but for the clock.
func With(t testing.TB, config idem.Config) *Harness {
	t.Helper()
	clock, err := idem.NewClock()
	if err != nil {
		t.Fatalf("idemtest: %v", err)
	}
	t.Cleanup(clock.Free)
	config.Clock = clock
	engine, err := idem.Open(config)
	if err != nil {
		t.Fatalf("idemtest: %v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		if err := engine.Close(); err != nil {
			t.Errorf("idemtest: %v", err)
		}
		if waiters := engine.Stats().Waiters; waiters != 0 {
			t.Errorf("idemtest: %d waiters are left", waiters)
		}
	})
	most := max(config.MaxResponse, 0)
	if config.MaxResponse == 0 {
		most = 1 << 20
	}
	return &Harness{Engine: engine, Clock: clock, t: t, most: most}
}

// Pass lets time pass, and does all that is due then.
func (h *Harness) Pass(time time.Duration) {
	h.t.Helper()
	h.Clock.Advance(time)
	for {
		more, err := h.Engine.Tick()
		if err != nil {
			h.t.Fatalf("idemtest: %v", err)
		}
		if !more {
			return
		}
	}
}

// InFlight gives a key an owner that is at work: the lease is the test's.
func (h *Harness) InFlight(key idem.Key, options ...idem.Option) idem.Lease {
	h.t.Helper()
	outcome, err := h.Engine.Claim(context.Background(), key, options...)
	if err == nil && outcome.Kind != idem.Execute {
		err = fmt.Errorf("%v", outcome.Kind)
		outcome.Waiter.Leave()
	}
	if err != nil {
		h.t.Fatalf("idemtest: the key is not free: %v", err)
	}
	return outcome.Lease
}

// Completed gives a key a response, kept for the retention. With a fingerprint in the options,
// claims with another one are mismatches.
func (h *Harness) Completed(key idem.Key, response []byte, options ...idem.Option) {
	h.t.Helper()
	_, err := h.InFlight(key, options...).Complete(response)
	h.settled(err)
}

// Done makes a key done without its bytes: claims get idem.ErrDone.
func (h *Harness) Done(key idem.Key) {
	h.t.Helper()
	// Longer than any response may be.
	completion, err := h.InFlight(key).Complete(make([]byte, h.most+1))
	if err == nil && completion != idem.TooLarge {
		err = fmt.Errorf("it was %v", completion)
	}
	h.settled(err)
}

// Halted makes a key halted, for the halted retention: claims get idem.ErrHalted.
func (h *Harness) Halted(key idem.Key, options ...idem.Option) {
	h.t.Helper()
	h.settled(h.InFlight(key, options...).Halt())
}

// Full takes all room that there is, until the leases are ended: claims of new keys get
// idem.ErrFull.
func (h *Harness) Full() []idem.Lease {
	h.t.Helper()
	var leases []idem.Lease
	for n := 0; ; n++ {
		key := idem.Global(fmt.Sprintf("idemtest: one of all %d", n))
		outcome, _ := h.Engine.Claim(context.Background(), key, idem.WithNoWait())
		switch outcome.Kind {
		case idem.Execute:
			leases = append(leases, outcome.Lease)
		case idem.Full:
			return leases
		}
	}
}

func (h *Harness) settled(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("idemtest: %v", err)
	}
}

// Waiting waits until as many wait in the engine, which others bring about.
func (h *Harness) Waiting(count int) {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		waiters := h.Engine.Stats().Waiters
		if waiters == uint64(count) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("idemtest: %d wait after 20 s, not %d", waiters, count)
		}
	}
}

var fresh atomic.Uint64

// FreshKey is a key that no other call of this process gives, as it is written in a header: in
// quotes.
func FreshKey() string {
	return fmt.Sprintf(`"test-%d-%d"`, os.Getpid(), fresh.Add(1))
}
