package idem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

// The model: what each key must come to, in a map. Time stands still but for one operation, whose
// steps never meet a deadline to the millisecond.
const (
	modelStep      = 700 * time.Millisecond
	modelLease     = 10 * time.Second
	modelRetention = 60 * time.Second
	modelHalted    = 100 * time.Second
	modelKeys      = 5
	modelWaiters   = 4
)

type modelRecord struct {
	state    idem.State
	ends     time.Duration
	response string
	lease    idem.Lease
	attempt  uint32
	waiters  []*idem.Waiter
	print    byte
}

type model struct {
	t      *testing.T
	e      *idem.Engine
	clock  *idem.Clock
	now    time.Duration
	keys   [modelKeys]*modelRecord
	stale  []idem.Lease
	serial int
}

func key(n int) idem.Key { return idem.Scoped("model", fmt.Sprint("key-", n)) }

func (m *model) wait(waiter *idem.Waiter) (idem.Outcome, error) {
	ctx, cancel := context.WithTimeout(background, 10*time.Second)
	defer cancel()
	return waiter.Wait(ctx)
}

// settle is the record that has not ended of its own; nil if it has.
func (m *model) settle(n int) *modelRecord {
	record := m.keys[n]
	if record != nil && record.state != idem.StateInFlight && record.ends < m.now {
		m.keys[n], record = nil, nil
	}
	return record
}

// handOver gives the lease to the first waiter; false if there is none.
func (m *model) handOver(n int, origin idem.Origin) bool {
	record := m.keys[n]
	m.stale = append(m.stale, record.lease)
	if len(record.waiters) == 0 {
		return false
	}
	next, err := m.wait(record.waiters[0])
	if err != nil || next.Kind != idem.Execute || next.Origin != origin ||
		next.Attempt != record.attempt+1 {
		m.t.Fatalf("key %d handed over: %+v, %v", n, next, err)
	}
	record.waiters = record.waiters[1:]
	record.lease, record.ends, record.attempt = next.Lease, m.now+modelLease, next.Attempt
	return true
}

// release has all waiters end alike.
func (m *model) release(n int, right func(idem.Outcome, error) bool) {
	for _, waiter := range m.keys[n].waiters {
		if outcome, err := m.wait(waiter); !right(outcome, err) {
			m.t.Fatalf("key %d: a waiter got %+v, %v", n, outcome, err)
		}
	}
	m.keys[n].waiters = nil
}

func (m *model) claim(n int, print byte) {
	record := m.settle(n)
	var options []idem.Option
	if print != 0 {
		options = append(options, idem.WithFingerprint(idem.FingerprintOf([16]byte{print})))
	}
	if record != nil && len(record.waiters) == modelWaiters && record.ends > m.now {
		options = append(options, idem.WithNoWait())
	}
	got, err := m.e.Claim(background, key(n), options...)
	want := func(is bool, what string) {
		m.t.Helper()
		if !is {
			m.t.Fatalf("key %d: not %s but %+v, %v", n, what, got, err)
		}
	}
	isOverdue := record != nil && record.state == idem.StateInFlight && record.ends < m.now
	switch {
	case record == nil || isOverdue && got.Origin == idem.OriginFresh:
		want(got.Kind == idem.Execute && got.Origin == idem.OriginFresh && got.Attempt == 1,
			"fresh")
		if record != nil {
			m.stale = append(m.stale, record.lease)
		}
		m.keys[n] = &modelRecord{state: idem.StateInFlight, ends: m.now + modelLease,
			lease: got.Lease, attempt: 1, print: print}
	case print != 0 && record.print != 0 && print != record.print:
		want(errors.Is(err, idem.ErrMismatch) && got.State == record.state, "a mismatch")
	case record.state == idem.StateCompleted:
		want(got.Kind == idem.Replay && string(got.Response) == record.response, "a replay")
	case record.state == idem.StateHalted:
		want(errors.Is(err, idem.ErrHalted), "halted")
	case record.ends > m.now:
		want(got.Kind == idem.InFlight, "in flight")
		if got.Waiter != nil {
			record.waiters = append(record.waiters, got.Waiter)
		}
	default:
		m.stale = append(m.stale, record.lease)
		want(got.Kind == idem.Execute && got.Origin == idem.OriginAfterExpiry &&
			got.Attempt == record.attempt+1, "after expiry")
		record.lease, record.ends, record.attempt = got.Lease, m.now+modelLease, got.Attempt
		if record.print == 0 {
			// Where the record that was taken over had none, the claim's is bound.
			record.print = print
		}
	}
}

func isCancelled(_ idem.Outcome, err error) bool { return errors.Is(err, idem.ErrCancelled) }

func (m *model) end(n int, how byte) {
	record := m.keys[n]
	if record == nil || record.state != idem.StateInFlight {
		return
	}
	must := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatalf("key %d, end %d: %v", n, how, err)
		}
	}
	switch how {
	case 0:
		m.serial++
		record.response = fmt.Sprint("response ", m.serial)
		_, err := record.lease.Complete([]byte(record.response))
		must(err)
		m.release(n, func(o idem.Outcome, err error) bool {
			return o.Kind == idem.Replay && string(o.Response) == record.response
		})
		m.stale = append(m.stale, record.lease)
		record.state, record.ends = idem.StateCompleted, m.now+modelRetention
	case 1:
		must(record.lease.Cancel())
		if !m.handOver(n, idem.OriginAfterCancel) {
			m.keys[n] = nil
		}
	case 2:
		must(record.lease.Halt())
		m.release(n, func(_ idem.Outcome, err error) bool { return errors.Is(err, idem.ErrHalted) })
		m.stale = append(m.stale, record.lease)
		record.state, record.ends = idem.StateHalted, m.now+modelHalted
	case 3:
		_, err := record.lease.Fail([]byte("broken"))
		must(err)
		m.release(n, func(o idem.Outcome, err error) bool { return o.IsError })
		m.stale = append(m.stale, record.lease)
		m.keys[n] = nil
	case 4:
		must(record.lease.Renew(modelLease))
		record.ends = m.now + modelLease
	case 5:
		must(record.lease.Cancel(idem.WithOnEnd(idem.FailWaiters)))
		m.release(n, isCancelled)
		m.stale = append(m.stale, record.lease)
		m.keys[n] = nil
	}
}

