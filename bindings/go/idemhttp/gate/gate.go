package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/textproto"
	"strconv"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/seam"
)

// A Gate is a policy at work, for requests of type R. Any goroutine may use it.
type Gate[R any] struct {
	config[R]
	gate   seam.Gate
	header string
}

// New is a gate of an engine. What is wrong with the policy or the options is idem.ErrInvalid.
func New[R any](engine *idem.Engine, policy Policy, options ...Option[R]) (*Gate[R], error) {
	g := new(Gate[R])
	if err := g.apply(options); err != nil {
		return nil, err
	}
	if engine == nil {
		return nil, fmt.Errorf("%w: the engine is nil", idem.ErrInvalid)
	}
	text, err := policy.JSON()
	if err != nil {
		return nil, err
	}
	g.gate, err = seam.New(engine, g.namespace, text)
	if err != nil {
		return nil, err
	}
	g.header = textproto.CanonicalMIMEHeaderKey(g.gate.Header())
	return g, nil
}

// Policy is the whole policy, as JSON.
func (g *Gate[R]) Policy() string { return g.gate.Policy() }

// Header is the name of the header that keys are in.
func (g *Gate[R]) Header() string { return g.gate.Header() }

// HeaderKey is the same in canonical form, as net/http has it.
func (g *Gate[R]) HeaderKey() string { return g.header }

// Streams is whether flushed responses are to be sent while they are stored.
func (g *Gate[R]) Streams() bool { return g.streams }

// Passes is whether a request is certain to pass, by as little as can be looked at. hasHeader:
// whether it has a field of the name that Header says. An outer gate may have given it its key
// already; a request that is sent is another one than that which is served.
func (g *Gate[R]) Passes(ctx context.Context, method, path string, hasHeader bool) bool {
	if overrides := overridesOf(ctx); overrides != nil {
		return overrides.Off || g.isWithin(ctx)
	}
	return g.gate.Passes(method, path, hasHeader || g.key != nil) || g.isWithin(ctx)
}

// isWithin is whether an outer gate has given a request its key.
func (g *Gate[R]) isWithin(ctx context.Context) bool {
	control := FromContext(ctx)
	return control != nil && control.isOutgoing == g.isOutgoing
}

// An Entry is what becomes of a request. With neither an answer, a ticket nor an error it passes.
type Entry struct {
	// Answer is to be sent, and nothing executed.
	Answer *Answer
	// Ticket is to execute by; end it.
	Ticket *Ticket
	// Body is what was read of the request, if IsRead: all of it.
	Body   []byte
	IsRead bool
	// Err: the context ended while the request waited. It may have been a deadline of the server's,
	// so there is an answer besides.
	Err error
}

// Read reads the body of a request: at most room bytes, in this time.
type Read func(room int, within time.Duration) ([]byte, Fault)

// Enter takes a request up to where it is executed or answered. It waits, if the policy says so,
// until ctx ends. read is called at most once.
func (g *Gate[R]) Enter(ctx context.Context, request R, head *Head, read Read) Entry {
	entry, err := g.enter(ctx, request, head, read)
	switch {
	case err == nil:
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		entry.Err = err
		if g.isOutgoing {
			// Its caller has left.
			entry.Answer = nil
		}
	default:
		entry.Answer = fallback(err)
	}
	if entry.Answer != nil {
		g.answered(request, entry.Answer)
	}
	return entry
}

func (g *Gate[R]) enter(
	ctx context.Context, request R, head *Head, read Read,
) (entry Entry, err error) {
	g.complete(ctx, request, head)
	r, decision, err := g.gate.Admit(head)
	if err != nil {
		return entry, err
	}
	if r != nil {
		defer func() {
			// Also if a function of the embedder's has panicked.
			if entry.Ticket == nil {
				r.Free()
			}
		}()
	}
	if decision.Kind == seam.Keyed {
		decision, err = g.claim(request, r, decision, read, &entry)
	}
	if err == nil && decision.Kind == seam.Wait {
		decision, err = r.Wait(ctx, decision)
	}
	switch {
	case decision.Kind == seam.Answered:
		entry.Answer = decision.Answer
	case decision.Kind == seam.Execute && err == nil:
		entry.Ticket = newTicket(g, request, r, &decision)
	}
	return entry, err
}

