package idemhttp

import (
	"context"
	"net/http"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp/gate"
)

// Policy is how requests are told apart, what becomes of their responses, and what duplicates get.
type Policy = gate.Policy

// A Rule of a Policy says what becomes of responses by their status.
type Rule = gate.Rule

// The profiles that a Policy begins with.
const (
	IETF     = gate.IETF
	StripeV1 = gate.StripeV1
	StripeV2 = gate.StripeV2
	Coalesce = gate.Coalesce
)

// The positions of a Policy's switches.
const (
	On  = gate.On
	Off = gate.Off
)

// Fate is what becomes of a response.
type Fate = gate.Fate

// The fates of a response.
const (
	Keep    = gate.Keep
	KeepFor = gate.KeepFor
	Share   = gate.Share
	Release = gate.Release
	Halt    = gate.Halt
)

type (
	// A Refusal is why a request is not served.
	Refusal = gate.Refusal
	// Stored is a response as it is to be stored.
	Stored = gate.Stored
	// A Control is a handler's say in what becomes of its request.
	Control = gate.Control
	// Overrides is what one request has otherwise than its policy.
	Overrides = gate.Overrides
)

// FromContext is the Control of the request that a handler is at work on. It is nil if that has no
// key; the methods of a nil Control do nothing.
func FromContext(ctx context.Context) *Control { return gate.FromContext(ctx) }

// WithOverrides is a context for a request that differs from its policy: for a layer outside of the
// gate, or for outgoing requests.
func WithOverrides(ctx context.Context, overrides Overrides) context.Context {
	return gate.WithOverrides(ctx, overrides)
}

// An Option changes a Gate or a Transport.
type Option = gate.Option[*http.Request]

// ScopeBy says whose keys a request's is among: a stable name of the user, tenant or account, which
// authentication has found out, and nothing that the client could choose. Every gate has it, or
// GlobalScope. An empty name is none, and refused.
func ScopeBy(scope func(*http.Request) string) Option { return gate.ScopeBy(scope) }

// GlobalScope is for services with one tenant: clients that choose the same key share it.
func GlobalScope() Option { return gate.GlobalScope[*http.Request]() }

// InNamespace keeps the keys apart from those of other namespaces of the engine.
func InNamespace(ns *idem.Namespace) Option { return gate.InNamespace[*http.Request](ns) }

// KeyBy finds keys otherwise than in the policy's header: in another one, in the path. Empty: as
// the policy has it.
func KeyBy(key func(*http.Request) string) Option { return gate.KeyBy(key) }

// FingerprintBy says more that counts of a request, after what the policy says. It is given the
// body, which is held for it.
func FingerprintBy(says func(r *http.Request, body []byte) []byte) Option {
	return gate.FingerprintBy(says)
}

// RenderBy renders refusals otherwise than as problem details: their media type and body. An empty
// media type: as always.
func RenderBy(render func(*http.Request, Refusal) (mediaType string, body []byte)) Option {
	return gate.RenderBy(render)
}

// RedactBy changes responses before they are stored: what must not be at rest is taken out.
func RedactBy(redact func(*Stored)) Option { return gate.RedactBy[*http.Request](redact) }

// StreamResponses sends what a handler flushes while it is being stored, instead of holding it
// until it is. The promise is weaker: a client may have an answer that a retry does not get,
// because the one or the other went wrong before its end; and a client that goes away in the middle
// interrupts its request. Nor is such an answer marked, or said how long it is kept.
func StreamResponses() Option { return gate.StreamResponses[*http.Request]() }

// OnExecuted is told what became of a response, before it is sent.
func OnExecuted(hook func(*http.Request, Fate)) Option { return gate.OnExecuted(hook) }

// OnReplayed is told of a request that is answered as it was before.
func OnReplayed(hook func(*http.Request)) Option { return gate.OnReplayed(hook) }

// OnRefused is told of a request that is refused, and why, as the code of a Refusal has it.
func OnRefused(hook func(r *http.Request, code string)) Option { return gate.OnRefused(hook) }

// OnInterrupted is told of a handler that panicked, or whose response was cut off.
func OnInterrupted(hook func(*http.Request)) Option { return gate.OnInterrupted(hook) }
