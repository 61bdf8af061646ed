package idemhttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/internal/check"
)

// What net/http does with a response it does behind the gate as well; and a replay is the same.
func TestAResponseIsAsWithoutTheGate(t *testing.T) {
	long := strings.Repeat("long ", 100000)
	tests := map[string]struct {
		method string
		handle http.HandlerFunc
		// Not the same because it is longer than is kept.
		isLong bool
	}{
		"nothing": {handle: func(w http.ResponseWriter, r *http.Request) {}},
		"a text": {handle: func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "text")
		}},
		"html": {handle: func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<html>")
			io.WriteString(w, "</html>")
		}},
		"a type that is not to be told": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "text")
		}},
		"an encoding": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "x")
			io.WriteString(w, "text")
		}},
		"no content": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
				t.Error(err)
			}
		}},
		"not modified": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		}},
		"a status once": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.Header().Set("X-Late", "yes")
			w.WriteHeader(http.StatusCreated)
		}},
		"a length": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "text")
		}},
		"no length": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "four")
			io.WriteString(w, "text")
		}},
		"head": {method: "HEAD", handle: func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "text")
		}},
		"head of a length": {method: "HEAD", handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
		}},
		"trailers that are announced": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-End, X-None")
			io.WriteString(w, "text")
			w.Header().Set("X-End", "yes")
		}},
		"trailers that are fields too": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-End, X-Same")
			w.Header().Set("X-End", "no")
			w.Header().Set("X-Same", "yes")
			io.WriteString(w, "text")
			w.Header().Set("X-End", "yes")
		}},
		"trailers after nothing": {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-End")
			w.WriteHeader(http.StatusCreated)
			w.Header().Set("X-End", "yes")
		}},
		"flushed": {handle: func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "te")
			w.(http.Flusher).Flush()
			io.WriteString(w, "xt")
		}},
		"from a reader": {handle: func(w http.ResponseWriter, r *http.Request) {
			n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("text"))
			if n != 4 || err != nil {
				t.Error(n, err)
			}
		}},
		"long": {isLong: true, handle: func(w http.ResponseWriter, r *http.Request) {
			for piece := range slices.Chunk([]byte(long), 7000) {
				w.Write(piece)
			}
		}},
		"long from a reader": {isLong: true, handle: func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(long)})
			if n != int64(len(long)) || err != nil {
				t.Error(n, err)
			}
		}},
		"long content": {isLong: true, handle: func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Unix(0, 0), strings.NewReader(long))
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = "POST"
			}
			policy := ietf
			policy.Methods = []string{"POST", "HEAD"}
			policy.ResponseMax = 50000
			outer := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Outer", r.Header.Get("X-Number"))
					next.ServeHTTP(w, r)
				})
			}
			l := newLab(t, policy, test.handle)
			gate, err := idemhttp.New(l.engine, policy, idemhttp.GlobalScope())
			if err != nil {
				t.Fatal(err)
			}
			l.serve(outer(gate.Handler(test.handle)))
			bare := &lab{t: t}
			bare.serve(outer(test.handle))
			var got [3]answer
			for i, l := range []*lab{bare, l, l} {
				r := l.request(context.Background(), method, "/", "k", "x")
				r.Header.Set("X-Number", string(rune('0'+i)))
				got[i] = l.do(r)
				if got[i].err != nil {
					t.Fatal(got[i].err)
				}
				if outer := got[i].header.Get("X-Outer"); outer != string(rune('0'+i)) {
					t.Errorf("the outer layer's is %q", outer)
				}
				for _, name := range []string{"Date", "X-Outer"} {
					got[i].header.Del(name)
				}
			}
			if test.isLong {
				if got[2].code() != "answered" {
					t.Errorf("%+v", got[2])
				}
				got[2] = got[1]
			} else if !got[2].isReplay() {
				t.Errorf("no replay: %+v", got[2])
			}
			got[2].header.Del("Idempotent-Replayed")
			for i, known := range got[1:] {
				same(t, i, got[0], known)
			}
		})
	}
}

func same(t *testing.T, i int, a, b answer) {
	t.Helper()
	if a.status != b.status || a.body != b.body {
		t.Errorf("%d: %d %.20q, not %d %.20q", i, b.status, b.body, a.status, a.body)
	}
	for _, header := range [][2]http.Header{{a.header, b.header}, {a.trailer, b.trailer}} {
		for name, values := range header[0] {
			if name != "Content-Length" && !slices.Equal(values, header[1][name]) {
				t.Errorf("%d: %s is %q, not %q", i, name, header[1][name], values)
			}
		}
		for name := range header[1] {
			if _, ok := header[0][name]; name != "Content-Length" && !ok {
				t.Errorf("%d: %s: %q", i, name, header[1][name])
			}
		}
	}
}

func TestTrailersWithAPrefix(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "text")
		w.Header().Set(http.TrailerPrefix+"X-End", "yes")
	})
	for range 2 {
		got := l.post("k", "x")
		if got.body != "text" || got.trailer.Get("X-End") != "yes" || len(got.header["X-End"]) > 0 {
			t.Fatalf("%+v", got)
		}
	}
	l.executed(1)
}

