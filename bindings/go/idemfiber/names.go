package idemfiber

import (
	"github.com/gofiber/fiber/v2"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp/gate"
)

// Policy is how requests are told apart, what becomes of their responses, and what duplicates get.
type Policy = gate.Policy

// The profiles that a Policy begins with.
const (
	IETF     = gate.IETF
	StripeV1 = gate.StripeV1
	StripeV2 = gate.StripeV2
	Coalesce = gate.Coalesce
)

type (
	// Fate is what becomes of a response.
	Fate = gate.Fate
	// A Refusal is why a request is not served.
	Refusal = gate.Refusal
	// Stored is a response as it is to be stored.
	Stored = gate.Stored
	// Overrides is what one request has otherwise than its policy.
	Overrides = gate.Overrides
	// An Option changes a middleware.
	Option = gate.Option[*fiber.Ctx]
)

// ScopeBy says whose keys a request's is among: a stable name of the user, tenant or account, which
// authentication has found out, and nothing that the client could choose. Every middleware has it,
// or GlobalScope. An empty name is none, and refused.
func ScopeBy(scope func(*fiber.Ctx) string) Option { return gate.ScopeBy(scope) }

// GlobalScope is for services with one tenant: clients that choose the same key share it.
func GlobalScope() Option { return gate.GlobalScope[*fiber.Ctx]() }

// InNamespace keeps the keys apart from those of other namespaces of the engine.
func InNamespace(ns *idem.Namespace) Option { return gate.InNamespace[*fiber.Ctx](ns) }

// KeyBy finds keys otherwise than in the policy's header. Empty: as the policy has it.
func KeyBy(key func(*fiber.Ctx) string) Option { return gate.KeyBy(key) }

// FingerprintBy says more that counts of a request, after what the policy says. It is given the
// body, which is held for it.
func FingerprintBy(says func(c *fiber.Ctx, body []byte) []byte) Option {
	return gate.FingerprintBy(says)
}

// RenderBy renders refusals otherwise than as problem details: their media type and body. An empty
// media type: as always.
func RenderBy(render func(*fiber.Ctx, Refusal) (mediaType string, body []byte)) Option {
	return gate.RenderBy(render)
}

// RedactBy changes responses before they are stored: what must not be at rest is taken out.
func RedactBy(redact func(*Stored)) Option { return gate.RedactBy[*fiber.Ctx](redact) }

// OnExecuted is told what became of a response, before it is sent.
func OnExecuted(hook func(*fiber.Ctx, Fate)) Option { return gate.OnExecuted(hook) }

// OnReplayed is told of a request that is answered as it was before.
func OnReplayed(hook func(*fiber.Ctx)) Option { return gate.OnReplayed(hook) }

// OnRefused is told of a request that is refused, and why, as the code of a Refusal has it.
func OnRefused(hook func(c *fiber.Ctx, code string)) Option { return gate.OnRefused(hook) }

// OnInterrupted is told of a handler that panicked, or whose response was cut off.
func OnInterrupted(hook func(*fiber.Ctx)) Option { return gate.OnInterrupted(hook) }
