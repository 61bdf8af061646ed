package idemhttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/internal/check"
)

// open is an engine that is closed at the end of the test, with no waiter and no goroutine left.
func open(t testing.TB, config idem.Config) *idem.Engine {
	t.Helper()
	check.NoGoroutinesLeft(t)
	e, err := idem.Open(config)
	if err != nil {
		t.Fatal(err)
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

// waiting waits until as many wait.
func waiting(t testing.TB, e *idem.Engine, count uint64) {
	t.Helper()
	check.Eventually(t, "waiters", func() bool { return e.Stats().Waiters == count })
}

// lab is a server with one handler behind a gate, which counts its calls.
type lab struct {
	t      testing.TB
	engine *idem.Engine
	url    string
	client *http.Client
	calls  atomic.Int64
}

func newLab(
	t testing.TB, policy idemhttp.Policy, handle http.HandlerFunc, options ...idemhttp.Option,
) *lab {
	t.Helper()
	l := &lab{t: t, engine: open(t, idem.Config{})}
	gate, err := idemhttp.New(l.engine, policy, append(options, idemhttp.GlobalScope())...)
	if err != nil {
		t.Fatal(err)
	}
	l.serve(gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.calls.Add(1)
		handle(w, r)
	})))
	return l
}

func (l *lab) serve(handler http.Handler) {
	server := httptest.NewServer(handler)
	l.t.Cleanup(server.Close)
	l.url, l.client = server.URL, server.Client()
}

// answer is a response that was read.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    string
	err     error
}

func (a answer) isReplay() bool { return a.header.Get("Idempotent-Replayed") == "true" }

// code is the code of problem details.
func (a answer) code() string {
	_, rest, _ := strings.Cut(a.body, `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

func (l *lab) request(ctx context.Context, method, path, key, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, l.url+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", `"`+key+`"`)
	}
	return r
}

func (l *lab) do(r *http.Request) answer {
	response, err := l.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, response.Trailer, string(body), err}
}

func (l *lab) send(method, path, key, body string) answer {
	return l.do(l.request(context.Background(), method, path, key, body))
}

func (l *lab) post(key, body string) answer { return l.send("POST", "/charge", key, body) }

// executed checks how often the handler was called.
func (l *lab) executed(count int64) {
	l.t.Helper()
	if calls := l.calls.Load(); calls != count {
		l.t.Fatalf("%d executions, not %d", calls, count)
	}
}

var ietf = idemhttp.Policy{Profile: idemhttp.IETF}

// patient is a policy whose duplicates wait.
var patient = idemhttp.Policy{Profile: idemhttp.IETF, Wait: 20 * time.Second}