func TestALengthThatIsWrong(t *testing.T) {
	for name, body := range map[string]string{"less": "less", "more": "more than that"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "10")
				_, err := io.WriteString(w, body)
				if (err == http.ErrContentLength) != (len(body) > 10) {
					t.Error(err)
				}
			})
			for calls := range 2 {
				if got := l.post("k", "x"); got.err == nil || got.isReplay() {
					t.Fatalf("%+v", got)
				}
				l.executed(int64(calls) + 1)
			}
		})
	}
}

func TestInformation(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "text")
	})
	hints := 0
	got1xx := func(code int, header textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints && header.Get("Link") == "</a.css>" {
			hints++
		}
		return nil
	}
	trace := &httptrace.ClientTrace{Got1xxResponse: got1xx}
	ctx := httptrace.WithClientTrace(context.Background(), trace)
	got := l.do(l.request(ctx, "POST", "/", "k", "x"))
	if got.body != "text" || got.header.Get("Link") != "" || hints != 1 {
		t.Fatalf("%+v, %d hints", got, hints)
	}
}

func TestAConnectionThatIsTakenOver(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
			t.Error(err)
		}
		buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
		buffered.Flush()
	})
	if got := l.post("k", "x"); got.body != "mine" {
		t.Fatalf("%+v", got)
	}
	// It was done, and is not done again.
	check.Eventually(t, "it is settled", func() bool {
		return l.post("k", "x").code() == "answered"
	})
	l.executed(1)
}

func TestAConnectionThatIsTakenOverAfterAStatus(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "upgrade")
		w.Header().Set("Upgrade", "mine")
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		buffered.WriteString("mine")
		buffered.Flush()
	})
	got := l.post("k", "x")
	if got.status != 101 || got.header.Get("Upgrade") != "mine" || got.body != "mine" {
		t.Fatalf("%+v", got)
	}
	check.Eventually(t, "it is settled", func() bool {
		return l.post("k", "x").code() == "answered"
	})
	l.executed(1)
}

func TestAControllerFindsTheConnection(t *testing.T) {
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if err := control.Flush(); err != nil {
			t.Error(err)
		}
		if err := w.(http.Pusher).Push("/", nil); err != http.ErrNotSupported {
			t.Error(err)
		}
	})
	if got := l.post("k", "x"); got.status != 200 {
		t.Fatalf("%+v", got)
	}
}

func TestHTTP2(t *testing.T) {
	engine := open(t, idem.Config{})
	gate, err := idemhttp.New(engine, ietf, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(gate.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
			w.Header().Set(http.TrailerPrefix+"X-End", "yes")
		})))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	l := &lab{t: t, url: server.URL, client: server.Client()}
	for i := range 2 {
		got := l.post("k", "over two")
		end := got.trailer.Get("X-End")
		if got.body != "over two" || end != "yes" || got.isReplay() != (i == 1) {
			t.Fatalf("%+v", got)
		}
	}
}

func TestStreams(t *testing.T) {
	sent, end := make(chan bool), make(chan bool)
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first ")
		http.NewResponseController(w).Flush()
		select {
		case sent <- true:
			<-end
		case <-r.Context().Done():
			return
		}
		io.WriteString(w, "second")
		w.Header().Set(http.TrailerPrefix+"X-End", "yes")
	}, idemhttp.StreamResponses())
	begin := func(ctx context.Context, key string) *http.Response {
		response, err := l.client.Do(l.request(ctx, "POST", "/", key, "x"))
		if err != nil {
			t.Fatal(err)
		}
		<-sent
		piece := make([]byte, 6)
		if _, err := io.ReadFull(response.Body, piece); err != nil || string(piece) != "first " {
			t.Fatal(string(piece), err)
		}
		return response
	}
	response := begin(context.Background(), "k")
	if got := l.send("POST", "/", "k", "x"); got.status != 409 {
		t.Fatalf("%+v", got)
	}
	end <- true
	rest, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if string(rest) != "second" || response.Trailer.Get("X-End") != "yes" {
		t.Fatal(string(rest), response.Trailer)
	}
	again := l.send("POST", "/", "k", "x")
	if !again.isReplay() || again.body != "first second" || again.trailer.Get("X-End") != "yes" {
		t.Fatalf("%+v", again)
	}
	l.executed(1)
	// A client that goes away in the middle stops it, and what came of it is not kept.
	ctx, leave := context.WithCancel(context.Background())
	response = begin(ctx, "j")
	leave()
	response.Body.Close()
	stopped := make(chan bool)
	go func() { end <- true; close(stopped) }()
	<-stopped
	check.Eventually(t, "it is settled", func() bool {
		stats := l.engine.Stats()
		return stats.Cancels+stats.Completes == 2
	})
}

func TestHeldResponsesAreNotFlushed(t *testing.T) {
	flushed, end := make(chan bool), make(chan bool)
	l := newLab(t, ietf, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "held")
		w.(http.Flusher).Flush()
		close(flushed)
		<-end
	})
	connection, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: \"k\"\r\n"+
		"Content-Length: 0\r\nConnection: close\r\n\r\n")
	<-flushed
	connection.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _ := connection.Read(make([]byte, 1)); n != 0 {
		t.Fatal("sent before it is stored")
	}
	close(end)
	connection.SetReadDeadline(time.Time{})
	all, _ := io.ReadAll(bufio.NewReader(connection))
	if !strings.HasSuffix(string(all), "held") {
		t.Fatal(string(all))
	}
}
