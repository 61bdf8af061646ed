package idemhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/internal/check"
)

func TestARetryGetsTheFirstAnswer(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength != int64(len(body)) {
			t.Errorf("%q, %v, a length of %d", body, err, r.ContentLength)
		}
		w.Header().Add("X-Repeated", "one")
		w.Header().Add("X-Repeated", "two")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s at %s", body, time.Now())
	})
	first := l.post("k", "amount=1")
	if first.status != 201 || first.isReplay() || first.header.Get("Set-Cookie") != "a=b" {
		t.Fatalf("%+v", first)
	}
	for range 2 {
		again := l.post("k", "amount=1")
		if again.status != 201 || !again.isReplay() || again.body != first.body {
			t.Fatalf("%+v", again)
		}
		if got := strings.Join(again.header["X-Repeated"], " "); got != "one two" {
			t.Fatal(got)
		}
		if again.header.Get("Set-Cookie") != "" {
			t.Fatal("a cookie is replayed")
		}
		if again.header.Get("Content-Type") != first.header.Get("Content-Type") {
			t.Fatal(again.header.Get("Content-Type"))
		}
	}
	l.executed(1)
	for _, other := range []answer{
		l.post("k", "amount=2"), l.send("POST", "/other", "k", "amount=1"),
		l.send("POST", "/charge?a", "k", "amount=1"),
	} {
		if other.status != 422 || other.code() != "key-reused" {
			t.Fatalf("%+v", other)
		}
	}
	if missing := l.post("", "x"); missing.status != 400 || missing.code() != "key-missing" {
		t.Fatalf("%+v", missing)
	}
	l.executed(1)
}

func TestDuplicatesInFlight(t *testing.T) {
	for _, test := range []struct {
		name           string
		policy         idemhttp.Policy
		status, others int
	}{
		{"are refused", ietf, 409, 0},
		{"wait", patient, 200, 8},
		{"wait for a time", idemhttp.Policy{Profile: "ietf", Wait: 30 * time.Millisecond}, 409, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			begun, end := make(chan bool, 1), make(chan bool)
			l := newLab(t, test.policy, func(w http.ResponseWriter, r *http.Request) {
				begun <- true
				<-end
				io.WriteString(w, "done")
			})
			first := make(chan answer)
			go func() { first <- l.post("k", "x") }()
			<-begun
			others := make(chan answer)
			for range 8 {
				go func() { others <- l.post("k", "x") }()
			}
			if test.others > 0 {
				waiting(t, l.engine, uint64(test.others))
				close(end)
			}
			for range 8 {
				if got := <-others; got.status != test.status {
					t.Errorf("%+v", got)
				}
			}
			if test.others == 0 {
				// They have given their places back.
				waiting(t, l.engine, 0)
				close(end)
			}
			if got := <-first; got.status != 200 || got.body != "done" {
				t.Errorf("%+v", got)
			}
			l.executed(1)
		})
	}
}

func TestAClientThatGoesAwayLosesNothing(t *testing.T) {
	begun, end := make(chan bool, 1), make(chan bool)
	l := newLab(t, patient, func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-end
		if r.Context().Err() != nil {
			t.Error("its context was cancelled")
		}
		io.WriteString(w, "done")
	})
	ctx, leave := context.WithCancel(context.Background())
	gone := make(chan answer)
	go func() { gone <- l.do(l.request(ctx, "POST", "/", "k", "x")) }()
	<-begun
	// Another one leaves while it waits.
	go func() { gone <- l.do(l.request(ctx, "POST", "/", "k", "x")) }()
	waiting(t, l.engine, 1)
	leave()
	for range 2 {
		if got := <-gone; got.err == nil {
			t.Fatalf("%+v", got)
		}
	}
	waiting(t, l.engine, 0)
	close(end)
	check.Eventually(t, "the answer is stored", func() bool {
		return l.engine.Stats().Completes == 1
	})
	if again := l.send("POST", "/", "k", "x"); !again.isReplay() || again.body != "done" {
		t.Fatalf("%+v", again)
	}
	l.executed(1)
}

func TestPanics(t *testing.T) {
	for _, test := range []struct {
		name  string
		panic any
		begin bool
		code  string
		calls int64
	}{
		{"before its effects it runs again", errors.New("planned"), false, "", 2},
		{"of the handler's own to stop it", http.ErrAbortHandler, false, "", 2},
		{"after its effects it is halted", http.ErrAbortHandler, true, "unknown-outcome", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var raised sync.Map
			isFirst, interrupted := true, 0
			e := open(t, idem.Config{})
			l := &lab{t: t, engine: e}
			gate, err := idemhttp.New(e, ietf, idemhttp.GlobalScope(),
				idemhttp.OnInterrupted(func(*http.Request) { interrupted++ }))
			if err != nil {
				t.Fatal(err)
			}
			handler := gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				l.calls.Add(1)
				io.WriteString(w, "half")
				if !isFirst {
					return
				}
				isFirst = false
				if test.begin {
					idemhttp.FromContext(r.Context()).SideEffectsBegan()
				}
				panic(test.panic)
			}))
			l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					if value := recover(); value != nil {
						raised.Store("value", value)
						panic(http.ErrAbortHandler)
					}
				}()
				handler.ServeHTTP(w, r)
			}))
			if got := l.post("k", "x"); got.err == nil {
				t.Fatalf("%+v", got)
			}
			if value, _ := raised.Load("value"); value != test.panic {
				t.Fatalf("raised again: %v", value)
			}
			if got := l.post("k", "x"); got.code() != test.code {
				t.Fatalf("%+v", got)
			}
			l.executed(test.calls)
			if interrupted != 1 {
				t.Fatalf("told %d times", interrupted)
			}
		})
	}
}

