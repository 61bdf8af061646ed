package idem

import (
	"runtime"
	"time"
)

// HaltToken names one halt of a key: Resolve settles that one, and no later one.
type HaltToken uint32

// Peeked is what has become of a key.
type Peeked struct {
	State State
	// Reason is of StateCancelled and StateHalted.
	Reason Reason
	// IsError: the response is an error that the owner shared and kept.
	IsError bool
	// HasResponse: of StateCompleted, whether the response was kept.
	HasResponse bool
	// Halt is of StateHalted.
	Halt HaltToken
	// Len is how many bytes the response has.
	Len  int
	Info Info
}

// Peek says what has become of a key, without claiming it: nobody is registered and nothing is
// counted. It says what was; to act on it, claim.
func (e *Engine) Peek(key Key) (Peeked, error) {
	return e.peek(&key, nil, false)
}

// PeekResponse is as Peek, with a copy of the response; nil if there is none.
func (e *Engine) PeekResponse(key Key) (Peeked, []byte, error) {
	buffer := make([]byte, shortResponse)
	for {
		peeked, err := e.peek(&key, buffer, true)
		if err != nil || !peeked.HasResponse {
			return peeked, nil, err
		}
		if peeked.Len <= len(buffer) {
			return peeked, buffer[:peeked.Len:peeked.Len], nil
		}
		buffer = make([]byte, peeked.Len)
	}
}

func (e *Engine) peek(key *Key, buffer []byte, wantsBytes bool) (Peeked, error) {
	calls := e.enter()
	if calls == nil {
		return Peeked{}, ErrClosed
	}
	defer calls.exit()
	var ask cAsk
	if err := key.ask(e, &ask); err != nil {
		return Peeked{}, err
	}
	peeked, status := crossPeek(e.c, &ask, key, buffer, wantsBytes)
	runtime.KeepAlive(key.ns)
	if status == statusBuffer {
		status = statusOK
	}
	return peeked, statusError(status)
}

// act does something to a key.
func (e *Engine) act(key *Key, made *terms, response []byte, act *cAct) error {
	calls := e.enter()
	if calls == nil {
		return ErrClosed
	}
	defer calls.exit()
	var ask cAsk
	if err := key.ask(e, &ask); err != nil {
		return err
	}
	made.into(&ask)
	status := crossAct(e.c, &ask, key, response, act)
	runtime.KeepAlive(key.ns)
	e.pollIfAwaited()
	return statusError(status)
}

// Once is whether this is the first time that the key is seen within its retention: for webhooks
// and messages of queues, where no response is stored. Of any number of calls at once one is the
// first. The key counts as seen from then on, whatever becomes of the work; Forget releases it.
// ErrUndecided: the key is in flight or halted elsewhere, or was used with another fingerprint, or
// the engine is closed. ErrFull: no room. Options: WithRetention, more than 0, WithFingerprint.
func (e *Engine) Once(key Key, options ...Option) (first bool, err error) {
	var made terms
	if err := made.apply(options, optRetention|optFingerprint); err != nil {
		return false, err
	}
	act := cAct{what: actOnce, retention_ms: cWord(made.retention)}
	made.retention = 0
	err = e.act(&key, &made, nil, &act)
	return act.came != 0, err
}

// Forget removes the record of a key: the next claim executes. A key in flight or halted is left
// alone, as the Removal says.
func (e *Engine) Forget(key Key) (Removal, error) {
	act := cAct{what: actForget}
	err := e.act(&key, &terms{}, nil, &act)
	return Removal(act.came), err
}

// ForgetForced is as Forget, also of a key in flight, whose owner's calls get ErrStale and whose
// waiters get ErrCancelled with ReasonForgotten; and of a halted one.
func (e *Engine) ForgetForced(key Key) (Removal, error) {
	act := cAct{what: actForget, is_forced: 1}
	err := e.act(&key, &terms{}, nil, &act)
	return Removal(act.came), err
}

// Detach makes a key that is in flight vacant, while its owner goes on for those who wait for it
// already: the next claim executes beside it. What the owner completes is given to its waiters and
// not stored. It returns whether the key was in flight.
func (e *Engine) Detach(key Key) (bool, error) {
	act := cAct{what: actDetach}
	err := e.act(&key, &terms{}, nil, &act)
	return act.came != 0, err
}

// ForceEnd ends the lease of a key, as if its owner had given up, for ReasonForced; its owner's
// calls get ErrStale. It returns whether anybody had a lease. Options: WithOnEnd.
func (e *Engine) ForceEnd(key Key, options ...Option) (bool, error) {
	var made terms
	if err := made.apply(options, optOnEnd); err != nil {
		return false, err
	}
	act := cAct{what: actForceEnd, on_end: cHalf(made.onEnd)}
	err := e.act(&key, &terms{}, nil, &act)
	return act.came != 0, err
}

// A Resolution is how a halted key is to be settled.
type Resolution struct {
	what     uint32
	response []byte
}

