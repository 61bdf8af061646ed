package idem

import "time"

// An Option changes the terms of one call. Each says which calls take it; elsewhere it is
// ErrInvalid.
type Option struct {
	what optionKind
	n    uint64
	time time.Duration
	fp   Fingerprint
}

type optionKind uint32

const (
	optLease optionKind = 1 << iota
	optRetention
	optOwner
	optFingerprint
	optNoWait
	optNoExecute
	optOnExpiry
	optOnAbandon
	optMaxRun
	optFinish
	optOnError
	optReason
	optOnEnd

	claimOptions = optRetention | optFingerprint | optNoWait | optNoExecute | optOnExpiry |
		optOnAbandon
)

var optionNames = map[optionKind]string{
	optLease: "WithLease", optRetention: "WithRetention", optOwner: "WithOwner",
	optFingerprint: "WithFingerprint", optNoWait: "WithNoWait", optNoExecute: "WithNoExecute",
	optOnExpiry: "WithOnExpiry", optOnAbandon: "WithOnAbandon", optMaxRun: "WithMaxRun",
	optFinish: "WithFinish", optOnError: "WithOnError", optReason: "WithReason",
	optOnEnd: "WithOnEnd",
}

// WithLease is how long the owner may take, more than 0 and at most ten years. For claims; the
// default is the namespace's, and then Config.Lease. Do has WithMaxRun instead.
func WithLease(time time.Duration) Option { return Option{what: optLease, time: time} }

// WithRetention is how long the response is kept, at most ten years; 0 or None: it only goes to
// those who wait. For claims, Do, Lease.Complete, Lease.Fail, Once and Resolve. What Complete says
// goes before what the claim said, and that before the namespace.
func WithRetention(time time.Duration) Option { return Option{what: optRetention, time: time} }

// WithOwner is a label, less than 1<<63, that others see while the key is in flight. For people,
// not for fencing. For claims; Do has labels of its own.
func WithOwner(label uint64) Option { return Option{what: optOwner, n: label} }

// WithFingerprint binds the key to what the request says: another fingerprint under the same key is
// ErrMismatch. For claims, Do and Once.
func WithFingerprint(fingerprint Fingerprint) Option {
	return Option{what: optFingerprint, fp: fingerprint}
}

// WithNoWait does not wait if somebody else executes: a claim is then InFlight without a Waiter,
// and Do returns ErrInFlight. For claims and Do.
func WithNoWait() Option { return Option{what: optNoWait} }

// WithNoExecute never takes over, as a waiter, from an owner that gives up. For claims and Do.
func WithNoExecute() Option { return Option{what: optNoExecute} }

// WithOnExpiry is what becomes of the key if the lease runs out. For claims and Do.
func WithOnExpiry(policy OnEnd) Option { return Option{what: optOnExpiry, n: uint64(policy)} }

// WithOnAbandon is what becomes of the key if the lease is abandoned: by Lease.Abandon, and in Do
// by a panic or runtime.Goexit. For claims and Do.
func WithOnAbandon(policy OnEnd) Option { return Option{what: optOnAbandon, n: uint64(policy)} }

// WithMaxRun is how long the function may run before others may take over, more than 0 and at most
// ten years. For Do; the default is Config.MaxRun.
func WithMaxRun(time time.Duration) Option { return Option{what: optMaxRun, time: time} }

// WithFinish lets the function run to its end, also when nobody waits for it any more. For Do.
func WithFinish() Option { return Option{what: optFinish} }

// WithOnError is what becomes of the key if the function returns an error. For Do; the default is
// ShareError.
func WithOnError(policy OnError) Option { return Option{what: optOnError, n: uint64(policy)} }

// WithKeepError shares the function's error with those who wait, and keeps its text for a time,
// more than 0 and at most ten years: until then Do returns a FailedError. For Do.
func WithKeepError(time time.Duration) Option {
	return Option{what: optOnError, n: uint64(keepError), time: time}
}

// WithReason is the owner's own code of why it gave up. For Lease.Cancel and Lease.Halt.
func WithReason(code uint16) Option { return Option{what: optReason, n: uint64(ReasonOf(code))} }