func TestWhatAHandlerSays(t *testing.T) {
	for _, test := range []struct {
		name   string
		say    func(*idemhttp.Control) error
		status int
		calls  int64
		code   string
	}{
		{"nothing, of a success", nil, 200, 1, ""},
		{"nothing, of a failure", nil, 500, 2, ""},
		{"keep", (*idemhttp.Control).Keep, 500, 1, ""},
		{"share", (*idemhttp.Control).Share, 200, 2, ""},
		{"release", (*idemhttp.Control).Release, 200, 2, ""},
		{"halt", (*idemhttp.Control).Halt, 200, 1, "unknown-outcome"},
		{"began", (*idemhttp.Control).SideEffectsBegan, 500, 1, "unknown-outcome"},
		{"keep for", func(c *idemhttp.Control) error { return c.KeepFor(time.Hour) }, 500, 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var control *idemhttp.Control
			l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
				control = idemhttp.FromContext(r.Context())
				if test.say != nil {
					if err := test.say(control); err != nil {
						t.Error(err)
					}
				}
				w.WriteHeader(test.status)
			})
			first := l.post("k", "x")
			again := l.post("k", "x")
			if first.status != test.status || again.code() != test.code {
				t.Fatalf("%+v, %+v", first, again)
			}
			l.executed(test.calls)
			// It is over: too late.
			if err := control.Keep(); !errors.Is(err, idem.ErrStale) {
				t.Fatal(err)
			}
			if err := control.Renew(); !errors.Is(err, idem.ErrStale) {
				t.Fatal(err)
			}
		})
	}
}

func TestASlowHandlerKeepsItsLease(t *testing.T) {
	policy := ietf
	policy.Lease, policy.MaxRun = 60*time.Millisecond, 5*time.Second
	l := newLab(t, policy, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(400 * time.Millisecond)
	})
	first := make(chan answer)
	go func() { first <- l.post("k", "x") }()
	check.Eventually(t, "renewals", func() bool { return l.engine.Stats().Renews >= 4 })
	if got := l.post("k", "x"); got.status != 409 {
		t.Fatalf("%+v", got)
	}
	if got := <-first; got.status != 200 {
		t.Fatalf("%+v", got)
	}
	if got := l.post("k", "x"); !got.isReplay() {
		t.Fatalf("%+v", got)
	}
	l.executed(1)
}

func TestALeaseThatIsLostIsTold(t *testing.T) {
	policy := ietf
	policy.Lease, policy.MaxRun = 30*time.Millisecond, 40*time.Millisecond
	l := newLab(t, policy, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-idemhttp.FromContext(r.Context()).Lost():
		case <-time.After(10 * time.Second):
			t.Error("not told")
		}
	})
	l.post("k", "x")
}

func TestBodiesThatDoNotCome(t *testing.T) {
	policy := ietf
	policy.BodyMax, policy.BodyTimeout = 10, 100*time.Millisecond
	l := newLab(t, policy, func(w http.ResponseWriter, r *http.Request) {})
	if got := l.post("k", "12345678901"); got.status != 413 {
		t.Fatalf("%+v", got)
	}
	raw := func(text string) string {
		connection, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		io.WriteString(connection, "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: \"k\"\r\n"+text)
		line, _ := bufio.NewReader(connection).ReadString('\n')
		return line
	}
	if got := raw("Content-Length: 9\r\n\r\nhalf"); !strings.Contains(got, " 408 ") {
		t.Fatal(got)
	}
	const chunked = "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"
	if got := raw(chunked); !strings.Contains(got, " 400 ") {
		t.Fatal(got)
	}
	l.executed(0)
	// Where the connection has no deadline it is read aside.
	reader, writer := io.Pipe()
	defer writer.Close()
	engine := open(t, idem.Config{})
	gate, err := idemhttp.New(engine, policy, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", reader)
	r.Header.Set("Idempotency-Key", `"k"`)
	w := httptest.NewRecorder()
	gate.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 408 {
		t.Fatal(w.Code)
	}
}

func TestALayerWithinALayer(t *testing.T) {
	engine := open(t, idem.Config{})
	l := &lab{t: t, engine: engine}
	gate, err := idemhttp.New(engine, ietf, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	l.serve(gate.Handler(gate.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { l.calls.Add(1) }))))
	if got := l.post("k", "x"); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	l.executed(1)
}

