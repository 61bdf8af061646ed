package idem

import (
	"encoding/binary"
	"runtime"
	"sync"

	"libidem.dev/go/internal/seam"
)

// What idemhttp and its like are made of: see internal/seam, and idemhttp/DESIGN.md.

func init() {
	seam.New = func(engine, namespace any, policy string) (seam.Gate, error) {
		ns, _ := namespace.(*Namespace)
		return newHTTPGate(engine.(*Engine), ns, policy)
	}
	seam.Policy = httpPolicy
}

// httpGate is a gate of an engine, which frees it in the end at the latest.
type httpGate struct {
	handle *httpHandle
	ns     *Namespace
	header string
	policy string
}

// httpHandle is what the engine has of a gate, and frees when nobody has that any more.
type httpHandle struct {
	engine *Engine
	c      uint64
}

// httpScratch is what crossings are made with: what they tell, short answers, and heads.
type httpScratch struct {
	told   cHTTPTold
	buffer [4096]byte
	bytes  []byte
}

var httpScratches = sync.Pool{New: func() any { return new(httpScratch) }}

// Heads of more bytes than these are not kept for the next one.
const httpScratchMax = 1 << 16

func (s *httpScratch) giveBack() {
	if cap(s.bytes) > httpScratchMax {
		s.bytes = nil
	}
	httpScratches.Put(s)
}

func httpPolicy(text string) (string, error) {
	whole, status := crossHTTPPolicy(text)
	if status == statusPolicy {
		return "", invalid("the policy: %s", whole)
	}
	return whole, statusError(status)
}

func newHTTPGate(e *Engine, ns *Namespace, policy string) (*httpGate, error) {
	whole, err := httpPolicy(policy)
	if err != nil {
		return nil, err
	}
	calls := e.enter()
	if calls == nil {
		return nil, ErrClosed
	}
	defer calls.exit()
	var space uint64
	if ns != nil {
		if ns.handle == nil || ns.handle.engine != e {
			return nil, errOtherEngine
		}
		space = ns.handle.c
	}
	c, status := crossHTTPGateNew(e.c, space, policy)
	runtime.KeepAlive(ns)
	if status != statusOK {
		return nil, statusError(status)
	}
	handle := &httpHandle{e, c}
	e.lock.Lock()
	if e.httpGates == nil {
		e.httpGates = make(map[*httpHandle]struct{})
	}
	e.httpGates[handle] = struct{}{}
	e.lock.Unlock()
	g := &httpGate{handle: handle, ns: ns, header: crossHTTPGateHeader(c), policy: whole}
	runtime.AddCleanup(g, func(handle *httpHandle) { handle.engine.freeHTTPGate(handle) }, handle)
	return g, nil
}

// freeHTTPGate frees a gate that nobody has any more.
func (e *Engine) freeHTTPGate(handle *httpHandle) {
	calls := e.enter()
	if calls == nil {
		// The engine's end frees it, or has.
		return
	}
	defer calls.exit()
	e.lock.Lock()
	_, isThere := e.httpGates[handle]
	delete(e.httpGates, handle)
	e.lock.Unlock()
	if isThere {
		crossHTTPGateFree(handle.c)
	}
}

// freeHTTPGates frees those that are left. Under the engine's lock, with nobody inside.
func (e *Engine) freeHTTPGates() {
	for handle := range e.httpGates {
		crossHTTPGateFree(handle.c)
	}
	clear(e.httpGates)
}

func (g *httpGate) Header() string { return g.header }

func (g *httpGate) Policy() string { return g.policy }

func (g *httpGate) Passes(method, path string, hasHeader bool) bool {
	calls := g.handle.engine.enter()
	if calls == nil {
		// Admit says what is the matter.
		return false
	}
	passes := crossHTTPPasses(g.handle.c, method, path, hasHeader)
	calls.exit()
	runtime.KeepAlive(g)
	return passes
}

