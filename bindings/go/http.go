package idem

import (
	"context"
	"encoding/binary"
	"runtime"
	"sync"
	"time"

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

// httpRequest is a request. Its steps are one goroutine's, but what a handler says and renewals may
// come from any, at any time: so c is read and cleared under the lock.
type httpRequest struct {
	engine *Engine
	lock   sync.Mutex
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

// step is a step of a request, which is over if it comes to an answer.
func (r *httpRequest) step(
	do func(c uint64, scratch *httpScratch) int32,
) (seam.Decision, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return seam.Decision{}, errRequestOver
	}
	scratch := httpScratches.Get().(*httpScratch)
	defer scratch.giveBack()
	if status := do(r.c, scratch); status != statusOK {
		return seam.Decision{}, statusError(status)
	}
	decision := scratch.decision()
	r.c = uint64(scratch.told.request)
	return decision, nil
}

var errRequestOver = invalid("the request is over")

func (r *httpRequest) Claim(body, says []byte) (seam.Decision, error) {
	return r.step(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPClaim(c, body, says, &scratch.told, scratch.buffer[:])
	})
}

func (r *httpRequest) Refuse(fault seam.Fault) (seam.Decision, error) {
	return r.step(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPRefuse(c, fault, &scratch.told, scratch.buffer[:])
	})
}

// waited gives what a wait came to; nil: it was given up.
func (r *httpRequest) waited(came *cTold) (seam.Decision, error) {
	return r.step(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPWaited(c, came, &scratch.told, scratch.buffer[:])
	})
}

// Wait puts the waiter into the engine's queue, as a claim does, and the goroutine waits.
func (r *httpRequest) Wait(
	ctx context.Context, decision seam.Decision,
) (seam.Decision, error) {
	e := r.engine
	t, err := e.queueHTTPWaiter(decision.Waiter)
	if err != nil {
		return seam.Decision{}, err
	}
	timer := time.NewTimer(time.Duration(min(decision.Time, uint64(longest/time.Millisecond))) *
		time.Millisecond)
	defer timer.Stop()
	select {
	case <-t.ended:
		return r.ended(t)
	case <-timer.C:
		e.giveUp(t)
		return r.waited(nil)
	case <-ctx.Done():
		e.giveUp(t)
		r.Free()
		return seam.Decision{}, contextError(ctx)
	case <-e.closed:
		select {
		case <-t.ended:
			return r.ended(t)
		default:
		}
		e.lost(t)
		r.Free()
		return seam.Decision{}, ErrClosed
	}
}

func (e *Engine) queueHTTPWaiter(waiter uint64) (*ticket, error) {
	calls := e.enter()
	if calls == nil {
		crossHTTPWaiterFree(waiter)
		return nil, ErrClosed
	}
	defer calls.exit()
	t := e.tickets.take(false)
	pending, status := crossHTTPWait(e.c, waiter, t.handle()|heldBit)
	if status != statusOK {
		e.tickets.put(t)
		return nil, statusError(status)
	}
	t.pending.Store(pending)
	return t, nil
}

// ended is what becomes of a request whose wait has ended.
func (r *httpRequest) ended(t *ticket) (seam.Decision, error) {
	if pending := t.pending.Swap(0); pending != 0 {
		crossWaitFree(pending)
	}
	came := t.end.told
	r.engine.tickets.put(t)
	return r.waited(&came)
}

// control is for what may come at any time: after the end it is too late.
func (r *httpRequest) control(do func(c uint64) int32) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return ErrStale
	}
	status := do(r.c)
	if status == statusState {
		// Its end has begun.
		status = statusStale
	}
	return statusError(status)
}

func (r *httpRequest) Renew() error { return r.control(crossHTTPRenew) }

func (r *httpRequest) SideEffectsBegan() error { return r.control(crossHTTPSideEffectsBegan) }

func (r *httpRequest) Say(fate seam.Fate, ms uint64) error {
	return r.control(func(c uint64) int32 { return crossHTTPSay(c, fate, ms) })
}

// end ends an execution, and hands on what that brings about to those who wait.
func (r *httpRequest) end(
	do func(c uint64, scratch *httpScratch) int32,
) (seam.Finished, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return seam.Finished{}, ErrStale
	}
	scratch := httpScratches.Get().(*httpScratch)
	defer scratch.giveBack()
	if status := do(r.c, scratch); status != statusOK {
		return seam.Finished{}, statusError(status)
	}
	told := &scratch.told
	finished := seam.Finished{Fate: seam.Fate(told.fate), IsSettled: told.is_settled != 0}
	if told.header_count > 0 {
		buffer := scratch.buffer[:]
		if told.is_copied == 0 {
			buffer = crossHTTPTake(told)
		}
		count := int(told.header_count)
		finished.Headers = fieldsOf(buffer, string(buffer[8*count:told.need]), count)
	}
	r.c = uint64(told.request)
	r.engine.deliverHTTP()
	return finished, nil
}

func (r *httpRequest) Finish(response *seam.Response) (seam.Finished, error) {
	return r.end(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPFinish(c, response, &scratch.told, scratch.buffer[:])
	})
}

func (r *httpRequest) Lose(status int, wasCutOff bool) (seam.Finished, error) {
	return r.end(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPLose(c, status, wasCutOff, &scratch.told, scratch.buffer[:])
	})
}

func (r *httpRequest) Fail() error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return ErrStale
	}
	status := crossHTTPFail(r.c)
	r.c = 0
	r.engine.deliverHTTP()
	return statusError(status)
}

func (r *httpRequest) Free() {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return
	}
	crossHTTPFree(r.c)
	r.c = 0
	r.engine.deliverHTTP()
}

// deliverHTTP hands on what the end of a lease has brought about, unless the engine is gone: a
// request may outlive it.
func (e *Engine) deliverHTTP() {
	calls := e.enter()
	if calls == nil {
		return
	}
	e.pollIfAwaited()
	calls.exit()
}
