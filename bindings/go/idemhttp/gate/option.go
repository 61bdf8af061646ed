package gate

import (
	"fmt"

	idem "libidem.dev/go"
)

// An Option changes a gate for requests of type R: *http.Request, *gin.Context and so on.
type Option[R any] func(*config[R])

type config[R any] struct {
	namespace       *idem.Namespace
	scope           func(R) string
	scopeUnlessSaid func(R) string
	isGlobal        bool
	isOutgoing      bool
	key             func(R) string
	says            func(R, []byte) []byte
	render          func(R, Refusal) (string, []byte)
	redact          func(*Stored)
	streams         bool
	executed        []func(R, Fate)
	replayed        []func(R)
	refused         []func(R, string)
	interrupted     []func(R)
}

// A Refusal is why a request is not served.
type Refusal struct {
	// Code is a word for it, as the code of problem details has it.
	Code string
	// Status is what it is answered with.
	Status int
}

// Stored is a response as it is to be stored. What is changed in it is missing or other in
// replays; the first client gets the response as it was.
type Stored struct {
	Status   int
	Headers  []Field
	Trailers []Field
	// Body is a copy, and may be written to.
	Body []byte
}

// ScopeBy says whose keys a request's is among: a stable name of the user, tenant or account, which
// authentication has found out, and nothing that the client could choose. Every gate has it, or
// GlobalScope. An empty name is none, and refused.
func ScopeBy[R any](scope func(R) string) Option[R] {
	return func(c *config[R]) { c.scope = scope }
}

// GlobalScope is for services with one tenant: clients that choose the same key share it.
func GlobalScope[R any]() Option[R] {
	return func(c *config[R]) { c.isGlobal = true }
}

// ScopeUnlessSaid is ScopeBy for where neither that nor GlobalScope is said: for bindings.
func ScopeUnlessSaid[R any](scope func(R) string) Option[R] {
	return func(c *config[R]) { c.scopeUnlessSaid = scope }
}

// Outgoing is for bindings of clients: the gate's requests are sent, and not those that are served.
func Outgoing[R any]() Option[R] {
	return func(c *config[R]) { c.isOutgoing = true }
}

// InNamespace keeps the keys apart from those of other namespaces of the engine.
func InNamespace[R any](ns *idem.Namespace) Option[R] {
	return func(c *config[R]) { c.namespace = ns }
}

// KeyBy finds keys otherwise than in the policy's header: in another one, in the path. Empty: as
// the policy has it.
func KeyBy[R any](key func(R) string) Option[R] {
	return func(c *config[R]) { c.key = key }
}

// FingerprintBy says more that counts of a request, after what the policy says: a hash of one's
// own, or a field that the policy does not know. It is given the body, which is held for it.
func FingerprintBy[R any](says func(request R, body []byte) []byte) Option[R] {
	return func(c *config[R]) { c.says = says }
}

// RenderBy renders refusals otherwise than as problem details: their media type and body. An empty
// media type: as always.
func RenderBy[R any](render func(R, Refusal) (mediaType string, body []byte)) Option[R] {
	return func(c *config[R]) { c.render = render }
}

// RedactBy changes responses before they are stored: what must not be at rest is taken out.
func RedactBy[R any](redact func(*Stored)) Option[R] {
	return func(c *config[R]) { c.redact = redact }
}

// StreamResponses sends responses that a handler flushes while they are being stored, instead of
// holding them until they are. The promise is weaker: a client may have an answer that a retry does
// not get, because the one or the other went wrong before its end; and a client that goes away in
// the middle interrupts its request. Nor is such an answer marked, or said how long it is kept.
func StreamResponses[R any]() Option[R] {
	return func(c *config[R]) { c.streams = true }
}

// OnExecuted is told what became of a response, before it is sent.
func OnExecuted[R any](hook func(R, Fate)) Option[R] {
	return func(c *config[R]) { c.executed = append(c.executed, hook) }
}

// OnReplayed is told of a request that is answered as it was before.
func OnReplayed[R any](hook func(R)) Option[R] {
	return func(c *config[R]) { c.replayed = append(c.replayed, hook) }
}

// OnRefused is told of a request that is refused, and why: a code as Refusal has it.
func OnRefused[R any](hook func(request R, code string)) Option[R] {
	return func(c *config[R]) { c.refused = append(c.refused, hook) }
}

// OnInterrupted is told of a handler that panicked, or whose response was cut off.
func OnInterrupted[R any](hook func(R)) Option[R] {
	return func(c *config[R]) { c.interrupted = append(c.interrupted, hook) }
}

// All is several options as one.
func All[R any](options ...Option[R]) Option[R] {
	return func(c *config[R]) {
		for _, option := range options {
			option(c)
		}
	}
}

func (c *config[R]) apply(options []Option[R]) error {
	for _, option := range options {
		if option == nil {
			return fmt.Errorf("%w: an option is nil", idem.ErrInvalid)
		}
		option(c)
	}
	if c.scope == nil && !c.isGlobal {
		c.scope = c.scopeUnlessSaid
	}
	if (c.scope == nil) != c.isGlobal {
		return fmt.Errorf("%w: say whose keys they are, by either ScopeBy or GlobalScope",
			idem.ErrInvalid)
	}
	return nil
}
