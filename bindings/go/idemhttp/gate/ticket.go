package gate

import (
	"math"
	"sync"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/seam"
)

// A Ticket is the right to execute a request, and the duty to say what came of it. Its lease is
// kept alive while it has not ended, up to the policy's MaxRun. The ends are one goroutine's.
type Ticket struct {
	request seam.Request
	control *Control
	redact  func(*Stored)
	hooks   hooks
	max     int
	isOver  bool

	beat, maxRun time.Duration
	begun        time.Time
	lock         sync.Mutex
	timer        *time.Timer
	lost         chan struct{}
}

// hooks are a gate's, of one request.
type hooks interface {
	tellExecuted(Fate)
	tellInterrupted()
}

type hooksOf[R any] struct {
	gate    *Gate[R]
	request R
}

func (h *hooksOf[R]) tellExecuted(fate Fate) {
	for _, hook := range h.gate.executed {
		hook(h.request, fate)
	}
}

func (h *hooksOf[R]) tellInterrupted() {
	for _, hook := range h.gate.interrupted {
		hook(h.request)
	}
}

func newTicket[R any](
	g *Gate[R], request R, r seam.Request, decision *seam.Decision,
) *Ticket {
	t := &Ticket{
		request: r, redact: g.redact, max: int(min(decision.ResponseMax, math.MaxInt32)),
		beat: max(millisOf(decision.Time)/3, time.Millisecond), maxRun: millisOf(decision.MaxRun),
		begun: time.Now(), lost: make(chan struct{}),
	}
	t.control = &Control{r, t, g.isOutgoing}
	if len(g.executed)+len(g.interrupted) > 0 {
		t.hooks = &hooksOf[R]{g, request}
	}
	t.lock.Lock()
	t.timer = time.AfterFunc(t.beat, t.renew)
	t.lock.Unlock()
	return t
}

// renew is the timer's: it keeps the lease alive, and comes again. What is done too late is so all
// the same: the handler is not stopped.
func (t *Ticket) renew() {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.timer == nil {
		return
	}
	if time.Since(t.begun) > t.maxRun || t.request.Renew() != nil {
		t.timer = nil
		close(t.lost)
		return
	}
	t.timer.Reset(t.beat)
}

// stop ends the renewals.
func (t *Ticket) stop() {
	t.isOver = true
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

// Control is for the handler.
func (t *Ticket) Control() *Control { return t.control }

// ResponseMax is the most bytes of a response's body that are kept: of a longer one Lose says that
// it was sent.
func (t *Ticket) ResponseMax() int { return t.max }

// MaxRun is how long its lease is kept alive.
func (t *Ticket) MaxRun() time.Duration { return t.maxRun }

// Finish settles the request by its response, which is to be sent only after that, with these
// header fields besides.
func (t *Ticket) Finish(response *Response) []Field {
	if t.isOver {
		return nil
	}
	if t.redact != nil {
		// If it panics, the request is an interrupted one.
		response = redacted(response, t.redact)
	}
	t.stop()
	finished, err := t.request.Finish(response)
	t.settled(finished.Fate, err, false)
	return finished.Headers
}

// Lose settles the request as done, its response having been lost: longer than what is kept, or cut
// off. A status above 599, which the library has none of, is as that.
func (t *Ticket) Lose(status int, wasCutOff bool) {
	if t.isOver {
		return
	}
	t.stop()
	finished, err := t.request.Lose(min(status, 599), wasCutOff)
	t.settled(finished.Fate, err, wasCutOff)
}

// Fail settles a request that could not be handled at all, as by a client whose connection failed.
func (t *Ticket) Fail() {
	if t.isOver {
		return
	}
	t.stop()
	_ = t.request.Fail()
	t.tell(0, true)
}

// End is for every ticket, as a deferred call: one that has not ended is an interrupted one.
func (t *Ticket) End() {
	if t.isOver {
		return
	}
	t.stop()
	t.request.Free()
	t.tell(0, true)
}

// settled tells what became of a response. One that the library would not take is an interrupted
// one.
func (t *Ticket) settled(fate Fate, err error, isInterrupted bool) {
	if err != nil && err != idem.ErrStale {
		t.request.Free()
		isInterrupted = true
	}
	t.tell(fate, isInterrupted)
}

// tell calls hooks, when nothing that is held can be lost by their panics.
func (t *Ticket) tell(fate Fate, isInterrupted bool) {
	switch {
	case t.hooks == nil:
	case isInterrupted:
		t.hooks.tellInterrupted()
	default:
		t.hooks.tellExecuted(fate)
	}
}

// redacted is what is stored of a response.
func redacted(response *Response, redact func(*Stored)) *Response {
	stored := Stored{
		Status: response.Status, Headers: unpacked(&response.Headers),
		Trailers: unpacked(&response.Trailers), Body: append([]byte(nil), response.Body...),
	}
	redact(&stored)
	to := &Response{Status: stored.Status, Body: stored.Body}
	for _, field := range stored.Headers {
		Add(&to.Headers, field.Name, field.Value)
	}
	for _, field := range stored.Trailers {
		Add(&to.Trailers, field.Name, field.Value)
	}
	return to
}

func unpacked(from *Fields) []Field {
	text := string(from.Bytes)
	next := func(n int) string {
		word := text[:from.Lens[n]]
		text = text[from.Lens[n]:]
		return word
	}
	fields := make([]Field, from.Count())
	for i := range fields {
		fields[i].Name = next(2 * i)
		fields[i].Value = next(2*i + 1)
	}
	return fields
}