func TestOptions(t *testing.T) {
	engine := open(t, idem.Config{})
	ns, err := engine.Namespace("payments", nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	tell := func(format string, args ...any) {
		events = append(events, fmt.Sprintf(format, args...))
	}
	policy := idemhttp.Policy{Text: `{"profile": "ietf"}`, Replay: idemhttp.On}
	gate, err := idemhttp.New(engine, policy,
		idemhttp.InNamespace(ns),
		idemhttp.ScopeBy(func(r *http.Request) string { return r.Header.Get("X-Account") }),
		idemhttp.KeyBy(func(r *http.Request) string { return r.Header.Get("X-Key") }),
		idemhttp.FingerprintBy(func(r *http.Request, body []byte) []byte {
			return []byte(r.Header.Get("X-Version"))
		}),
		idemhttp.RedactBy(func(s *idemhttp.Stored) { copy(s.Body, "redacted") }),
		idemhttp.RenderBy(func(r *http.Request, why idemhttp.Refusal) (string, []byte) {
			return "text/plain", []byte(why.Code)
		}),
		idemhttp.OnExecuted(func(_ *http.Request, f idemhttp.Fate) { tell("executed %d", f) }),
		idemhttp.OnReplayed(func(r *http.Request) { tell("replayed") }),
		idemhttp.OnRefused(func(r *http.Request, code string) { tell("refused %s", code) }),
	)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, engine: engine}
	l.serve(gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.calls.Add(1)
		io.WriteString(w, "a secret in a body")
	})))
	send := func(fields ...string) answer {
		r := l.request(context.Background(), "POST", "/", "", "x")
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		return l.do(r)
	}
	if got := send("X-Account", "a", "X-Key", "1"); got.body != "a secret in a body" {
		t.Fatalf("%+v", got)
	}
	if got := send("X-Account", "a", "X-Key", "1"); got.body != "redacted in a body" {
		t.Fatalf("%+v", got)
	}
	if got := send("X-Account", "b", "X-Key", "1"); got.isReplay() {
		t.Fatalf("%+v", got)
	}
	if got := send("X-Account", "a", "X-Key", "1", "X-Version", "2"); got.body != "key-reused" ||
		got.header.Get("Content-Type") != "text/plain" {
		t.Fatalf("%+v", got)
	}
	// Nobody's keys are nobody's.
	if got := send("X-Key", "1"); got.status != 400 {
		t.Fatalf("%+v", got)
	}
	l.executed(2)
	want := "executed 1, replayed, executed 1, refused key-reused, refused key-malformed"
	if got := strings.Join(events, ", "); got != want {
		t.Fatal(got)
	}
}

func TestOverrides(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {})
	engine := l.engine
	gate, err := idemhttp.New(engine, ietf, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	overrides := idemhttp.Overrides{}
	inner := gate.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { l.calls.Add(1) }))
	l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(idemhttp.WithOverrides(r.Context(), overrides)))
	}))
	for i, test := range []struct {
		overrides idemhttp.Overrides
		replayed  bool
	}{
		{idemhttp.Overrides{Key: "one"}, true},
		{idemhttp.Overrides{Key: "one", Scope: "somebody"}, true},
		{idemhttp.Overrides{Key: "two", Retention: idem.None}, false},
		{idemhttp.Overrides{Off: true}, false},
		{idemhttp.Overrides{Key: "one", Scope: "another"}, true},
	} {
		overrides = test.overrides
		if first := l.send("POST", "/", "", "x"); first.isReplay() {
			t.Fatalf("%d: %+v", i, first)
		}
		got := l.send("POST", "/", "", "x")
		if got.status != 200 || got.isReplay() != test.replayed {
			t.Fatalf("%d: %+v", i, got)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	engine := open(t, idem.Config{})
	only := []idemhttp.Option{idemhttp.GlobalScope()}
	for _, test := range []struct {
		name    string
		policy  idemhttp.Policy
		options []idemhttp.Option
		says    string
	}{
		{"no scope", ietf, nil, "ScopeBy"},
		{"no profile", idemhttp.Policy{}, only, "profile"},
		{"an unknown profile", idemhttp.Policy{Profile: "mine"}, only, "profile"},
		{"no JSON", idemhttp.Policy{Text: "{"}, only, "text"},
		{"an unknown field", idemhttp.Policy{Text: `{"profile":"ietf","x":1}`},
			only, "x"},
		{"less than no time", idemhttp.Policy{Profile: "ietf", Lease: -5}, only,
			"lease_ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := idemhttp.New(engine, test.policy, test.options...)
			if !errors.Is(err, idem.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
				t.Fatal(err)
			}
		})
	}
}

func TestAClosedEngine(t *testing.T) {
	engine := open(t, idem.Config{})
	l := &lab{t: t, engine: engine}
	gate, err := idemhttp.New(engine, ietf, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan bool), make(chan bool)
	l.serve(gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
		io.WriteString(w, "done")
	})))
	first := make(chan answer)
	go func() { first <- l.post("k", "x") }()
	<-begun
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	if got := l.post("j", "x"); got.status != 503 || got.code() != "closing" {
		t.Fatalf("%+v", got)
	}
	// Who is at work outlives it, and its client has the answer.
	close(end)
	if got := <-first; got.body != "done" {
		t.Fatalf("%+v", got)
	}
}
