package idemhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

// outside is a server that clients share calls to.
type outside struct {
	t      testing.TB
	engine *idem.Engine
	url    string
	client *http.Client
	calls  atomic.Int64
	begun  chan bool
	end    chan bool
}

func newOutside(
	t testing.TB, policy idemhttp.Policy, handle http.HandlerFunc, options ...idemhttp.Option,
) *outside {
	t.Helper()
	o := &outside{t: t, engine: open(t, idem.Config{}), begun: make(chan bool, 100),
		end: make(chan bool)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.calls.Add(1)
		o.begun <- true
		select {
		case <-o.end:
		case <-r.Context().Done():
			return
		}
		handle(w, r)
	}))
	base := &http.Transport{}
	t.Cleanup(func() { base.CloseIdleConnections(); server.Close() })
	transport, err := idemhttp.NewTransport(base, o.engine, policy, options...)
	if err != nil {
		t.Fatal(err)
	}
	o.url, o.client = server.URL, &http.Client{Transport: transport}
	return o
}

func (o *outside) get(ctx context.Context, path string, header ...string) answer {
	r, err := http.NewRequestWithContext(ctx, "GET", o.url+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := o.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.Request != r {
		o.t.Error("the response is of another request")
	}
	return answer{response.StatusCode, response.Header, response.Trailer, string(body), err}
}

// many are as many of the same at once: the first has begun, and the others wait.
func (o *outside) many(count int) []answer {
	answers := make(chan answer)
	go func() { answers <- o.get(context.Background(), "/a?x") }()
	<-o.begun
	for range count - 1 {
		go func() { answers <- o.get(context.Background(), "/a?x") }()
	}
	waiting(o.t, o.engine, uint64(count-1))
	close(o.end)
	var all []answer
	for range count {
		all = append(all, <-answers)
	}
	return all
}

func (o *outside) called(count int64) {
	o.t.Helper()
	if calls := o.calls.Load(); calls != count {
		o.t.Fatalf("%d calls, not %d", calls, count)
	}
}

func TestIdenticalCallsAreOne(t *testing.T) {
	o := newOutside(t, idemhttp.Policy{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Repeated", "one")
		w.Header().Add("X-Repeated", "two")
		io.WriteString(w, r.URL.RawQuery)
	})
	for _, got := range o.many(20) {
		if got.status != 200 || got.body != "x" || len(got.header["X-Repeated"]) != 2 {
			t.Fatalf("%+v", got)
		}
	}
	o.called(1)
	// Nothing is kept.
	o.get(context.Background(), "/a?x")
	o.called(2)
}

func TestWhatIsDifferentGoesOut(t *testing.T) {
	o := newOutside(t, idemhttp.Policy{}, func(w http.ResponseWriter, r *http.Request) {})
	answers := make(chan answer)
	for _, header := range [][]string{
		{"Authorization", "one"}, {"Authorization", "two"}, {"Accept", "text/html"}, {},
	} {
		go func() { answers <- o.get(context.Background(), "/a", header...) }()
		<-o.begun
	}
	go func() { answers <- o.get(context.Background(), "/b") }()
	<-o.begun
	close(o.end)
	for range 5 {
		if got := <-answers; got.status != 200 {
			t.Fatalf("%+v", got)
		}
	}
	o.called(5)
}

// The comment of Transport names them.
func TestHeadersThatCount(t *testing.T) {
	headers := func(policy idemhttp.Policy) string {
		text, err := policy.Whole()
		if err != nil {
			t.Fatal(err)
		}
		var whole struct{ Says struct{ Headers []string } }
		if err := json.Unmarshal([]byte(text), &whole); err != nil {
			t.Fatal(err)
		}
		return strings.Join(whole.Says.Headers, " ")
	}
	if all := headers(idemhttp.Policy{Profile: idemhttp.Coalesce}); all != "accept accept-charset "+
		"accept-encoding accept-language authorization cookie if-match if-modified-since "+
		"if-none-match if-range if-unmodified-since origin range" {
		t.Fatal(all)
	}
	own := idemhttp.Policy{Text: `{"profile": "coalesce", "says": {"headers": ["x-api-key"]}}`}
	if all := headers(own); all != "x-api-key" {
		t.Fatal(all)
	}
	o := newOutside(t, own, func(w http.ResponseWriter, r *http.Request) {})
	answers := make(chan answer)
	for _, key := range []string{"one", "two"} {
		go func() { answers <- o.get(context.Background(), "/", "X-Api-Key", key) }()
		<-o.begun
	}
	close(o.end)
	for range 2 {
		if got := <-answers; got.status != 200 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestErrorsAreShared(t *testing.T) {
	engine := open(t, idem.Config{})
	planned := errors.New("planned")
	var calls atomic.Int64
	end := make(chan bool)
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		calls.Add(1)
		<-end
		return nil, planned
	})
	transport, err := idemhttp.NewTransport(base, engine, idemhttp.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for range 10 {
		go func() {
			r, _ := http.NewRequest("GET", "http://example.com/", nil)
			_, err := transport.RoundTrip(r)
			errs <- err
		}()
	}
	waiting(t, engine, 9)
	close(end)
	for range 10 {
		if err := <-errs; err != planned {
			t.Fatal(err)
		}
	}
	if calls.Load() != 1 {
		t.Fatal(calls.Load())
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestACallerThatLeavesTakesNobodyAlong(t *testing.T) {
	o := newOutside(t, idemhttp.Policy{}, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "there")
	})
	ctx, leave := context.WithCancel(context.Background())
	owner, waiter, other := make(chan answer), make(chan answer), make(chan answer)
	go func() { owner <- o.get(ctx, "/") }()
	<-o.begun
	go func() { waiter <- o.get(ctx, "/") }()
	go func() { other <- o.get(context.Background(), "/") }()
	waiting(t, o.engine, 2)
	leave()
	for _, left := range []chan answer{owner, waiter} {
		if got := <-left; !errors.Is(got.err, context.Canceled) {
			t.Fatalf("%+v", got)
		}
	}
	close(o.end)
	if got := <-other; got.body != "there" {
		t.Fatalf("%+v", got)
	}
	o.called(1)
}

func TestWhatIsTooLongIsEachOnesOwn(t *testing.T) {
	long := strings.Repeat("long", 1000)
	for name, handle := range map[string]http.HandlerFunc{
		"by its length": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, long) },
		"in the end": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, long)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutside(t, idemhttp.Policy{ResponseMax: 1000}, handle)
			for _, got := range o.many(3) {
				if got.body != long || got.err != nil {
					t.Fatalf("%d %d %v", got.status, len(got.body), got.err)
				}
			}
			o.called(3)
		})
	}
}

