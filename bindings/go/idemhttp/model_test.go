package idemhttp_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

// model is what each key must come to.
type model struct {
	t       testing.TB
	handler http.Handler
	keys    map[string]*record
	// What the handler is to do, and how often it did.
	act   byte
	calls int
}

type record struct {
	body, answer string
	// The code that retries are refused with; empty: they get the answer.
	code string
}

const modelMax = 100

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.calls++
	body, _ := io.ReadAll(r.Body)
	if int64(len(body)) != r.ContentLength {
		m.t.Fatalf("%d bytes of %d", len(body), r.ContentLength)
	}
	control := idemhttp.FromContext(r.Context())
	switch m.act {
	case 1:
		w.WriteHeader(404)
	case 2:
		w.WriteHeader(500)
	case 3:
		panic("planned")
	case 4:
		control.SideEffectsBegan()
		panic("planned")
	case 5:
		io.WriteString(w, strings.Repeat("long", modelMax))
	case 6:
		control.Release()
	case 7:
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "short")
	}
	if m.act < 2 || m.act == 6 {
		fmt.Fprintf(w, "execution %d", m.calls)
	}
}

// post sends a request, and is what came back; empty: the handler panicked.
func (m *model) post(key, body string) (status int, text string) {
	defer func() {
		if value := recover(); value != nil && value != "planned" {
			panic(value)
		}
	}()
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (m *model) step(key, body string, act byte) {
	m.act = act
	calls, known := m.calls, m.keys[key]
	status, text := m.post(`"`+key+`"`, body)
	executes := known == nil
	if executed := m.calls - calls; executed != 0 != executes || executed > 1 {
		m.t.Fatalf("%s %q (%d): %d executions, %d %s; known: %+v", key, body, act, executed, status,
			text, known)
	}
	switch {
	case executes:
		made := &record{body: body, answer: text}
		switch act {
		case 0, 1:
		case 4:
			made.code = "unknown-outcome"
		case 5:
			made.code = "answered"
		default:
			made = nil
		}
		if made != nil {
			m.keys[key] = made
		}
	case known.body != body:
		m.refused(status, text, "key-reused")
	case known.code != "":
		m.refused(status, text, known.code)
	case text != known.answer:
		m.t.Fatalf("%q, not %q", text, known.answer)
	}
}

func (m *model) refused(status int, text, code string) {
	if status < 400 || !strings.Contains(text, `"code":"`+code+`"`) {
		m.t.Fatalf("%d %s, not %s", status, text, code)
	}
}

func run(t testing.TB, operations []byte) {
	engine, err := idem.Open(idem.Config{Records: 1000, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	policy := ietf
	policy.ResponseMax = modelMax
	gate, err := idemhttp.New(engine, policy, idemhttp.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, keys: make(map[string]*record)}
	m.handler = gate.Handler(m)
	for _, operation := range operations {
		key := string('a' + rune(operation>>4&7))
		body := strings.Repeat("x", int(operation>>7))
		m.step(key, body, operation&15%8)
	}
	if stats := engine.Stats(); stats.Executes != uint64(m.calls) {
		t.Fatalf("%d leases, %d executions", stats.Executes, m.calls)
	}
}

func TestRequestsByChance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		operations := make([]byte, 100)
		for i := range operations {
			operations[i] = byte(random.Uint32())
		}
		run(t, operations)
	}
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 0x84, 0x14, 0x10})
	f.Fuzz(func(t *testing.T, operations []byte) {
		run(t, operations[:min(len(operations), 1000)])
	})
}

// Whatever a client sends it is answered, and the same again the second time.
func FuzzHeads(f *testing.F) {
	f.Add("POST", "/a?b", `"k"`, "body")
	f.Add("PATCH", "/%ff?\xff", `"k`, "")
	f.Fuzz(func(t *testing.T, method, target, key, body string) {
		engine, err := idem.Open(idem.Config{Records: 100, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		gate, err := idemhttp.New(engine, ietf, idemhttp.GlobalScope())
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		handler := gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != body {
				t.Fatalf("%q, %v", got, err)
			}
			w.Write(got)
		}))
		for i := range 2 {
			r, err := http.NewRequest(method, "http://example.com/", strings.NewReader(body))
			if err != nil {
				return
			}
			r.URL.RawQuery, r.URL.Path = target, "/"+target
			r.Header.Set("Idempotency-Key", key)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			isReplay := w.Header().Get("Idempotent-Replayed") != ""
			if w.Code == 200 && (method == "POST" || method == "PATCH") && (i == 1) != isReplay {
				t.Fatalf("%d: a replay: %v", i, isReplay)
			}
			if w.Code >= 500 || !utf8.ValidString(w.Body.String()) && w.Code != 200 {
				t.Fatalf("%d %q", w.Code, w.Body)
			}
		}
		if (method == "POST" || method == "PATCH") && calls > 1 {
			t.Fatalf("%d executions", calls)
		}
	})
}
