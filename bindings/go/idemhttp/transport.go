package idemhttp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp/gate"
)

// A Transport sends identical requests once: whoever asks while the first one is under way gets its
// response, with a body of its own, or the error that it failed with. What is identical is what the
// policy counts; with the profile Coalesce method, address, body, and the header fields Accept and
// Accept-*, Authorization, Cookie, If-*, Origin and Range. Others do not count: where X-Api-Key or
// its like says who asks, or chooses a response, it must be added, or one gets what is another's.
// The list in Policy.Text is all that counts, so it has the ones above as well:
//
//	{"profile": "coalesce", "says": {"headers": ["accept", "authorization", "x-api-key"]}}
//
// A caller whose context ends gets that error; the call goes on for the others, for as long as
// MaxRun. A response that is longer than ResponseMax, or has no end (text/event-stream and its
// like, a switch of protocols), goes to the one who made the call; those who wait make theirs. Who
// waits in vain for as long as the policy says gets an answer of 504, with the usual problem
// details. Where requests have no keys, one that cannot be shared is sent by itself: there is no
// room, the engine is closed, its body is longer than BodyMax.
//
// What is added to a request further in, as credentials, must be the same for all of them.
type Transport struct {
	base http.RoundTripper
	gate *gate.Gate[*http.Request]
	// Whether a request is its own key.
	hasNoKeys bool
	errors    sharedErrors
}

var transports atomic.Uint64

// NewTransport is a Transport that sends by base; nil: by http.DefaultTransport. Without ScopeBy or
// GlobalScope it shares with no other.
func NewTransport(
	base http.RoundTripper, engine *idem.Engine, policy Policy, options ...Option,
) (*Transport, error) {
	if base == nil {
		base = http.DefaultTransport
	}
	if policy.Profile == "" && policy.Text == "" {
		policy.Profile = Coalesce
	}
	scope := "transport " + strconv.FormatUint(transports.Add(1), 10)
	own := gate.All(gate.Outgoing[*http.Request](),
		gate.ScopeUnlessSaid(func(*http.Request) string { return scope }))
	made, err := gate.New(engine, policy, append(options[:len(options):len(options)], own)...)
	if err != nil {
		return nil, err
	}
	var said struct{ Identity string }
	if err := json.Unmarshal([]byte(made.Policy()), &said); err != nil {
		return nil, err
	}
	return &Transport{base: base, gate: made, hasNoKeys: said.Identity == "fingerprint"}, nil
}

// CloseIdleConnections is the base's.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// RoundTrip sends a request, or waits for one that is under way.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, method := r.Context(), r.Method
	if method == "" {
		method = http.MethodGet
	}
	if r.URL == nil {
		return t.base.RoundTrip(r)
	}
	path := pathOf(r)
	if t.gate.Passes(ctx, method, path, hasField(r.Header, t.gate.Header())) {
		return t.base.RoundTrip(r)
	}
	head := new(gate.Head)
	headOf(head, r, path, authorityOf(r))
	head.Method = method
	since := t.errors.now()
	taken := takenBody{body: r.Body}
	entry := t.gate.Enter(ctx, r, head, taken.read)
	if entry.Ticket == nil && entry.Answer == nil && entry.Err == nil {
		return t.base.RoundTrip(r)
	}
	// Those who waited for a call that failed share its error, if that is known.
	var failed error
	if entry.Answer != nil && entry.Answer.Refusal == "given-up" {
		failed = t.errors.find(t.identity(head, entry.Body), since)
	}
	if failed == nil && taken.err == nil && t.isToBeSent(head, entry.Answer) {
		if again := taken.again(r); again != nil {
			return t.base.RoundTrip(again)
		}
	}
	if r.Body != nil && (entry.IsRead || entry.Ticket == nil) {
		_ = r.Body.Close()
	}
	switch {
	case taken.err != nil:
		return nil, taken.err
	case entry.Err != nil:
		return nil, entry.Err
	case failed != nil:
		return nil, failed
	case entry.Answer == nil:
		return t.send(r, head, &entry)
	}
	return responseOf(r, entry.Answer), nil
}

// isToBeSent is whether a request that is refused is to be sent all the same: it is its own key, so
// this only saves work, and no server has said what the answer would say.
func (t *Transport) isToBeSent(head *gate.Head, answer *gate.Answer) bool {
	if answer == nil || !t.hasNoKeys || head.Key != "" {
		return false
	}
	switch answer.Refusal {
	case "too-many-keys", "no-room", "closing", "body-too-large", "given-up":
		return true
	}
	return false
}

// identity is what stands for a request among errors; empty where none are shared. What the
// embedder's FingerprintBy says is not in it.
func (t *Transport) identity(head *gate.Head, body []byte) string {
	switch {
	case !t.hasNoKeys:
		// Their calls are interrupted by an error: the next one who waits executes.
		return ""
	case head.Key != "":
		return head.Scope + "\x00key\x00" + head.Key
	}
	bits, err := t.gate.Fingerprint(head, body)
	if err != nil {
		return ""
	}
	return head.Scope + "\x00says\x00" + string(bits[:])
}

// outgoing is a call that is made for whoever waits for it.
type outgoing struct {
	t        *Transport
	entry    *gate.Entry
	identity string
	caller   context.Context
	cancel   context.CancelFunc
	// What came of it is sent here; nobody else has it.
	done chan arrival
}

type arrival struct {
	response *http.Response
	err      error
	panicked any
	isPanic  bool
}

