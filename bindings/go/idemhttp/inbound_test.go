package idemhttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/internal/check"
)

// calling is a server whose handler sends a request of its own by a Transport, with the context of
// the one that it serves. What is asked there is told, and answered when end is closed.
func calling(t *testing.T, overrides idemhttp.Overrides) (
	l *lab, asked chan string, end chan bool,
) {
	asked, end = make(chan string, 8), make(chan bool)
	l = &lab{t: t, engine: open(t, idem.Config{})}
	upstream := &lab{t: t}
	upstream.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		<-end
		io.WriteString(w, "of "+r.URL.Path)
	}))
	transport, err := idemhttp.NewTransport(nil, l.engine, idemhttp.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	gate, err := idemhttp.New(l.engine, ietf, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	inner := gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := upstream.url + r.Header.Get("X-Path")
		call, _ := http.NewRequestWithContext(r.Context(), "GET", path, nil)
		response, err := client.Do(call)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		io.Copy(w, response.Body)
	}))
	l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(idemhttp.WithOverrides(r.Context(), overrides)))
	}))
	return l, asked, end
}

// How a request differs from its policy was said of it, and not of what its handler sends: else one
// client had another's answer.
func TestOverridesAreOfTheInboundRequestAlone(t *testing.T) {
	// A GET passes, whatever its key.
	l, asked, end := calling(t, idemhttp.Overrides{Key: "the same"})
	var all sync.WaitGroup
	for _, path := range []string{"/alice", "/bob"} {
		all.Add(1)
		go func() {
			defer all.Done()
			r := l.request(context.Background(), "GET", "/", "", "")
			r.Header.Set("X-Path", path)
			if got := l.do(r); got.body != "of "+path {
				t.Errorf("%s: %+v", path, got)
			}
		}()
		if path == "/alice" {
			<-asked
		}
	}
	check.Eventually(t, "the other one is sent, or waits", func() bool {
		return len(asked) > 0 || l.engine.Stats().Waiters > 0
	})
	close(end)
	all.Wait()
}

// That the request which is served has its key says nothing of those that its handler sends.
func TestATransportInAGatedHandler(t *testing.T) {
	l, asked, end := calling(t, idemhttp.Overrides{Wait: idem.None})
	var all sync.WaitGroup
	for _, key := range strings.Fields("1 2 3") {
		all.Add(1)
		go func() {
			defer all.Done()
			r := l.request(context.Background(), "POST", "/", key, "")
			r.Header.Set("X-Path", "/rates")
			if got := l.do(r); got.body != "of /rates" || got.isReplay() {
				t.Errorf("%+v", got)
			}
		}()
	}
	check.Eventually(t, "all have asked", func() bool {
		return len(asked)+int(l.engine.Stats().Waiters) == 3
	})
	if len(asked) != 1 {
		t.Errorf("sent %d times", len(asked))
	}
	close(end)
	all.Wait()
}

// A deadline of the server's ends a wait, and not with a response of nothing.
func TestAWaitUnderADeadlineOfTheServers(t *testing.T) {
	l := &lab{t: t, engine: open(t, idem.Config{})}
	gate, err := idemhttp.New(l.engine, patient, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan bool), make(chan bool)
	inner := gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
	}))
	l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
		defer cancel()
		inner.ServeHTTP(w, r.WithContext(ctx))
	}))
	first := make(chan answer)
	go func() { first <- l.post("k", "x") }()
	<-begun
	got := l.post("k", "x")
	if got.status != 409 || got.code() != "outstanding" || got.header.Get("Retry-After") == "" {
		t.Errorf("%+v", got)
	}
	close(end)
	if got := <-first; got.status != 200 {
		t.Errorf("%+v", got)
	}
}

// The files of a form that did not fit into memory are removed with the request, as without a gate.
func TestFilesOfAFormAreRemoved(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("TMPDIR", directory)
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		if files, _ := os.ReadDir(directory); len(files) != 1 {
			t.Errorf("%d files", len(files))
		}
	})
	body := "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n" +
		strings.Repeat("long", 100000) + "\r\n--b--\r\n"
	r := l.request(context.Background(), "POST", "/", "k", body)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if got := l.do(r); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	check.Eventually(t, "the file is removed", func() bool {
		files, err := os.ReadDir(directory)
		return err == nil && len(files) == 0
	})
}

// A server's own time for reading holds, where the policy has more.
func TestAServersReadTimeoutHolds(t *testing.T) {
	engine := open(t, idem.Config{})
	gate, err := idemhttp.New(engine, ietf, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(gate.Handler(http.NotFoundHandler()))
	server.Config.ReadTimeout = 100 * time.Millisecond
	server.Start()
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: \"k\"\r\n"+
		"Content-Length: 9\r\n\r\nhalf")
	connection.SetReadDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil || !strings.Contains(line, " 408 ") {
		t.Fatal(line, err)
	}
}
