package idem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

func TestWaitHandsOverInOrder(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	key := idem.Global("k")
	owner := claim(t, e, key, idem.Execute)
	first := claim(t, e, key, idem.InFlight, idem.WithNoExecute()).Waiter
	second := claim(t, e, key, idem.InFlight).Waiter
	third := claim(t, e, key, idem.InFlight).Waiter
	if err := owner.Lease.Cancel(); err != nil {
		t.Fatal(err)
	}
	next, err := second.Wait(background)
	if err != nil || next.Kind != idem.Execute || next.Origin != idem.OriginAfterCancel ||
		next.Attempt != 2 {
		t.Fatalf("second: %+v, %v", next, err)
	}
	if err := next.Lease.Cancel(idem.WithOnEnd(idem.FailWaiters), idem.WithReason(4)); err != nil {
		t.Fatal(err)
	}
	for i, waiter := range []*idem.Waiter{first, third} {
		var cancelled *idem.CancelledError
		_, err := waiter.Wait(background)
		if !errors.As(err, &cancelled) || cancelled.Reason != idem.ReasonOf(4) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := second.Wait(background); !errors.Is(err, idem.ErrInvalid) {
		t.Errorf("waited twice: %v", err)
	}
}

// Nobody calls: the helper thread ends the lease, and the poller alone can bring the end.
func TestWaitEndsWithoutACall(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	key := idem.Global("k")
	claim(t, e, key, idem.Execute, idem.WithLease(20*time.Millisecond))
	ctx, cancel := context.WithTimeout(background, 20*time.Second)
	defer cancel()
	next, err := claim(t, e, key, idem.InFlight).Waiter.Wait(ctx)
	if err != nil || next.Kind != idem.Execute || next.Origin != idem.OriginAfterExpiry {
		t.Errorf("%v, %v", next.Kind, err)
	}
}

func TestWaitGivesThePlaceBack(t *testing.T) {
	e := open(t, idem.Config{})
	key := idem.Global("k")
	owner := claim(t, e, key, idem.Execute)
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := claim(t, e, key, idem.InFlight).Waiter.Wait(ctx); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	claim(t, e, key, idem.InFlight).Waiter.Leave()
	waiting(t, e, 0)
	// One that is lost gives it back when it is collected, and a lease that was on its way passes
	// on.
	claim(t, e, key, idem.InFlight)
	last := claim(t, e, key, idem.InFlight).Waiter
	if err := owner.Lease.Cancel(); err != nil {
		t.Fatal(err)
	}
	came := make(chan idem.Outcome, 1)
	go func() {
		outcome, _ := last.Wait(background)
		came <- outcome
	}()
	check.Eventually(t, "the lease passes on", func() bool {
		runtime.GC()
		return len(came) == 1
	})
	if got := <-came; got.Kind != idem.Execute {
		t.Errorf("the last: %v", got.Kind)
	}
}

// Waiters leave at the moment that they are handed the lease: it is never lost.
func TestWaitHandOverRacesWithLeaving(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{Lease: time.Hour, AcceptTimeout: time.Hour})
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for round := range rounds {
		key := idem.Raw([16]byte{byte(round), byte(round >> 8)})
		owner := claim(t, e, key, idem.Execute)
		const leavers = 3
		var gone sync.WaitGroup
		ctx, cancel := context.WithCancel(background)
		for range leavers {
			waiter := claim(t, e, key, idem.InFlight).Waiter
			gone.Add(1)
			go func() {
				defer gone.Done()
				outcome, err := waiter.Wait(ctx)
				if err == nil {
					err = outcome.Lease.Cancel()
				}
				if err != nil && err != context.Canceled {
					t.Errorf("leaver: %v", err)
				}
			}()
		}
		last := claim(t, e, key, idem.InFlight).Waiter
		go cancel()
		if err := owner.Lease.Cancel(); err != nil {
			t.Fatal(err)
		}
		limit, stop := context.WithTimeout(background, 20*time.Second)
		outcome, err := last.Wait(limit)
		stop()
		if err != nil || outcome.Kind != idem.Execute {
			t.Fatalf("round %d: the lease is lost: %v, %v", round, outcome.Kind, err)
		}
		if _, err := outcome.Lease.Complete(nil); err != nil {
			t.Fatal(err)
		}
		gone.Wait()
	}
	waiting(t, e, 0)
	if expiries := e.Stats().LeaseExpiries; expiries != 0 {
		t.Errorf("%d leases ran out", expiries)
	}
}