func (m *model) forget(n int, isForced bool) {
	record := m.settle(n)
	forget, want := m.e.Forget, idem.Removed
	if isForced {
		forget = m.e.ForgetForced
	}
	switch {
	case record == nil:
		want = idem.RemovalVacant
	case record.state == idem.StateInFlight && !isForced:
		want = idem.RemovalInFlight
	case record.state == idem.StateHalted && !isForced:
		want = idem.RemovalHalted
	}
	if got, err := forget(key(n)); got != want || err != nil {
		m.t.Fatalf("key %d forgotten (%v): %v, %v, not %v", n, isForced, got, err, want)
	}
	if want == idem.Removed {
		m.release(n, isCancelled)
		if record.state == idem.StateInFlight {
			m.stale = append(m.stale, record.lease)
		}
		m.keys[n] = nil
	}
}

func (m *model) leave(n int, which byte) {
	if record := m.keys[n]; record != nil && len(record.waiters) > 0 {
		at := int(which) % len(record.waiters)
		record.waiters[at].Leave()
		record.waiters = append(record.waiters[:at:at], record.waiters[at+1:]...)
	}
}

func (m *model) peek(n int) {
	record, want := m.settle(n), idem.StateVacant
	if record != nil {
		want = record.state
		if want == idem.StateInFlight && record.ends < m.now {
			// Whether it still counts as in flight is nobody's concern until somebody acts.
			return
		}
	}
	if got, err := m.e.Peek(key(n)); got.State != want || err != nil {
		m.t.Fatalf("key %d: peek %v, %v, not %v", n, got.State, err, want)
	}
}

// pass lets time pass. Leases that ran out while somebody waits end at once: the poller would
// notice it as well, some time. Others end when a claim or a tick comes by.
func (m *model) pass(steps byte) {
	m.clock.Advance(time.Duration(steps) * modelStep)
	m.now += time.Duration(steps) * modelStep
	awaited := false
	for _, record := range m.keys {
		awaited = awaited || record != nil && len(record.waiters) > 0 && record.ends < m.now
	}
	if !awaited && steps%2 == 0 {
		return
	}
	for more := true; more; {
		var err error
		if more, err = m.e.Tick(); err != nil {
			m.t.Fatal(err)
		}
	}
	for n, record := range m.keys {
		if record == nil || record.state != idem.StateInFlight || record.ends > m.now {
			continue
		}
		if m.handOver(n, idem.OriginAfterExpiry) {
			continue
		}
		// Nobody waited: the record is gone, or is when the next tick comes by.
		if peeked, _ := m.e.Peek(key(n)); peeked.State == idem.StateVacant {
			m.keys[n] = nil
		} else {
			m.stale = m.stale[:len(m.stale)-1]
		}
	}
}

func (m *model) step(op, argument byte) {
	n := int(op>>4) % modelKeys
	switch op & 15 {
	case 0, 1, 2, 3:
		m.claim(n, argument%3)
	case 4, 5, 6, 7, 8, 9:
		m.end(n, op&15-4)
	case 10:
		m.forget(n, argument&1 == 1)
	case 11:
		m.leave(n, argument)
	case 12:
		m.pass(argument % 20)
	case 13:
		m.peek(n)
	default:
		if len(m.stale) > 0 {
			lease := m.stale[int(argument)%len(m.stale)]
			if _, err := lease.Complete([]byte("stale")); !errors.Is(err, idem.ErrStale) {
				m.t.Fatalf("an old lease: %v", err)
			}
		}
	}
}

func runModel(t *testing.T, operations []byte) {
	clock, err := idem.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	defer clock.Free()
	e, err := idem.Open(idem.Config{Clock: clock, Records: 100, Bytes: 1 << 16, Lease: modelLease,
		Retention: modelRetention, HaltedRetention: modelHalted, WaitersPerKey: modelWaiters,
		AcceptTimeout: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, e: e, clock: clock}
	for i := 0; i+1 < len(operations) && i < 400; i += 2 {
		m.step(operations[i], operations[i+1])
	}
	waiters := 0
	for n := range m.keys {
		if m.keys[n] != nil {
			waiters += len(m.keys[n].waiters)
		}
	}
	// A place that is given back while the poller looks at it is free when that is done.
	waiting(t, e, uint64(waiters))
	for n := range m.keys {
		m.forget(n, true)
	}
	waiting(t, e, 0)
	if stats := e.Stats(); stats.Records != 0 {
		t.Errorf("%d records are left", stats.Records)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzOperations(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 1, 4, 0, 3, 2})
	f.Add([]byte{0, 1, 0, 1, 0, 1, 5, 0, 5, 0, 5, 0, 14, 0, 14, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 12, 19, 0, 0, 13, 0, 11, 1, 6, 0, 10, 0, 10, 1})
	f.Fuzz(runModel)
}

// A few thousand operations chosen by chance, the same ones each time.
func TestOperationsByChance(t *testing.T) {
	check.NoGoroutinesLeft(t)
	state := uint64(1)
	for range 150 {
		operations := make([]byte, 400)
		for i := range operations {
			state = state*6364136223846793005 + 1442695040888963407
			operations[i] = byte(state >> 56)
		}
		runModel(t, operations)
	}
}