// head puts a head into the form in which it crosses.
func (s *httpScratch) head(head *seam.Head) cHTTPHead {
	c := cHTTPHead{
		method_len: cWord(len(head.Method)), authority_len: cWord(len(head.Authority)),
		path_len: cWord(len(head.Path)), query_len: cWord(len(head.Query)),
		scope_len: cWord(len(head.Scope)), key_len: cWord(len(head.Key)),
		retention_ms: cWord(head.Retention), wait_ms: cWord(head.Wait),
		field_count: cHalf(head.Fields.Count()), scope_kind: scopeOf,
	}
	if head.IsGlobal {
		c.scope_kind = scopeNone
	}
	if head.HasQuery {
		c.has_query = 1
	}
	if head.IsOff {
		c.flags = flagHTTPOff
	}
	bytes := append(append(s.bytes[:0], head.Fields.Bytes...), head.Method...)
	bytes = append(append(bytes, head.Authority...), head.Path...)
	s.bytes = append(append(append(bytes, head.Query...), head.Scope...), head.Key...)
	return c
}

func (g *httpGate) Admit(head *seam.Head) (seam.Request, seam.Decision, error) {
	e := g.handle.engine
	calls := e.enter()
	if calls == nil {
		return nil, seam.Decision{}, ErrClosed
	}
	defer calls.exit()
	scratch := httpScratches.Get().(*httpScratch)
	defer scratch.giveBack()
	c := scratch.head(head)
	told := &scratch.told
	status := crossHTTPAdmit(g.handle.c, &c, scratch.bytes, head.Fields.Lens, told,
		scratch.buffer[:])
	runtime.KeepAlive(g)
	if status != statusOK {
		return nil, seam.Decision{}, statusError(status)
	}
	decision := scratch.decision()
	if told.request == 0 {
		return nil, decision, nil
	}
	return &httpRequest{engine: e, c: uint64(told.request)}, decision, nil
}

func (g *httpGate) Fingerprint(head *seam.Head, body []byte) (bits [16]byte, err error) {
	calls := g.handle.engine.enter()
	if calls == nil {
		return bits, ErrClosed
	}
	defer calls.exit()
	scratch := httpScratches.Get().(*httpScratch)
	defer scratch.giveBack()
	c := scratch.head(head)
	status := crossHTTPFingerprint(g.handle.c, &c, scratch.bytes, head.Fields.Lens, body, &bits)
	runtime.KeepAlive(g)
	return bits, statusError(status)
}

// decision is what was told. An answer is the caller's own, and its request freed.
func (s *httpScratch) decision() seam.Decision {
	told := &s.told
	decision := seam.Decision{
		Kind: seam.Kind(told.kind), NeedsBody: told.needs_body != 0, Room: uint64(told.room),
		Time: uint64(told.time_ms), MaxRun: uint64(told.max_run_ms),
		ResponseMax: uint64(told.response_max), Waiter: uint64(told.waiter),
	}
	if decision.Kind != seam.Answered {
		return decision
	}
	buffer := s.buffer[:]
	isOwn := told.is_copied == 0
	if isOwn {
		buffer = crossHTTPTake(told)
	}
	headers, trailers := int(told.header_count), int(told.trailer_count)
	body := int(told.need) - int(told.body_len)
	text := string(buffer[8*(headers+trailers) : body])
	refusal := text[len(text)-int(told.refusal_len):]
	answer := &seam.Answer{Status: int(told.status), Refusal: refusal}
	fields := fieldsOf(buffer, text, headers+trailers)
	answer.Headers, answer.Trailers = fields[:headers:headers], fields[headers:]
	answer.Body = buffer[body:told.need:told.need]
	if !isOwn {
		answer.Body = append([]byte(nil), answer.Body...)
	}
	decision.Answer = answer
	return decision
}

// fieldsOf are fields whose lengths begin a buffer, and whose bytes begin a text.
func fieldsOf(buffer []byte, text string, count int) []seam.Field {
	fields := make([]seam.Field, count)
	next := func(n int) string {
		size := binary.NativeEndian.Uint32(buffer[4*n:])
		word := text[:size]
		text = text[size:]
		return word
	}
	for i := range fields {
		fields[i].Name = next(2 * i)
		fields[i].Value = next(2*i + 1)
	}
	return fields
}
