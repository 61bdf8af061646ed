package idemhttp

import (
	"context"
	"net/http"
	"sync"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp/gate"
)

// A Gate is a policy at work. One is for any number of handlers, if a key is to be the same in all
// of them: the path counts in what a request says.
type Gate struct{ gate *gate.Gate[*http.Request] }

// New is a gate of an engine. What is wrong with the policy or the options is idem.ErrInvalid.
func New(engine *idem.Engine, policy Policy, options ...Option) (*Gate, error) {
	made, err := gate.New(engine, policy, options...)
	if err != nil {
		return nil, err
	}
	return &Gate{made}, nil
}

// Policy is the whole policy, as JSON.
func (g *Gate) Policy() string { return g.gate.Policy() }

// Handler is a handler behind the gate. The limits of other layers on concurrency go outside of it:
// a request that waits for another one's answer holds its place.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Serve(g.gate, r, w, r, w, func(held *Writer, r *http.Request) {
			if held == nil {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(held, r)
		})
	})
}

// Came is what came of a request in Serve.
type Came int

const (
	// Passed: nothing was done about it but to call what comes next.
	Passed Came = iota
	// Answered: it was answered, and not executed.
	Answered
	// Executed: it was.
	Executed
)

// Serve takes a request through a gate: for bindings of frameworks made on net/http, whose requests
// of is. Executing it is to call next, whose Writer writes to w in the end; for a request that
// passes next is called without one. Answers are written to answers, which may be w.
func Serve[R any](
	g *gate.Gate[R], of R, w http.ResponseWriter, r *http.Request, answers http.ResponseWriter,
	next func(*Writer, *http.Request),
) Came {
	ctx, path := r.Context(), r.URL.EscapedPath()
	if g.Passes(ctx, r.Method, path, len(r.Header[g.HeaderKey()]) > 0) {
		pass(r, next)
		return Passed
	}
	head := heads.Get().(*gate.Head)
	headOf(head, r, path, r.Host)
	entry := g.Enter(ctx, of, head, func(room int, within time.Duration) ([]byte, gate.Fault) {
		return readBody(w, r.Body, room, atMost(ctx, within))
	})
	putHead(head)
	switch {
	case entry.Ticket != nil:
		execute(g.Streams(), entry, w, r, next)
		return Executed
	case entry.Answer != nil:
		writeAnswer(answers, r, entry.Answer)
		return Answered
	}
	pass(r, next)
	return Passed
}

// pass has a request served as if there were no gate. How it differs from the policy was said of
// it, and not of what its handler sends.
func pass(r *http.Request, next func(*Writer, *http.Request)) {
	own := r
	if ctx := gate.WithoutOverrides(r.Context()); ctx != r.Context() {
		own = r.WithContext(ctx)
	}
	defer giveForm(r, own)
	next(nil, own)
}

// execute runs the handler, and settles the request by what it wrote.
func execute(
	streams bool, entry gate.Entry, w http.ResponseWriter, r *http.Request,
	next func(*Writer, *http.Request),
) {
	ticket := entry.Ticket
	// If the handler panics, or exits its goroutine, this is all that is done.
	defer ticket.End()
	client := r.Context()
	// It goes on although its client goes away.
	ctx, cancel := context.WithCancel(gate.NewContext(context.WithoutCancel(client), ticket))
	defer cancel()
	to := newWriter(w, r, ticket)
	if streams {
		to.streams = func() bool {
			if client.Err() != nil {
				return false
			}
			// From here on its client may stop it.
			to.unwatch = context.AfterFunc(client, cancel)
			return true
		}
		defer to.stopWatching()
	}
	own := withBody(r, ctx, &entry)
	defer giveForm(r, own)
	next(to, own)
	to.finish()
}

// giveForm gives a form's files to the request whose server removes them.
func giveForm(to, own *http.Request) {
	if to.MultipartForm == nil {
		to.MultipartForm = own.MultipartForm
	}
}

var heads = sync.Pool{New: func() any { return new(gate.Head) }}

// Fields of more bytes are not kept for the next request.
const headMax = 1 << 16

func putHead(head *gate.Head) {
	fields := head.Fields
	if cap(fields.Bytes) > headMax {
		return
	}
	fields.Reset()
	*head = gate.Head{Fields: fields}
	heads.Put(head)
}

// headOf puts a request's head together. The order of fields of different names is not known any
// more, and counts nowhere.
func headOf(head *gate.Head, r *http.Request, path, authority string) {
	head.Method, head.Authority, head.Path = r.Method, gate.Text(authority), gate.Text(path)
	if path == "" {
		head.Path = "/"
	}
	head.Query, head.HasQuery = gate.Text(r.URL.RawQuery), r.URL.RawQuery != "" || r.URL.ForceQuery
	for name, values := range r.Header {
		for _, value := range values {
			gate.Add(&head.Fields, name, value)
		}
	}
}
