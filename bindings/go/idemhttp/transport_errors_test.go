package idemhttp_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

// planned is a base whose calls end as they are told, by the header "Call".
type planned struct {
	t      testing.TB
	engine *idem.Engine
	client http.RoundTripper
	begun  chan string
	ends   map[string]chan error
}

func newPlanned(t testing.TB, policy idemhttp.Policy, options ...idemhttp.Option) *planned {
	t.Helper()
	p := &planned{t: t, engine: open(t, idem.Config{}), begun: make(chan string, 10)}
	p.ends = map[string]chan error{
		"": make(chan error, 10), "one": make(chan error, 10), "two": make(chan error, 10),
	}
	client, err := idemhttp.NewTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		call := r.Header.Get("Call")
		p.begun <- call
		if err := <-p.ends[call]; err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: 204, Body: http.NoBody, Header: http.Header{}}, nil
	}), p.engine, policy, options...)
	if err != nil {
		t.Fatal(err)
	}
	p.client = client
	return p
}

// get tells what came of a call.
func (p *planned) get(call string) chan error {
	came := make(chan error, 1)
	r, _ := http.NewRequest("GET", "http://example.com/", nil)
	if call != "" {
		r.Header.Set("Call", call)
	}
	go func() {
		response, err := p.client.RoundTrip(r)
		if err == nil && response.StatusCode != 204 {
			err = errors.New(response.Status)
		}
		came <- err
	}()
	return came
}

// clear tells those who wait that their call was given up, by no fault of its own.
func (p *planned) clear() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.engine.CloseWithin(ctx)
}

var errOne = errors.New("one")

func TestAnErrorOfLongAgoIsNobodys(t *testing.T) {
	p := newPlanned(t, idemhttp.Policy{})
	p.ends[""] <- errOne
	if err := <-p.get(""); err != errOne {
		t.Fatal(err)
	}
	<-p.begun
	leader := p.get("")
	<-p.begun
	waiter := p.get("")
	waiting(t, p.engine, 1)
	p.clear()
	for range 2 {
		p.ends[""] <- nil
	}
	if err := <-waiter; err == errOne {
		t.Fatal(err)
	}
	if err := <-leader; err != nil {
		t.Fatal(err)
	}
}

// What FingerprintBy says is not known afterwards: nobody gets the error of who differs by it.
func TestAnErrorOfWhoDiffersIsNobodys(t *testing.T) {
	p := newPlanned(t, idemhttp.Policy{}, idemhttp.FingerprintBy(
		func(r *http.Request, _ []byte) []byte { return []byte(r.Header.Get("Call")) },
	))
	one, two := p.get("one"), p.get("two")
	<-p.begun
	<-p.begun
	waiter := p.get("two")
	waiting(t, p.engine, 1)
	p.ends["one"] <- errOne
	if err := <-one; err != errOne {
		t.Fatal(err)
	}
	p.clear()
	for range 2 {
		p.ends["two"] <- nil
	}
	if err := <-waiter; err == errOne {
		t.Fatal(err)
	}
	if err := <-two; err != nil {
		t.Fatal(err)
	}
}