// WithOnEnd is what becomes of a key whose lease is cancelled, or ended by force: HandOver by
// default. For Lease.Cancel and ForceEnd.
func WithOnEnd(policy OnEnd) Option { return Option{what: optOnEnd, n: uint64(policy)} }

// OnError is what becomes of a key if the function of Do returns an error.
type OnError uint8

const (
	// ShareError: everybody who waits gets the same error; nothing is kept, and the next call
	// executes.
	ShareError OnError = iota
	// HandOverOnError: whoever has waited longest executes next; only the caller gets the error.
	HandOverOnError
	// HaltOnError: the outcome is unknown; nobody executes until the halted retention ends or
	// Resolve.
	HaltOnError

	keepError
)

// terms are options, put together. Zero is the default of each.
type terms struct {
	lease, retention, owner, maxRun, errorRetention uint64
	fingerprint                                     Fingerprint
	flags, onExpiry, onAbandon, onEnd, reason       uint32
	onError                                         OnError
	finish                                          bool
	// Of a Group: waiters are told who has the value.
	isValued bool
}

// apply puts options into terms; an option that is not allowed is an error.
func (t *terms) apply(options []Option, allowed optionKind) error {
	for i := range options {
		option := &options[i]
		if option.what&allowed == 0 {
			if name, ok := optionNames[option.what]; ok {
				return invalid("%s is no option of this call", name)
			}
			return invalid("an empty option")
		}
		if err := t.set(option); err != nil {
			return err
		}
	}
	return nil
}

func (t *terms) set(option *Option) (err error) {
	switch option.what {
	case optLease:
		t.lease, err = someTime("WithLease", option.time)
	case optRetention:
		t.retention, err = anyTime("WithRetention", option.time)
	case optOwner:
		if t.owner = option.n; option.n >= handleBit {
			err = invalid("WithOwner: a label is less than 1<<63")
		}
	case optFingerprint:
		if t.fingerprint = option.fp; !option.fp.made {
			err = invalid("WithFingerprint: the zero Fingerprint is none")
		}
		t.flags |= flagFingerprint
	case optNoWait:
		t.flags |= flagNoWait
	case optNoExecute:
		t.flags |= flagNoExecute
	case optOnExpiry:
		t.onExpiry = uint32(option.n)
	case optOnAbandon:
		t.onAbandon = uint32(option.n)
	case optMaxRun:
		t.maxRun, err = someTime("WithMaxRun", option.time)
	case optFinish:
		t.finish = true
	case optOnError:
		if t.onError = OnError(option.n); option.n > uint64(keepError) {
			err = invalid("WithOnError: unknown policy %d", option.n)
		}
		if t.onError == keepError {
			t.errorRetention, err = someTime("WithKeepError", option.time)
		}
	case optReason:
		t.reason = uint32(option.n)
	case optOnEnd:
		t.onEnd = uint32(option.n)
	}
	return err
}

// into puts the terms of a claim into what is asked.
func (t *terms) into(ask *cAsk) {
	ask.lease_ms = cWord(t.lease)
	ask.retention_ms = cWord(t.retention)
	ask.owner = cWord(t.owner)
	ask.flags = cHalf(t.flags)
	ask.on_expiry = cHalf(t.onExpiry)
	ask.on_abandon = cHalf(t.onAbandon)
	if t.flags&flagFingerprint != 0 {
		setBits(&ask.fingerprint, &t.fingerprint.bits)
	}
}

const longest = 3650 * 24 * time.Hour

// anyTime is a duration in milliseconds, rounded up; none at all, as 0 or None, is said so.
func anyTime(option string, d time.Duration) (uint64, error) {
	if d == 0 || d == None {
		return none, nil
	}
	if d < 0 || d > longest {
		return 0, invalid("%s: %v is not within 0 and ten years", option, d)
	}
	return millis(d), nil
}

// someTime is a duration in milliseconds, rounded up, that is more than none.
func someTime(option string, d time.Duration) (uint64, error) {
	if d <= 0 || d > longest {
		return 0, invalid("%s: %v is not more than 0 and at most ten years", option, d)
	}
	return millis(d), nil
}

// millis rounds up, so that nothing ends early.
func millis(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return uint64((d + time.Millisecond - 1) / time.Millisecond)
}