// complete says in a head whose it is, and how it differs from its policy.
func (g *Gate[R]) complete(ctx context.Context, request R, head *Head) {
	head.IsGlobal = g.isGlobal
	overrides := overridesOf(ctx)
	if !g.isGlobal && (overrides == nil || overrides.Scope == "") {
		head.Scope = g.scope(request)
	}
	if g.key != nil {
		head.Key = g.key(request)
	}
	if overrides != nil {
		overrides.into(head)
	}
}

// claim reads the body, if it counts, and claims the key.
func (g *Gate[R]) claim(
	request R, r seam.Request, decision seam.Decision, read Read, entry *Entry,
) (seam.Decision, error) {
	if decision.NeedsBody || g.says != nil {
		body, fault := read(int(min(decision.Room, math.MaxInt32)), millisOf(decision.Time))
		if fault != NoFault {
			return r.Refuse(fault)
		}
		entry.Body, entry.IsRead = body, true
	}
	var says []byte
	if g.says != nil {
		says = g.says(request, entry.Body)
	}
	body := entry.Body
	if !decision.NeedsBody {
		body = nil
	}
	return r.Claim(body, says)
}

func millisOf(ms uint64) time.Duration {
	const most = uint64(math.MaxInt64) / uint64(time.Millisecond)
	return time.Duration(min(ms, most)) * time.Millisecond
}

// answered tells of an answer, after it was rendered.
func (g *Gate[R]) answered(request R, answer *Answer) {
	if answer.Refusal == "" {
		for _, hook := range g.replayed {
			hook(request)
		}
		return
	}
	if g.render != nil {
		g.rendered(request, answer)
	}
	for _, hook := range g.refused {
		hook(request, answer.Refusal)
	}
}

// rendered gives an answer the body that the embedder wants. Calls of gRPC have none.
func (g *Gate[R]) rendered(request R, answer *Answer) {
	for _, field := range answer.Headers {
		if field.Name == "grpc-status" {
			return
		}
	}
	mediaType, body := g.render(request, Refusal{answer.Refusal, answer.Status})
	if mediaType == "" {
		return
	}
	answer.Body = body
	for i := range answer.Headers {
		switch field := &answer.Headers[i]; field.Name {
		case "content-type":
			field.Value = mediaType
		case "content-length":
			field.Value = strconv.Itoa(len(body))
		}
	}
}

// fallback is what is left to be said where the library has no say: it is closed, or there is no
// memory; or the request is none that it would look at.
func fallback(err error) *Answer {
	status, code := 500, "failed"
	switch {
	case errors.Is(err, idem.ErrClosed):
		status, code = 503, "closing"
	case errors.Is(err, idem.ErrInvalid):
		status, code = 400, "key-malformed"
	case errors.Is(err, idem.ErrSystem), errors.Is(err, idem.ErrFull):
		status, code = 503, "no-room"
	}
	body := fmt.Sprintf(`{"type":"about:blank","status":%d,"code":%q}`, status, code)
	return &Answer{
		Status: status, Refusal: code, Body: []byte(body),
		Headers: []Field{
			{Name: "content-type", Value: "application/problem+json"},
			{Name: "content-length", Value: strconv.Itoa(len(body))},
		},
	}
}

// Fingerprint is what a request says, as its policy has it: 128 bits, little endian. For tests, and
// for whoever wants to know. A FingerprintBy counts in addition, and is not in it.
func (g *Gate[R]) Fingerprint(head *Head, body []byte) ([16]byte, error) {
	return g.gate.Fingerprint(head, body)
}
