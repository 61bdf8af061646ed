package gate

import (
	"context"
	"time"

	"libidem.dev/go/internal/seam"
)

// A Control is a handler's say in what becomes of its request. Any goroutine may use it; saying it
// again replaces what was said, and once the request is over nothing changes any more. The methods
// return idem.ErrStale then.
//
// The methods of a nil Control do nothing: so a handler need not know whether its request has a
// key.
type Control struct {
	request seam.Request
	ticket  *Ticket
	// It is of a request that is sent, not served.
	isOutgoing bool
}

// SideEffectsBegan says that from here on the request has effects that cannot be taken back: if the
// handler is interrupted the key is not simply free again, but what the policy says.
func (c *Control) SideEffectsBegan() error {
	if c == nil {
		return nil
	}
	return c.request.SideEffectsBegan()
}

// Keep: the response is kept and replayed, whatever its status.
func (c *Control) Keep() error { return c.say(Keep, 0) }

// KeepFor is the same, for this long.
func (c *Control) KeepFor(time time.Duration) error {
	ms := uint64(seam.Zero)
	if time > 0 {
		ms = ceiling(time)
	}
	return c.say(KeepFor, ms)
}

// Share: those who wait get the response; it is not kept.
func (c *Control) Share() error { return c.say(Share, 0) }

// Release: the key is free once the response is sent.
func (c *Control) Release() error { return c.say(Release, 0) }

// Halt: nobody executes until the halted retention is over, or an operator settles it.
func (c *Control) Halt() error { return c.say(Halt, 0) }

func (c *Control) say(fate Fate, ms uint64) error {
	if c == nil {
		return nil
	}
	return c.request.Say(fate, ms)
}

// Renew keeps the lease alive for as long as the policy's lease from now on. That is done anyway,
// up to the policy's MaxRun; what is of interest is idem.ErrStale: the lease is over, and somebody
// else may have taken over.
func (c *Control) Renew() error {
	if c == nil {
		return nil
	}
	return c.request.Renew()
}

// Lost is closed when a renewal has found that the lease is over while the handler is at work; or,
// at the policy's MaxRun, that it is renewed no more. Nil of a nil Control: never.
func (c *Control) Lost() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.ticket.lost
}

// Overrides is what one request has otherwise than its policy. Zero is as the policy has it.
type Overrides struct {
	// Key, whatever its header says.
	Key string
	// Scope is whose keys its is among, as an outer layer has found out.
	Scope string
	// Retention is how long its answer is kept; idem.None: not at all.
	Retention time.Duration
	// Wait is how long it waits if it is a duplicate; idem.None: for nothing.
	Wait time.Duration
	// Off: it passes.
	Off bool
}

type (
	controlKey   struct{}
	overridesKey struct{}
)

// NewContext is a context for the handler of a ticket. Overrides were its request's, and are not in
// it.
func NewContext(ctx context.Context, ticket *Ticket) context.Context {
	return context.WithValue(WithoutOverrides(ctx), controlKey{}, ticket.control)
}

// FromContext is the Control of the request that a handler is at work on; nil if it has none.
func FromContext(ctx context.Context) *Control {
	control, _ := ctx.Value(controlKey{}).(*Control)
	return control
}

// WithOverrides is a context for a request that differs from its policy. Set it outside of the
// middleware.
func WithOverrides(ctx context.Context, overrides Overrides) context.Context {
	return context.WithValue(ctx, overridesKey{}, &overrides)
}

// WithoutOverrides is a context for what comes after a request that passed: calls that are made
// with it are others.
func WithoutOverrides(ctx context.Context) context.Context {
	if overridesOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, overridesKey{}, (*Overrides)(nil))
}

func overridesOf(ctx context.Context) *Overrides {
	overrides, _ := ctx.Value(overridesKey{}).(*Overrides)
	return overrides
}

func (o *Overrides) into(head *Head) {
	if o.Key != "" {
		head.Key = o.Key
	}
	if o.Scope != "" {
		head.Scope, head.IsGlobal = o.Scope, false
	}
	head.Retention, head.Wait = override(o.Retention), override(o.Wait)
	head.IsOff = o.Off
}

// override is a duration as the library has it: 0 the policy's, below 0 none.
func override(time time.Duration) uint64 {
	if time < 0 {
		return seam.Zero
	}
	return ceiling(time)
}
