package idemhttp_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/internal/check"
)

// Whatever becomes of requests, the library's side of them goes back.
func TestRequestsLeaveNoMemory(t *testing.T) {
	if testing.Short() || check.RaceEnabled {
		t.Skip("it sends many requests, and counts what the race detector has as well")
	}
	check.NoGoroutinesLeft(t)
	cycle := func() {
		e, err := idem.Open(idem.Config{})
		if err != nil {
			t.Fatal(err)
		}
		sendAll(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Allocators keep what is in pieces: it is some cycles until they have enough of them.
	for range 5 {
		cycle()
	}
	debug.FreeOSMemory()
	before := check.Resident(t)
	const cycles = 10
	for range cycles {
		cycle()
	}
	debug.FreeOSMemory()
	after := check.Resident(t)
	t.Logf("%d MB resident, %d MB before %d engines of %d requests",
		after, before, cycles, 8*requestsOfAKind)
	if after > before+16 {
		t.Error("requests that are over hold memory")
	}
}

const requestsOfAKind = 2000

func sendAll(t *testing.T, e *idem.Engine) {
	t.Helper()
	policy := idemhttp.Policy{Profile: idemhttp.IETF, Lenient: idemhttp.On, BodyMax: 4096,
		ResponseMax: 1 << 14}
	gate, err := idemhttp.New(e, policy, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<11)
	handler := gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-How") {
		case "panic":
			panic(http.ErrAbortHandler)
		case "long":
			w.Write(long)
		case "kept":
			w.Write(long[:1<<13])
		}
	}))
	send := func(key, how, body string) int {
		defer func() { _ = recover() }()
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("X-How", how)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	for i := range requestsOfAKind {
		key := strconv.Itoa(i)
		send(key, "kept", "a")                                       // executed
		send(key, "kept", "a")                                       // replayed, in two crossings
		send(key, "", "b")                                           // another request
		send(key+"l", "long", "a")                                   // done, and not kept
		send(key+"p", "panic", "a")                                  // interrupted
		send(key+"s", "", strings.Repeat("x", 5000))                 // too long
		send(strings.Repeat("k", 300), "", "a")                      // no key
		if got := send(key+"e", "", ""); got != 200 && !t.Failed() { // empty
			t.Errorf("status %d", got)
		}
	}
	leave(t, gate, 200)
}

// leave has clients wait, and go away.
func leave(t *testing.T, gate *idemhttp.Gate, count int) {
	t.Helper()
	begun, end := make(chan bool), make(chan bool)
	handler := gate.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- true
		<-end
	}))
	serve := func(ctx context.Context, done chan<- bool) {
		ctx = idemhttp.WithOverrides(ctx, idemhttp.Overrides{Key: "held", Wait: 1 << 40})
		r := httptest.NewRequest("POST", "/", nil).WithContext(ctx)
		handler.ServeHTTP(httptest.NewRecorder(), r)
		done <- true
	}
	done := make(chan bool)
	go serve(context.Background(), done)
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	for range count {
		go serve(ctx, done)
	}
	cancel()
	for range count {
		<-done
	}
	end <- true
	<-done
}
