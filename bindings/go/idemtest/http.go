package idemtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"libidem.dev/go/idemhttp"
	"libidem.dev/go/idemhttp/gate"
)

// Event is what came of a request that has a key.
type Event struct {
	// What is executed, replayed, refused or interrupted.
	What string
	// Fate is of executed ones, Code of refused ones.
	Fate gate.Fate
	Code string
}

// A Recorder records what comes of requests.
type Recorder struct {
	lock   sync.Mutex
	events []Event
}

// Record is an option of a gate or a middleware: of idemhttp, idemgin, idemecho and idemfiber. R is
// what their requests are: *http.Request, *gin.Context and so on.
func Record[R any](r *Recorder) gate.Option[R] {
	return gate.All(
		gate.OnExecuted(func(_ R, fate gate.Fate) { r.add(Event{What: "executed", Fate: fate}) }),
		gate.OnReplayed(func(R) { r.add(Event{What: "replayed"}) }),
		gate.OnRefused(func(_ R, code string) { r.add(Event{What: "refused", Code: code}) }),
		gate.OnInterrupted(func(R) { r.add(Event{What: "interrupted"}) }),
	)
}

func (r *Recorder) add(event Event) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.events = append(r.events, event)
}

// Events is what was recorded since the last call of it, the oldest first.
func (r *Recorder) Events() []Event {
	r.lock.Lock()
	defer r.lock.Unlock()
	events := r.events
	r.events = nil
	return events
}

// Answered answers a request by a gate with a response of the test's, as if it had been executed
// before: retries get that.
func Answered(
	t testing.TB, g *idemhttp.Gate, method, target, key, body string,
	response func(http.ResponseWriter),
) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	executed := false
	w := httptest.NewRecorder()
	g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		executed = true
		response(w)
	})).ServeHTTP(w, r)
	if !executed {
		text, _ := io.ReadAll(w.Result().Body)
		t.Fatalf("idemtest: the key is not free: %d %s", w.Code, text)
	}
}
