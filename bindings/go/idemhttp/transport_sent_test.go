package idemhttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

// echo is a base that answers with the request's body.
var echo = roundTrip(func(r *http.Request) (*http.Response, error) {
	response := &http.Response{
		StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r,
	}
	if r.Body != nil {
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return response, nil
})

func post(t testing.TB, transport http.RoundTripper, body io.Reader) (int, string, error) {
	t.Helper()
	r, err := http.NewRequest("POST", "http://example.com/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", `"k"`)
	response, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(got), nil
}

var posts = idemhttp.Policy{Methods: []string{"GET", "POST"}, BodyMax: 1000}

func newEcho(t testing.TB, engine *idem.Engine, policy idemhttp.Policy) http.RoundTripper {
	t.Helper()
	transport, err := idemhttp.NewTransport(echo, engine, policy)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

func TestWithoutAnEngineAllIsSent(t *testing.T) {
	engine := open(t, idem.Config{})
	transport, keyed := newEcho(t, engine, posts), newEcho(t, engine, ietf)
	engine.Close()
	if status, body, err := post(t, transport, strings.NewReader("x")); body != "x" || err != nil {
		t.Fatal(status, body, err)
	}
	// What keys are for is not left out.
	if status, body, err := post(t, keyed, strings.NewReader("x")); status != 503 || body == "x" {
		t.Fatal(status, body, err)
	}
}

func TestWhoHasNoRoomToWaitIsSent(t *testing.T) {
	engine := open(t, idem.Config{Records: 1024, Bytes: 1 << 20, Waiters: 1})
	begun, end := make(chan bool, 10), make(chan bool)
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		begun <- true
		<-end
		return echo(r)
	})
	transport, err := idemhttp.NewTransport(base, engine, posts)
	if err != nil {
		t.Fatal(err)
	}
	const count = 5
	came := make(chan string, count)
	for range count {
		go func() {
			_, body, err := post(t, transport, strings.NewReader("whole"))
			if err != nil {
				body = err.Error()
			}
			came <- body
		}()
	}
	// The first, and all but the one who may wait.
	for range count - 1 {
		select {
		case <-begun:
		case body := <-came:
			t.Fatal(body)
		}
	}
	close(end)
	for range count {
		if body := <-came; body != "whole" {
			t.Fatal(body)
		}
	}
}

func TestABodyThatFailsIsItsError(t *testing.T) {
	planned := errors.New("planned")
	engine := open(t, idem.Config{})
	for _, policy := range []idemhttp.Policy{posts, ietf} {
		body := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(planned))
		transport := newEcho(t, engine, policy)
		if status, got, err := post(t, transport, body); !errors.Is(err, planned) {
			t.Fatal(status, got, err)
		}
	}
}

type closes struct {
	io.Reader
	count int
}

func (c *closes) Close() error { c.count++; return nil }

func TestABodyThatIsTooLongIsSentWhole(t *testing.T) {
	engine := open(t, idem.Config{})
	long := strings.Repeat("long", 1000)
	body := &closes{Reader: strings.NewReader(long)}
	status, got, err := post(t, newEcho(t, engine, posts), body)
	if status != 200 || got != long || err != nil || body.count != 1 {
		t.Fatal(status, len(got), err, body.count)
	}
	keyed := idemhttp.Policy{Profile: idemhttp.IETF, BodyMax: 1000}
	keeping := newEcho(t, engine, keyed)
	if status, _, err := post(t, keeping, strings.NewReader(long)); status != 413 {
		t.Fatal(status, err)
	}
}

func TestWhoIsGivenUpWithoutAnErrorIsSent(t *testing.T) {
	p := newPlanned(t, idemhttp.Policy{})
	leader := p.get("")
	<-p.begun
	waiter := p.get("")
	waiting(t, p.engine, 1)
	p.clear()
	<-p.begun
	for range 2 {
		p.ends[""] <- nil
	}
	for _, came := range []chan error{leader, waiter} {
		if err := <-came; err != nil {
			t.Fatal(err)
		}
	}
}