// ResolveComplete: it was done, and this is the response.
func ResolveComplete(response []byte) Resolution { return Resolution{1, response} }

// ResolveRelease: it was not done, and the key is free.
func ResolveRelease() Resolution { return Resolution{what: 2} }

// ResolveKeep: it stays halted, for the halted retention from now on.
func ResolveKeep() Resolution { return Resolution{what: 3} }

// Resolve settles a halted key. halt says which halt is meant: Peek and Records have it. ErrStale:
// the key is not halted any more, or was halted once more. Options: WithRetention, for
// ResolveComplete, whose default is a day.
func (e *Engine) Resolve(
	key Key, halt HaltToken, resolution Resolution, options ...Option,
) (Completion, error) {
	var made terms
	if err := made.apply(options, optRetention); err != nil {
		return 0, err
	}
	act := cAct{what: actResolve, halt: cHalf(halt), resolution: cHalf(resolution.what),
		retention_ms: cWord(made.retention)}
	err := e.act(&key, &terms{}, resolution.response, &act)
	if err != nil || resolution.what != 1 {
		return 0, err
	}
	return Completion(act.came), nil
}

// KeyHash is the hash that stands for a key in the listing: to find it there, and to log it
// instead of the key. It is good until the key's namespace is cleared.
func (e *Engine) KeyHash(key Key) ([16]byte, error) {
	act := cAct{what: actHash}
	err := e.act(&key, &terms{}, nil, &act)
	return actHashOf(&act), err
}

// Clear clears the default namespace in one step, however large it is: from now on none of its
// keys has a record. Owners of keys in flight go on for those who wait for them already, and are
// told Detached: an old and a new execution of one key may overlap.
func (e *Engine) Clear() error { return e.clear(0) }

func (e *Engine) clear(ns uint64) error {
	calls := e.enter()
	if calls == nil {
		return ErrClosed
	}
	defer calls.exit()
	return statusError(crossClear(e.c, ns))
}

// A Namespace of an engine: the same key in two of them is two keys. Look it up once and keep it;
// it is good until the engine is closed.
type Namespace struct {
	handle *nsHandle
}

type nsHandle struct {
	engine *Engine
	c      uint64
	// Of a Group's: its name, which another may have afterwards.
	reuse string
}

// NamespaceConfig is how a namespace differs from its engine. Zero is as the engine has it, and of
// limits none.
type NamespaceConfig struct {
	// Lease is how long an owner may take.
	Lease time.Duration
	// Retention is how long responses are kept; None: they only go to those who wait.
	Retention time.Duration
	// Records and Bytes are the limits of the namespace.
	Records int
	Bytes   int64
	// RecordsPerScope and BytesPerScope are those of each scope in it.
	RecordsPerScope int
	BytesPerScope   int64
	// OnAbandon and OnExpiry are as of Config.
	OnAbandon, OnExpiry OnEnd
}

// Namespace is the namespace of this name, UTF-8 of 1 to 65536 bytes, which is made when it is
// first named. config is put on record for all who name it from now on; its limits are set by
// whoever names it first, and stay: others are ErrInvalid. Nil: on the terms that are on record,
// or else the engine's.
func (e *Engine) Namespace(name string, config *NamespaceConfig) (*Namespace, error) {
	calls := e.enter()
	if calls == nil {
		return nil, ErrClosed
	}
	defer calls.exit()
	c, err := crossNamespace(e.c, name, config)
	if err != nil {
		return nil, err
	}
	return e.namespace(c, ""), nil
}

// namespace is that of a handle; reuse is its name if another Group may have it afterwards.
func (e *Engine) namespace(c uint64, reuse string) *Namespace {
	handle := &nsHandle{e, c, reuse}
	e.lock.Lock()
	e.namespaces[handle] = struct{}{}
	e.lock.Unlock()
	ns := &Namespace{handle}
	runtime.AddCleanup(ns, func(handle *nsHandle) { handle.engine.freeNamespace(handle) }, handle)
	return ns
}

// freeNamespace frees the handle of a namespace that nobody has any more.
func (e *Engine) freeNamespace(handle *nsHandle) {
	calls := e.enter()
	if calls == nil {
		// The engine's end frees it, or has.
		return
	}
	defer calls.exit()
	e.lock.Lock()
	_, isThere := e.namespaces[handle]
	delete(e.namespaces, handle)
	e.lock.Unlock()
	if !isThere {
		return
	}
	if handle.reuse != "" {
		// What it kept goes first, so that who has it next finds nothing.
		if crossClear(e.c, handle.c) == statusOK {
			e.lock.Lock()
			e.groupNames = append(e.groupNames, handle.reuse)
			e.lock.Unlock()
		}
	}
	crossNamespaceFree(handle.c)
}

// Clear is as Engine.Clear, for this namespace.
func (n *Namespace) Clear() error {
	if n == nil || n.handle == nil {
		return errOtherEngine
	}
	err := n.handle.engine.clear(n.handle.c)
	runtime.KeepAlive(n)
	return err
}