func TestStreamsComeAsTheyAreSent(t *testing.T) {
	for _, mediaType := range []string{
		"text/event-stream; charset=utf-8", "application/x-ndjson", "application/json-seq",
		"Multipart/X-Mixed-Replace;boundary=b", "application/grpc", "application/grpc-web+proto",
	} {
		t.Run(mediaType, func(t *testing.T) { comesAsItIsSent(t, mediaType) })
	}
}

func comesAsItIsSent(t *testing.T, mediaType string) {
	more := make(chan bool)
	o := newOutside(t, idemhttp.Policy{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		select {
		case <-more:
		case <-time.After(2 * time.Second):
			// It is held back.
		}
		io.WriteString(w, "two")
	})
	close(o.end)
	response, err := o.client.Get(o.url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	event := make([]byte, 3)
	if _, err := io.ReadFull(response.Body, event); err != nil || string(event) != "one" {
		t.Fatal(string(event), err)
	}
	select {
	case more <- true:
	case <-time.After(time.Second):
		t.Fatal("it came when all of it had")
	}
	if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "two" {
		t.Fatal(string(rest), err)
	}
}

func TestABodyThatBreaksOffIsNotShared(t *testing.T) {
	o := newOutside(t, idemhttp.Policy{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
	})
	for _, got := range o.many(3) {
		if got.body != "half" || got.err == nil {
			t.Fatalf("%+v", got)
		}
	}
	o.called(3)
}

func TestWhoWaitsInVainIsTold(t *testing.T) {
	policy := idemhttp.Policy{Wait: 20 * time.Millisecond}
	o := newOutside(t, policy, func(w http.ResponseWriter, r *http.Request) {})
	first := make(chan answer)
	go func() { first <- o.get(context.Background(), "/") }()
	<-o.begun
	if got := o.get(context.Background(), "/"); got.status != 504 || got.code() != "outstanding" {
		t.Fatalf("%+v", got)
	}
	close(o.end)
	<-first
}

func TestAPolicyWithKeys(t *testing.T) {
	o := newOutside(t, patient, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}, idemhttp.GlobalScope())
	close(o.end)
	for range 3 {
		r, _ := http.NewRequest("POST", o.url, strings.NewReader("amount=1"))
		r.Header.Set("Idempotency-Key", `"k"`)
		response, err := o.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(body) != "amount=1" {
			t.Fatal(string(body))
		}
	}
	o.called(1)
}

func TestAPanicIsItsOwnCallers(t *testing.T) {
	engine := open(t, idem.Config{})
	calls := 0
	transport, err := idemhttp.NewTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		if calls++; calls == 1 {
			panic("planned")
		}
		return &http.Response{StatusCode: 204, Body: http.NoBody, Header: http.Header{}}, nil
	}), engine, idemhttp.Policy{Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "http://example.com/", nil)
	func() {
		defer func() {
			if value := recover(); value != "planned" {
				t.Fatal(value)
			}
		}()
		_, _ = transport.RoundTrip(r)
	}()
	// Its key is free.
	if response, err := transport.RoundTrip(r); err != nil || response.StatusCode != 204 {
		t.Fatal(response, err)
	}
}
