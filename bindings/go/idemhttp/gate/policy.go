package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/seam"
)

// A Profile is the name of a policy to begin with.
type Profile string

// The profiles.
const (
	// IETF is draft-ietf-httpapi-idempotency-key-header-07.
	IETF Profile = "ietf"
	// StripeV1 keeps failures of the server as well; keys are optional.
	StripeV1 Profile = "stripe_v1"
	// StripeV2 keeps successes for 30 days; failures run again.
	StripeV2 Profile = "stripe_v2"
	// Coalesce has no keys: identical requests at the same time are one.
	Coalesce Profile = "coalesce"
)

// Policy is how requests are told apart, what becomes of their responses, and what duplicates get.
// What is not said is as in the profile. The library reads it and says what is wrong; nothing of it
// is decided here.
type Policy struct {
	// Profile is where it begins. Text, if there is one, may name it instead.
	Profile Profile
	// Text is JSON, as {"profile": "ietf", "retention_ms": 60000}: everything that can be said, by
	// the names of http/README.md. The fields below go before what it says.
	Text string

	// Header is the header that keys are in.
	Header string
	// Methods that it is about; others pass.
	Methods []string
	// ExcludedPaths pass: these, and all below them.
	ExcludedPaths []string
	// RequireKey is whether a request without a key is refused.
	RequireKey Switch
	// Lenient is whether keys may be written without quotes.
	Lenient Switch
	// Wait is how long a duplicate waits for the first one's answer; idem.None: it is refused at
	// once.
	Wait time.Duration
	// Replay is whether an answer is replayed; otherwise duplicates get a conflict.
	Replay Switch
	// Retention is how long an answer is kept; idem.None: it is only shared with those who wait.
	Retention time.Duration
	// Lease is how long a handler may take before others may take over, if its lease is not kept
	// alive: as for a process that hangs.
	Lease time.Duration
	// MaxRun is how long a lease is kept alive for a handler at work.
	MaxRun time.Duration
	// BodyMax is the most bytes of a request's body; a longer one is refused.
	BodyMax int
	// BodyTimeout is how long it may take to come.
	BodyTimeout time.Duration
	// ResponseMax is the most bytes of a response's body that are kept.
	ResponseMax int
	// Fates are what becomes of responses by status: the first rule that fits. All of them.
	Fates []Rule
	// ReplayHeader is the name and the value that a replay is marked with: "Name: value".
	ReplayHeader string
	// UnstoredHeaders are header fields that are not stored, besides those of the connection.
	UnstoredHeaders []string
	// Statuses of refusals, by their codes, where they are not the usual ones.
	Statuses map[string]int
	// Documentation is an address where refusals are documented.
	Documentation string
}

// A Switch is on, off, or as the profile has it.
type Switch uint8

// The positions of a Switch; zero is as the profile has it.
const (
	On  Switch = 1
	Off Switch = 2
)

// A Rule is of statuses from one to another, both included.
type Rule struct {
	From, To int
	Fate     Fate
	// For is how long, with KeepFor.
	For time.Duration
}

// JSON is the policy as the library reads it.
func (p Policy) JSON() (string, error) {
	said := make(map[string]any)
	if p.Text != "" {
		decoder := json.NewDecoder(strings.NewReader(p.Text))
		decoder.UseNumber()
		if err := decoder.Decode(&said); err != nil {
			return "", fmt.Errorf("%w: the policy's text: %w", idem.ErrInvalid, err)
		}
		if decoder.More() || said == nil {
			return "", fmt.Errorf("%w: the policy's text: not one object", idem.ErrInvalid)
		}
	}
	if err := p.say(said); err != nil {
		return "", fmt.Errorf("%w: the policy: %w", idem.ErrInvalid, err)
	}
	text, err := json.Marshal(said)
	return string(text), err
}

// Whole is all of the policy, as JSON: what it says and what its profile does.
func (p Policy) Whole() (string, error) {
	text, err := p.JSON()
	if err != nil {
		return "", err
	}
	return seam.Policy(text)
}

func (p *Policy) say(said map[string]any) error {
	if p.Profile != "" {
		said["profile"] = p.Profile
	}
	text := func(name, value string) {
		if value != "" {
			said[name] = value
		}
	}
	list := func(name string, values []string) {
		if values != nil {
			said[name] = values
		}
	}
	choice := func(name string, of Switch, on, off any) {
		switch of {
		case On:
			said[name] = on
		case Off:
			said[name] = off
		}
	}
	count := func(name string, value int) {
		if value != 0 {
			said[name] = max(value, 0)
		}
	}
	text("header", p.Header)
	list("methods", p.Methods)
	list("excluded_paths", p.ExcludedPaths)
	list("unstored_headers", p.UnstoredHeaders)
	choice("require_key", p.RequireKey, true, false)
	choice("syntax", p.Lenient, "lenient", "strict")
	choice("replay", p.Replay, true, false)
	count("body_max", p.BodyMax)
	count("response_max", p.ResponseMax)
	if p.Statuses != nil {
		said["statuses"] = p.Statuses
	}
	if p.Documentation != "" {
		said["documentation"] = map[string]any{"address": p.Documentation}
	}
	if p.ReplayHeader != "" {
		name, value, found := strings.Cut(p.ReplayHeader, ":")
		if !found {
			return errors.New("ReplayHeader: not a name, a colon and a value")
		}
		said["replay_header"] = map[string]any{
			"name": strings.TrimSpace(name), "replay": strings.TrimSpace(value),
		}
	}
	return errors.Join(p.sayTimes(said), p.sayFates(said))
}

func (p *Policy) sayTimes(said map[string]any) error {
	for _, time := range []struct {
		name  string
		value time.Duration
	}{
		{"retention_ms", p.Retention}, {"lease_ms", p.Lease}, {"max_run_ms", p.MaxRun},
		{"body_timeout_ms", p.BodyTimeout},
	} {
		if time.value != 0 {
			ms, err := millis(time.value)
			if err != nil {
				return fmt.Errorf("%s: %w", time.name, err)
			}
			said[time.name] = ms
		}
	}
	switch {
	case p.Wait == idem.None:
		said["while_in_flight"] = "refuse"
	case p.Wait != 0:
		ms, err := millis(p.Wait)
		if err != nil {
			return fmt.Errorf("field Wait: %w", err)
		}
		said["while_in_flight"] = map[string]any{"wait_ms": ms}
	}
	return nil
}

func (p *Policy) sayFates(said map[string]any) error {
	if p.Fates == nil {
		return nil
	}
	names := map[Fate]string{Keep: "keep", Share: "share", Release: "release", Halt: "halt"}
	rules := []any{}
	for _, rule := range p.Fates {
		var fate any = names[rule.Fate]
		if rule.Fate == KeepFor {
			ms, err := millis(rule.For)
			if err != nil {
				return fmt.Errorf("field Fates: %w", err)
			}
			fate = map[string]any{"keep_for_ms": ms}
		}
		rules = append(rules, map[string]any{"from": rule.From, "to": rule.To, "fate": fate})
	}
	said["fates"] = rules
	return nil
}

// millis is a duration in milliseconds, rounded up; None is none.
func millis(time time.Duration) (uint64, error) {
	if time == idem.None {
		return 0, nil
	}
	if time < 0 {
		return 0, fmt.Errorf("%v is less than 0", time)
	}
	return ceiling(time), nil
}

func ceiling(d time.Duration) uint64 {
	const ms = time.Millisecond
	return uint64(d/ms) + uint64(min(d%ms, 1))
}