// In a process of its own: threads of other tests would count, and Go keeps what it has made.
func TestWaitersCostNoThreads(t *testing.T) {
	const alone = "IDEM_TEST_ALONE"
	if os.Getenv(alone) == "" {
		again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v",
			fmt.Sprintf("-test.short=%v", testing.Short()))
		again.Env = append(os.Environ(), alone+"=1")
		said, err := again.CombinedOutput()
		t.Logf("%s", said)
		if err != nil {
			t.Error(err)
		}
		return
	}
	goroutines, keys := 100_000, 1000
	if testing.Short() || check.RaceEnabled {
		// The race detector has no more than some 8000.
		goroutines, keys = 5000, 50
	}
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{Waiters: goroutines, WaitersPerKey: goroutines})
	response := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 8) }
	key := func(i int) idem.Key { return idem.Raw([16]byte{byte(i), byte(i >> 8), 7}) }
	leases := make([]idem.Lease, keys)
	for i := range leases {
		leases[i] = claim(t, e, key(i), idem.Execute, idem.WithLease(time.Hour)).Lease
	}
	var served sync.WaitGroup
	var wrong atomic.Int64
	for i := range goroutines {
		served.Add(1)
		go func() {
			defer served.Done()
			got, err := idem.Do(background, e, key(i%keys), never)
			if err != nil || !bytes.Equal(got, response(i%keys)) {
				wrong.Add(1)
			}
		}()
	}
	waiting(t, e, uint64(goroutines))
	most := threads(t)
	began := time.Now()
	for i := range leases {
		if _, err := leases[i].Complete(response(i)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			most = max(most, threads(t))
		}
	}
	served.Wait()
	took := time.Since(began)
	most = max(most, threads(t))
	limit := runtime.GOMAXPROCS(0) + 10
	t.Logf("%d goroutines waited for %d keys on at most %d threads (limit %d); served in %v",
		goroutines, keys, most, limit, took)
	if wrong.Load() != 0 {
		t.Errorf("%d got something else", wrong.Load())
	}
	if most > limit {
		t.Errorf("%d threads, more than %d", most, limit)
	}
}

func TestClaimsAllocateNothing(t *testing.T) {
	e := open(t, idem.Config{})
	n := 0
	fresh := func() {
		n++
		key := idem.Raw([16]byte{byte(n), byte(n >> 8), byte(n >> 16), 1})
		outcome, err := e.Claim(background, key, idem.WithLease(time.Hour), idem.WithOwner(5))
		if err != nil || outcome.Kind != idem.Execute {
			t.Fatalf("%v, %v", outcome.Kind, err)
		}
		if _, err := outcome.Lease.Complete(nil, idem.WithRetention(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	replay := func() {
		if outcome, err := e.Claim(background, idem.Scoped("s", "k")); err != nil ||
			outcome.Kind == idem.Execute {
			t.Fatalf("%v, %v", outcome.Kind, err)
		}
	}
	stored := []byte("stored")
	run := func(context.Context) ([]byte, error) { return stored, nil }
	doFresh := func() {
		n++
		key := idem.Raw([16]byte{byte(n), byte(n >> 8), byte(n >> 16), 1})
		if _, err := idem.Do(background, e, key, run); err != nil {
			t.Fatal(err)
		}
	}
	first := claim(t, e, idem.Scoped("s", "k"), idem.Execute)
	if _, err := first.Lease.Complete(stored); err != nil {
		t.Fatal(err)
	}
	if check.RaceEnabled {
		t.Skip("the race detector drops what is pooled")
	}
	for name, step := range map[string]struct {
		call func()
		want float64
	}{"fresh": {fresh, 0}, "replay": {replay, 1}, "Do": {doFresh, 0}} {
		if got := testing.AllocsPerRun(2000, step.call); got > step.want {
			t.Errorf("%s: %v allocations, not %v", name, got, step.want)
		}
	}
}