// send makes the call, which goes on if its own caller's context ends.
func (t *Transport) send(
	r *http.Request, head *gate.Head, entry *gate.Entry,
) (*http.Response, error) {
	ctx := r.Context()
	inner, cancel := context.WithCancel(gate.NewContext(context.WithoutCancel(ctx), entry.Ticket))
	o := &outgoing{
		t: t, entry: entry, identity: t.identity(head, entry.Body), caller: ctx, cancel: cancel,
		done: make(chan arrival, 1),
	}
	own := withBody(r, inner, entry)
	if own.GetBody != nil && entry.IsRead {
		body := entry.Body
		own.GetBody = func() (io.ReadCloser, error) {
			return newHeldBody(body), nil
		}
	}
	//lint:ignore SA1019 net/http's older way to cancel is its own caller's as well
	own.Cancel = nil
	t.errors.begin(o.identity)
	go o.run(own)
	select {
	case came := <-o.done:
		return came.settle(r)
	case <-ctx.Done():
	//lint:ignore SA1019 as above
	case <-r.Cancel:
	}
	go o.outlive(entry.Ticket.MaxRun())
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return nil, errCancelled
}

var errCancelled = errors.New("idemhttp: the request was cancelled")

// settle is what the caller gets.
func (a *arrival) settle(r *http.Request) (*http.Response, error) {
	if a.isPanic {
		panic(a.panicked)
	}
	if a.err != nil {
		return nil, a.err
	}
	a.response.Request = r
	return a.response, nil
}

// outlive lets a call that its caller has left go on for the others.
func (o *outgoing) outlive(most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	var came arrival
	select {
	case came = <-o.done:
	case <-timer.C:
		o.cancel()
		came = <-o.done
	}
	if came.response != nil {
		_ = came.response.Body.Close()
	}
	if came.isPanic {
		log.Printf("idemhttp: panic in a RoundTripper whose caller had left: %v", came.panicked)
	}
}

// run makes the call and settles the request.
func (o *outgoing) run(r *http.Request) {
	ticket := o.entry.Ticket
	came := arrival{isPanic: true, panicked: errGoexit}
	defer func() {
		if came.isPanic {
			if value := recover(); value != nil {
				came.panicked = value
				log.Printf("idemhttp: panic in a RoundTripper: %v\n%s", value, debug.Stack())
			}
		}
		ticket.End()
		o.done <- came
	}()
	response, err := o.call(r)
	if err != nil {
		ticket.Fail()
		o.cancel()
		came = arrival{err: err}
		return
	}
	o.hold(response, ticket)
	came = arrival{response: response}
}

// call is over among errors before its ticket ends, also if the base panics: by then those who wait
// look for the error, and the next call may begin.
func (o *outgoing) call(r *http.Request) (response *http.Response, err error) {
	defer func() { o.t.errors.end(o.identity, err) }()
	return o.t.base.RoundTrip(r)
}

var errGoexit = errors.New("idemhttp: the RoundTripper exited its goroutine")

// hold reads a response into memory, stores it, and gives it a body of its own; one that is too
// long, or has no end, goes on as it is.
func (o *outgoing) hold(response *http.Response, ticket *gate.Ticket) {
	most := ticket.ResponseMax()
	body := response.Body
	isEndless := response.StatusCode == http.StatusSwitchingProtocols ||
		isStream(response.Header.Get("Content-Type"))
	isHead := response.Request != nil && response.Request.Method == http.MethodHead
	if isEndless || (response.ContentLength > int64(most) && !isHead) {
		ticket.Lose(response.StatusCode, false)
		o.resume(response, nil, body, nil)
		return
	}
	held, err := io.ReadAll(io.LimitReader(body, int64(most)+1))
	switch {
	case err != nil:
		ticket.Lose(response.StatusCode, true)
		_ = body.Close()
		o.resume(response, held, nil, err)
	case len(held) > most:
		ticket.Lose(response.StatusCode, false)
		o.resume(response, held, body, nil)
	default:
		o.store(response, held, ticket)
		_ = body.Close()
		o.resume(response, held, nil, nil)
	}
}

func (o *outgoing) store(response *http.Response, held []byte, ticket *gate.Ticket) {
	if response.StatusCode > 599 || response.StatusCode < 200 {
		ticket.Lose(response.StatusCode, false)
		return
	}
	stored := gate.Response{Status: response.StatusCode, Body: held}
	header := response.Header
	if response.Uncompressed && header.Get("Content-Length") != "" {
		header = header.Clone()
		header.Del("Content-Length")
	}
	pack(&stored.Headers, header, nil)
	pack(&stored.Trailers, response.Trailer, nil)
	for _, field := range ticket.Finish(&stored) {
		response.Header.Add(field.Name, field.Value)
	}
}

// resume gives a response a body: what is held, the rest, and an error after that. The call's
// context ends when it is closed; where there is a rest, also when its caller's does.
func (o *outgoing) resume(response *http.Response, held []byte, rest io.ReadCloser, err error) {
	if rest == nil {
		o.cancel()
	}
	if rest != nil && held == nil {
		if both, ok := rest.(io.ReadWriteCloser); ok {
			response.Body = &switched{both, o.cancel}
			return
		}
	}
	body := &resumed{held: held, rest: rest, err: err, caller: o.caller, cancel: o.cancel}
	if rest != nil {
		body.unwatch = context.AfterFunc(o.caller, o.cancel)
	}
	response.Body = body
}
