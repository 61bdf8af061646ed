package idem_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

// open is an engine that is closed at the end of the test, which it must leave empty-handed.
func open(t testing.TB, config idem.Config) *idem.Engine {
	t.Helper()
	e, err := idem.Open(config)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if waiters := e.Stats().Waiters; waiters != 0 {
			t.Errorf("%d waiters are left", waiters)
		}
	})
	return e
}

// openManual is one whose time stands still until the clock is moved.
func openManual(t testing.TB, config idem.Config) (*idem.Engine, *idem.Clock) {
	t.Helper()
	clock, err := idem.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clock.Free)
	config.Clock = clock
	return open(t, config), clock
}

// claim is a claim that comes to a kind.
func claim(
	t testing.TB, e *idem.Engine, key idem.Key, kind idem.Kind, options ...idem.Option,
) idem.Outcome {
	t.Helper()
	outcome, err := e.Claim(context.Background(), key, options...)
	if outcome.Kind != kind {
		t.Fatalf("claim: %v (%v), not %v", outcome.Kind, err, kind)
	}
	return outcome
}

// waiting waits until as many wait, or are about to: a claim counts before it is registered, and
// may yet find that its owner has just ended.
func waiting(t testing.TB, e *idem.Engine, count uint64) {
	t.Helper()
	check.Eventually(t, strconv.FormatUint(count, 10)+" waiters", func() bool {
		return e.Stats().Waiters == count
	})
}

// joined waits until as many wait, and their places count at the calls of Do that they wait for.
func joined(t testing.TB, e *idem.Engine, count int) {
	t.Helper()
	check.Eventually(t, strconv.Itoa(count)+" who joined", func() bool {
		return e.Stats().Waiters == uint64(count) && idem.Joined(e) == count
	})
}

// threads is how many the process has.
func threads(t testing.TB) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "Threads:"); ok {
			count, _ := strconv.Atoi(strings.TrimSpace(rest))
			return count
		}
	}
	t.Fatal("no count of threads")
	return 0
}
