package idem_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	idem "libidem.dev/go"
)

var background = context.Background()

func TestClaimCompleteReplay(t *testing.T) {
	e := open(t, idem.Config{})
	key := idem.Scoped("tenant-7", "order-17")
	owner := claim(t, e, key, idem.Execute, idem.WithOwner(7))
	if owner.Origin != idem.OriginFresh || owner.Attempt != 1 {
		t.Errorf("origin %v, attempt %d", owner.Origin, owner.Attempt)
	}
	seen := claim(t, e, key, idem.InFlight, idem.WithNoWait())
	if seen.Info.Owner != 7 || seen.Waiter != nil || seen.Info.Left <= 0 {
		t.Errorf("in flight: %+v", seen)
	}
	if completion, err := owner.Lease.Complete([]byte("charged")); err != nil ||
		completion != idem.Stored {
		t.Fatalf("complete: %v, %v", completion, err)
	}
	if got := claim(t, e, key, idem.Replay); string(got.Response) != "charged" || got.IsError {
		t.Errorf("replay: %q", got.Response)
	}
	if _, err := owner.Lease.Complete(nil); !errors.Is(err, idem.ErrStale) {
		t.Errorf("a second completion: %v", err)
	}
	// Other scopes, other namespaces and no scope are other keys.
	ns, err := e.Namespace("other", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []idem.Key{
		idem.Scoped("tenant-8", "order-17"), idem.Global("order-17"), key.In(ns),
		idem.Raw([16]byte{1}),
	} {
		claim(t, e, other, idem.Execute)
	}
}

func TestResponsesOfEveryLength(t *testing.T) {
	e := open(t, idem.Config{})
	for _, length := range []int{0, 1, 63, 511, 512, 513, 4096, 16384, 16385, 300_000} {
		key := idem.Raw([16]byte{byte(length), byte(length >> 8), byte(length >> 16)})
		response := bytes.Repeat([]byte{byte(length + 1)}, length)
		owner := claim(t, e, key, idem.Execute)
		var ends []chan idem.Outcome
		for range 3 {
			waiter := claim(t, e, key, idem.InFlight).Waiter
			end := make(chan idem.Outcome, 1)
			go func() {
				outcome, _ := waiter.Wait(background)
				end <- outcome
			}()
			ends = append(ends, end)
		}
		if _, err := owner.Lease.Complete(response); err != nil {
			t.Fatal(err)
		}
		if got := claim(t, e, key, idem.Replay); !bytes.Equal(got.Response, response) {
			t.Errorf("replay of %d bytes: %d", length, len(got.Response))
		}
		for _, end := range ends {
			if got := <-end; got.Kind != idem.Replay || !bytes.Equal(got.Response, response) {
				t.Errorf("wait for %d bytes: %v, %d", length, got.Kind, len(got.Response))
			}
		}
		_, copied, err := e.PeekResponse(key)
		if err != nil || !bytes.Equal(copied, response) {
			t.Errorf("peek of %d bytes: %d, %v", length, len(copied), err)
		}
	}
}

func TestOutcomesAreErrors(t *testing.T) {
	e := open(t, idem.Config{Records: 64, MaxResponse: 100, WaitersPerKey: 1,
		OnAbandon: idem.FailWaiters})
	expect := func(key idem.Key, want error, options ...idem.Option) idem.Outcome {
		t.Helper()
		outcome, err := e.Claim(background, key, options...)
		if !errors.Is(err, want) {
			t.Errorf("%v is not %v", err, want)
		}
		if !errors.Is(outcome.Err(), want) && want != idem.ErrInvalid {
			t.Errorf("Err() %v is not %v", outcome.Err(), want)
		}
		return outcome
	}

	done := idem.Global("done")
	completion, err := claim(t, e, done, idem.Execute).Lease.Complete(make([]byte, 101))
	if err != nil || completion != idem.TooLarge {
		t.Errorf("too large: %v, %v", completion, err)
	}
	expect(done, idem.ErrDone)

	one, two := idem.FingerprintOf([16]byte{1}), idem.FingerprintOf([16]byte{2})
	bound := idem.Global("bound")
	claim(t, e, bound, idem.Execute, idem.WithFingerprint(one))
	expect(bound, idem.ErrMismatch, idem.WithFingerprint(two))
	var mismatch *idem.MismatchError
	_, err = e.Claim(background, bound, idem.WithFingerprint(two))
	if !errors.As(err, &mismatch) || mismatch.State != idem.StateInFlight {
		t.Errorf("mismatch: %v", err)
	}
	claim(t, e, bound, idem.InFlight, idem.WithFingerprint(one), idem.WithNoWait())

	halted := idem.Global("halted")
	if err := claim(t, e, halted, idem.Execute).Lease.Halt(idem.WithReason(9)); err != nil {
		t.Fatal(err)
	}
	var halt *idem.HaltedError
	if _, err := e.Claim(background, halted); !errors.As(err, &halt) ||
		halt.Reason != idem.ReasonOf(9) || !errors.Is(err, idem.ErrHalted) {
		t.Errorf("halted: %v", err)
	}

	// A place for one waiter, and it is taken.
	crowded := idem.Global("crowded")
	owner := claim(t, e, crowded, idem.Execute)
	waiter := claim(t, e, crowded, idem.InFlight).Waiter
	var full *idem.FullError
	if _, err := e.Claim(background, crowded); !errors.As(err, &full) ||
		full.Limit != idem.LimitWaiters || !errors.Is(err, idem.ErrFull) {
		t.Errorf("full: %v", err)
	}
	if err := owner.Lease.Abandon(); err != nil {
		t.Fatal(err)
	}
	var cancelled *idem.CancelledError
	if _, err := waiter.Wait(background); !errors.As(err, &cancelled) ||
		cancelled.Reason != idem.ReasonDropped || !errors.Is(err, idem.ErrCancelled) {
		t.Errorf("cancelled: %v", err)
	}

	for i := range 64 {
		_, err = e.Claim(background, idem.Raw([16]byte{byte(i), 1}))
	}
	if !errors.As(err, &full) || full.Limit != idem.LimitRecords {
		t.Errorf("full of records: %v", err)
	}
}

func TestBadInputIsAnError(t *testing.T) {
	e := open(t, idem.Config{})
	other := open(t, idem.Config{})
	ns, err := other.Namespace("there", nil)
	if err != nil {
		t.Fatal(err)
	}
	long := string(make([]byte, 65537))
	for name, key := range map[string]idem.Key{
		"zero": {}, "empty": idem.Global(""), "empty scope": idem.Scoped("", "k"),
		"long": idem.Global(long), "long scope": idem.Scoped(long, "k"),
		"no fingerprint":    idem.FingerprintKey("", idem.Fingerprint{}),
		"another engine's":  idem.Global("k").In(ns),
		"an empty handle's": idem.Global("k").In(&idem.Namespace{}),
	} {
		if _, err := e.Claim(background, key); !errors.Is(err, idem.ErrInvalid) {
			t.Errorf("%s: claim: %v", name, err)
		}
		if _, err := e.Peek(key); !errors.Is(err, idem.ErrInvalid) {
			t.Errorf("%s: peek: %v", name, err)
		}
		requests, outcomes := []idem.Request{{Key: key}}, make([]idem.Outcome, 1)
		if err := e.ClaimBatch(background, requests, outcomes); !errors.Is(err, idem.ErrInvalid) {
			t.Errorf("%s: batch: %v", name, err)
		}
		run := func(context.Context) ([]byte, error) { return nil, nil }
		if _, err := idem.Do(background, e, key, run); !errors.Is(err, idem.ErrInvalid) {
			t.Errorf("%s: do: %v", name, err)
		}
	}
	for name, option := range map[string]idem.Option{
		"empty": {}, "lease": idem.WithLease(0), "negative": idem.WithRetention(-2),
		"long": idem.WithLease(math.MaxInt64), "label": idem.WithOwner(1 << 63),
		"misplaced": idem.WithFinish(), "policy": idem.WithOnExpiry(9),
		"none": idem.WithFingerprint(idem.Fingerprint{}),
	} {
		_, err := e.Claim(background, idem.Global("k"), option)
		if !errors.Is(err, idem.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, config := range map[string]idem.Config{
		"records": {Records: -2}, "bytes": {Bytes: 1}, "lease": {Lease: -time.Hour},
		"secret": {Secret: []byte("short")}, "value": {OnAbandon: 7}, "run": {MaxRun: -5},
		"clock": {Clock: &idem.Clock{}}, "waiters": {Waiters: 1 << 40},
	} {
		_, err := idem.Open(config)
		says := err != nil && strings.Contains(strings.ToLower(err.Error()), name)
		if !errors.Is(err, idem.ErrInvalid) || !says {
			t.Errorf("%s: %v", name, err)
		}
	}
	var nobody *idem.Engine
	if _, err := nobody.Claim(background, idem.Global("k")); !errors.Is(err, idem.ErrClosed) {
		t.Errorf("a nil engine: %v", err)
	}
	if _, err := new(idem.Engine).Peek(idem.Global("k")); !errors.Is(err, idem.ErrClosed) {
		t.Errorf("an empty engine: %v", err)
	}
	if err := (idem.Lease{}).Cancel(); !errors.Is(err, idem.ErrStale) {
		t.Errorf("an empty lease: %v", err)
	}
	if _, err := (*idem.Waiter)(nil).Wait(background); !errors.Is(err, idem.ErrInvalid) {
		t.Errorf("a nil waiter: %v", err)
	}
	if records := e.Stats().Records; records != 0 {
		t.Errorf("%d records by calls that were wrong", records)
	}
}

func TestLease(t *testing.T) {
	e, clock := openManual(t, idem.Config{})
	key := idem.Global("k")
	lease := claim(t, e, key, idem.Execute, idem.WithLease(10*time.Second)).Lease
	if err := lease.Renew(time.Minute); err != nil {
		t.Fatal(err)
	}
	clock.Advance(30 * time.Second)
	info, err := lease.Info()
	hash, _ := e.KeyHash(key)
	if err != nil || info.Left < 29*time.Second || info.Left > 31*time.Second ||
		info.KeyHash != hash {
		t.Errorf("info: %+v, %v", info, err)
	}
	clock.Advance(31 * time.Second)
	next := claim(t, e, key, idem.Execute)
	if next.Origin != idem.OriginAfterExpiry || next.Attempt != 2 {
		t.Errorf("after expiry: %v, %d", next.Origin, next.Attempt)
	}
	for name, err := range map[string]error{
		"renew": lease.Renew(time.Second), "cancel": lease.Cancel(), "abandon": lease.Abandon(),
		"halt": lease.Halt(),
	} {
		if !errors.Is(err, idem.ErrStale) {
			t.Errorf("%s of a lease that was taken over: %v", name, err)
		}
	}
	if _, err := next.Lease.Fail([]byte("broken"), idem.WithRetention(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, e, key, idem.Replay); !got.IsError || string(got.Response) != "broken" {
		t.Errorf("a kept error: %+v", got)
	}
	clock.Advance(2 * time.Minute)
	// Only for those who wait: nothing is kept.
	short := claim(t, e, key, idem.Execute)
	if _, err := short.Lease.Complete([]byte("x"), idem.WithRetention(0)); err != nil {
		t.Fatal(err)
	}
	short = claim(t, e, key, idem.Execute, idem.WithRetention(idem.None))
	if _, err := short.Lease.Complete([]byte("x")); err != nil {
		t.Fatal(err)
	}
	claim(t, e, key, idem.Execute)
}

func TestBatches(t *testing.T) {
	e := open(t, idem.Config{})
	requests := make([]idem.Request, 50)
	for i := range requests {
		key := idem.Scoped("batch", string(rune('A'+i/2)))
		requests[i] = idem.Request{Key: key, Owner: uint64(i)}
	}
	outcomes := make([]idem.Outcome, len(requests))
	if err := e.ClaimBatch(background, requests, outcomes); err != nil {
		t.Fatal(err)
	}
	var endings []idem.Ending
	for i, outcome := range outcomes {
		want := idem.Execute
		if i%2 == 1 {
			want = idem.InFlight
		}
		if outcome.Kind != want || outcome.Waiter != nil {
			t.Fatalf("%d: %v", i, outcome.Kind)
		}
		if outcome.Kind == idem.InFlight && outcome.Info.Owner != uint64(i-1) {
			t.Errorf("%d: the owner is %d", i, outcome.Info.Owner)
		}
		if outcome.Kind == idem.Execute {
			endings = append(endings, idem.Ending{Lease: outcome.Lease,
				Response: bytes.Repeat([]byte{byte(i)}, i*40)})
		}
	}
	waiter := claim(t, e, requests[0].Key, idem.InFlight).Waiter
	endings = append(endings, idem.Ending{}, endings[3])
	if err := e.CompleteBatch(endings); err != nil {
		t.Fatal(err)
	}
	for i, ending := range endings {
		if i < 25 && (ending.Err != nil || ending.Completion != idem.Stored) {
			t.Errorf("%d: %v, %v", i, ending.Completion, ending.Err)
		}
		if i >= 25 && ending.Err == nil {
			t.Errorf("%d: no lease, and no error", i)
		}
	}
	if got, err := waiter.Wait(background); err != nil || len(got.Response) != 0 {
		t.Errorf("a waiter of a batch: %v, %v", got.Kind, err)
	}
	if err := e.ClaimBatch(background, requests, outcomes); err != nil {
		t.Fatal(err)
	}
	for i, outcome := range outcomes {
		even := i &^ 1
		if outcome.Kind != idem.Replay ||
			!bytes.Equal(outcome.Response, bytes.Repeat([]byte{byte(even)}, even*40)) {
			t.Errorf("%d: %v, %d bytes", i, outcome.Kind, len(outcome.Response))
		}
	}
}

func TestOperating(t *testing.T) {
	e, clock := openManual(t, idem.Config{})
	ns, err := e.Namespace("jobs", &idem.NamespaceConfig{Records: 3, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Namespace("jobs", &idem.NamespaceConfig{Records: 4}); !errors.Is(err,
		idem.ErrInvalid) {
		t.Errorf("other limits: %v", err)
	}
	a, b := idem.Global("a").In(ns), idem.Global("b").In(ns)
	lease := claim(t, e, a, idem.Execute, idem.WithOwner(5)).Lease
	if err := claim(t, e, b, idem.Execute).Lease.Halt(); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Second)
	listed := map[idem.State]idem.Record{}
	for record, err := range e.Records() {
		if err != nil {
			t.Fatal(err)
		}
		listed[record.State] = record
	}
	hash, _ := e.KeyHash(a)
	flying, halted := listed[idem.StateInFlight], listed[idem.StateHalted]
	if len(listed) != 2 || flying.KeyHash != hash || flying.Info.Owner != 5 ||
		flying.Info.Age != 2*time.Second {
		t.Errorf("listed: %+v", listed)
	}
	peeked, err := e.Peek(b)
	if err != nil || peeked.State != idem.StateHalted || peeked.Halt != halted.Halt {
		t.Errorf("peek: %+v, %v", peeked, err)
	}
	if _, err := e.Resolve(halted.Key, halted.Halt, idem.ResolveKeep()); err != nil {
		t.Errorf("keep: %v", err)
	}
	_, err = e.Resolve(b, halted.Halt+1, idem.ResolveRelease())
	if !errors.Is(err, idem.ErrStale) {
		t.Errorf("another halt: %v", err)
	}
	peeked, _ = e.Peek(b)
	completion, err := e.Resolve(b, peeked.Halt, idem.ResolveComplete([]byte("was done")))
	if err != nil || completion != idem.Stored {
		t.Errorf("resolve: %v, %v", completion, err)
	}
	if got := claim(t, e, b, idem.Replay); string(got.Response) != "was done" {
		t.Errorf("resolved: %q", got.Response)
	}

	if was, err := e.ForceEnd(flying.Key, idem.WithOnEnd(idem.FailWaiters)); !was || err != nil {
		t.Errorf("force: %v, %v", was, err)
	}
	if err := lease.Cancel(); !errors.Is(err, idem.ErrStale) {
		t.Errorf("after force: %v", err)
	}
	lease = claim(t, e, a, idem.Execute).Lease
	if was, err := e.Detach(a); !was || err != nil {
		t.Errorf("detach: %v, %v", was, err)
	}
	claim(t, e, a, idem.Execute)
	if completion, err := lease.Complete(nil); completion != idem.Detached || err != nil {
		t.Errorf("detached: %v, %v", completion, err)
	}
	for _, step := range []struct {
		forget func(idem.Key) (idem.Removal, error)
		key    idem.Key
		want   idem.Removal
	}{
		{e.Forget, a, idem.RemovalInFlight}, {e.ForgetForced, a, idem.Removed},
		{e.Forget, a, idem.RemovalVacant}, {e.Forget, b, idem.Removed},
	} {
		if got, err := step.forget(step.key); got != step.want || err != nil {
			t.Errorf("forget: %v, %v, not %v", got, err, step.want)
		}
	}

	for i, want := range []bool{true, false} {
		if first, err := e.Once(b, idem.WithRetention(time.Hour)); first != want || err != nil {
			t.Errorf("once, %d: %v, %v", i, first, err)
		}
	}
	if err := ns.Clear(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		claim(t, e, idem.Raw([16]byte{byte(i)}).In(ns), idem.Execute)
	}
	_, err = e.Claim(background, idem.Global("d").In(ns))
	var full *idem.FullError
	if !errors.As(err, &full) || full.Limit != idem.LimitNamespace {
		t.Errorf("a full namespace: %v", err)
	}
	claim(t, e, idem.Global("c"), idem.Execute)
	if err := e.Clear(); err != nil {
		t.Fatal(err)
	}
	claim(t, e, idem.Global("c"), idem.Execute)
}

func TestFingerprints(t *testing.T) {
	secret := []byte("0123456789abcdef")
	e, same := open(t, idem.Config{Secret: secret}), open(t, idem.Config{Secret: secret})
	other := open(t, idem.Config{})
	made := map[idem.Fingerprint]string{}
	for _, fields := range [][]string{{}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}} {
		var raw [][]byte
		for _, field := range fields {
			raw = append(raw, []byte(field))
		}
		fingerprint, err := e.Fingerprint(raw...)
		if err != nil {
			t.Fatal(err)
		}
		made[fingerprint] = ""
		if again, _ := same.Fingerprint(raw...); again != fingerprint {
			t.Errorf("%q: another one with the same secret", fields)
		}
		if elsewhere, _ := other.Fingerprint(raw...); elsewhere == fingerprint {
			t.Errorf("%q: the same one with another secret", fields)
		}
	}
	if len(made) != 5 {
		t.Errorf("%d fingerprints of 5", len(made))
	}
	post, err := e.FingerprintHTTP("POST", "/charge?x=1", []byte("body"))
	put, _ := e.FingerprintHTTP("PUT", "/charge?x=1", []byte("body"))
	if err != nil || put == post {
		t.Errorf("http: %v", err)
	}
	key := idem.FingerprintKey("", post)
	claim(t, e, key, idem.Execute)
	claim(t, e, key, idem.InFlight, idem.WithNoWait())
	claim(t, e, idem.FingerprintKey("me", post), idem.Execute)
}
