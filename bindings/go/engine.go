package idem

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// An Engine has the records, the waiters, and the limits. Any number in a process; they share
// nothing. All of its methods may be called from any goroutine. Close it: what it holds is not
// Go's memory.
type Engine struct {
	gate

	// The library's engine with its queue; zero of one that was not opened.
	c uintptr
	// In the library's memory: waits in the queue. Read inside the gate.
	waits *int64

	tickets ticketTable
	values  valueTable
	failed  failedCalls
	maxRun  uint64
	onPanic func(value any, stack []byte)

	poller     *os.File
	pollerDone chan struct{}
	// Closed when the engine is: whoever still waits ends.
	closed chan struct{}

	lock       sync.Mutex
	isClosing  bool
	namespaces map[*nsHandle]struct{}
	httpGates  map[*httpHandle]struct{}
	// Names of namespaces of groups that are gone, and how many there ever were.
	groupNames []string
	groups     int
	final      Stats
}

// None, as a duration, a count or a size of a Config, and wherever else zero means the default, is
// none at all.
const None = -1

// Config is what an engine is opened with. Zero is the default of each field. Durations are
// rounded up to milliseconds, and at most ten years.
type Config struct {
	// Records is how many keys may have a record, in flight or finished. Default 1 000 000. Address
	// space for all of them, and for Bytes, is reserved at once; memory is taken as it is used.
	Records int
	// Bytes of stored responses, each rounded up to 64 and with 64 besides. Default 256 MiB.
	Bytes int64
	// MaxResponse is the most bytes of one response; of a longer one is only kept that it was done.
	// Default 1 MiB, or what Bytes allows; None: of none are the bytes kept.
	MaxResponse int64
	// Waiters in all. Default 65 536; None: nobody waits.
	Waiters int
	// WaitersPerKey is how many wait for one key. Default 4096; None: nobody waits.
	WaitersPerKey int
	// Lease is how long an owner may take, unless its claim says otherwise. Default 30 s. Do has
	// MaxRun.
	Lease time.Duration
	// Retention is how long responses are kept, unless said otherwise. Default 24 h; None: they
	// only go to those who wait.
	Retention time.Duration
	// CancelledRetention is how long a cancellation is kept. Default none; if there is one,
	// cancels fail all waiters.
	CancelledRetention time.Duration
	// HaltedRetention is how long a halted record refuses to run again. Default 24 h.
	HaltedRetention time.Duration
	// AcceptTimeout is how long a waiter that is handed the lease may take to pick it up. Default
	// 1 s.
	AcceptTimeout time.Duration
	// MaxRun is how long a function of Do may run before others may take over. Default 15 min.
	MaxRun time.Duration
	// OnAbandon is what becomes of a key whose lease is abandoned, OnExpiry of one whose lease
	// runs out.
	OnAbandon, OnExpiry OnEnd
	// Secret keys all hashes, so that fingerprints are good in another engine with the same one.
	// Default (nil) a random one; otherwise 16 bytes.
	Secret []byte
	// TrustedKeys hashes keys by XXH3: faster, and no defence against who chooses the keys.
	TrustedKeys bool
	// NoHelperThread leaves it to Tick to give back the memory of what has expired, and to end
	// leases that ran out. With a Clock there is no helper thread anyway.
	NoHelperThread bool
	// HugePages asks the system for them.
	HugePages bool
	// Prefault makes all memory resident at once.
	Prefault bool
	// Clock is moved by a test; nil: the system's.
	Clock *Clock
	// OnPanic is told of each panic in a function of Do that runs in a goroutine of its own, and
	// on that: its caller gets the value as well, but not the stack, unless it has gone. Nil:
	// panics whose caller has gone are written to the standard log.
	OnPanic func(value any, stack []byte)
}

const defaultMaxRun = 15 * 60 * 1000

// Open opens an engine. What is wrong with the config is ErrInvalid; what the system has not got,
// ErrSystem.
func Open(config Config) (*Engine, error) {
	raw, err := config.raw()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		maxRun: defaultMaxRun, onPanic: config.OnPanic,
		pollerDone: make(chan struct{}), closed: make(chan struct{}),
		namespaces: make(map[*nsHandle]struct{}),
	}
	if config.MaxRun != 0 {
		if e.maxRun, err = someTime("MaxRun", config.MaxRun); err != nil {
			return nil, err
		}
	}
	if config.Clock != nil {
		// It is not freed as long as it is borrowed.
		config.Clock.lock.Lock()
		defer config.Clock.lock.Unlock()
		if config.Clock.c == 0 {
			return nil, invalid("Clock: freed already, or not made by NewClock")
		}
		setClock(&raw, config.Clock.c)
	}
	descriptor, why, status := crossOpen(&raw, e)
	if why != "" {
		return nil, invalid("%s", why)
	}
	if status != statusOK {
		return nil, statusError(status)
	}
	// It is non-blocking, so Go's own poller watches it and no thread sleeps on it.
	e.poller = os.NewFile(uintptr(descriptor), "idem queue")
	connection, err := e.poller.SyscallConn()
	if err == nil {
		err = pollable(connection)
	}
	if err != nil {
		e.poller.Close()
		crossFree(e.c)
		return nil, err
	}
	go e.pollLoop(connection)
	return e, nil
}

// pollable is nil if Go's poller takes the descriptor.
func pollable(connection syscall.RawConn) error {
	return connection.Read(func(uintptr) bool { return true })
}

// Close ends all: leases that have not ended are ended, those who wait for them get ErrCancelled
// with ReasonShutdown or ErrClosed, and every call from here on ErrClosed. It returns when nobody
// is inside the library any more and its memory was given back. Functions of Do that still run are
// told by their context only if nobody waits; join them before you rely on that they have ended.
func (e *Engine) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.CloseWithin(ctx); err != nil && err != context.Canceled {
		return err
	}
	return nil
}

// CloseWithin closes the engine to new keys, which get ErrClosed, and waits until no key is in
// flight: meanwhile replays go on, and owners may finish. When ctx ends first, what is left is cut
// short as Close does, and ctx's error returned. Closing once more waits for the first, which that
// can only bring forward.
//
// It blocks, and so does one thread of its own while leases are waited for.
func (e *Engine) CloseWithin(ctx context.Context) error {
	if ctx == nil {
		return errNoContext
	}
	if e == nil || e.c == 0 {
		return nil
	}
	e.lock.Lock()
	isFirst := !e.isClosing
	e.isClosing = true
	e.lock.Unlock()

	drained := e.closed
	if isFirst {
		drained = make(chan struct{})
		go e.drain(drained)
	}
	var err error
	select {
	case <-drained:
	default:
		select {
		case <-drained:
		case <-ctx.Done():
			err = e.cutShort(ctx)
			<-drained
		}
	}
	if isFirst {
		e.tearDown()
	}
	return err
}

// drain returns when no key is in flight. Where there is no room for it to wait it has to look
// again.
func (e *Engine) drain(drained chan<- struct{}) {
	defer close(drained)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		calls := e.enter()
		if calls == nil {
			return
		}
		status := crossDrain(e.c, forever)
		e.poll()
		calls.exit()
		if status != statusTimedOut {
			return
		}
		time.Sleep(pause)
	}
}

// cutShort ends what is in flight. Nil if nothing is.
func (e *Engine) cutShort(ctx context.Context) error {
	calls := e.enter()
	if calls == nil {
		return nil
	}
	defer calls.exit()
	isCut := crossCutShort(e.c)
	e.poll()
	if !isCut {
		return nil
	}
	return contextError(ctx)
}

// tearDown frees the engine, which nobody can be inside of any more.
func (e *Engine) tearDown() {
	e.poll()
	final, _ := crossStats(e.c)
	e.gate.close()
	e.poll()
	e.poller.Close()
	<-e.pollerDone
	e.lock.Lock()
	e.final = final
	for handle := range e.namespaces {
		crossNamespaceFree(handle.c)
	}
	clear(e.namespaces)
	e.freeHTTPGates()
	e.lock.Unlock()
	// Those who wait for what was detached: their owners cannot finish any more.
	close(e.closed)
	crossFree(e.c)
	e.values.clear()
}

// Tick removes what has expired and ends leases that ran out: a bounded slice of it, and whether
// there may be more to do now. Needed only without the helper thread.
func (e *Engine) Tick() (more bool, err error) {
	calls := e.enter()
	if calls == nil {
		return false, ErrClosed
	}
	defer calls.exit()
	more, status := crossTick(e.c)
	e.poll()
	return more, statusError(status)
}

// enter is the gate's, and nil of an engine that was not opened.
func (e *Engine) enter() *gatePiece {
	if e == nil || e.c == 0 {
		return nil
	}
	return e.gate.enter()
}

// raw is the config as C has it.
func (c *Config) raw() (cConfig, error) {
	var raw cConfig
	to := rawConfig(&raw)
	for _, count := range []struct {
		name  string
		value int64
		field *uint64
	}{
		{"Records", int64(c.Records), to.records}, {"Bytes", c.Bytes, to.bytes},
		{"MaxResponse", c.MaxResponse, to.maxResponse}, {"Waiters", int64(c.Waiters), to.waiters},
		{"WaitersPerKey", int64(c.WaitersPerKey), to.waitersPerKey},
	} {
		if err := setCount(count.name, count.value, count.field); err != nil {
			return raw, err
		}
	}
	for _, duration := range []struct {
		name  string
		value time.Duration
		field *uint64
	}{
		{"Lease", c.Lease, to.lease}, {"Retention", c.Retention, to.retention},
		{"CancelledRetention", c.CancelledRetention, to.cancelledRetention},
		{"HaltedRetention", c.HaltedRetention, to.haltedRetention},
		{"AcceptTimeout", c.AcceptTimeout, to.acceptTimeout},
	} {
		if err := setDuration(duration.name, duration.value, duration.field); err != nil {
			return raw, err
		}
	}
	if c.Secret != nil && len(c.Secret) != 16 {
		return raw, invalid("Secret: %d bytes, not 16", len(c.Secret))
	}
	setChoices(&raw, c)
	return raw, nil
}

// setCount writes a count as C has it: 0 the default, None none.
func setCount(name string, value int64, field *uint64) error {
	switch {
	case value == None:
		*field = none
	case value < 0:
		return invalid("%s: %d is less than 0", name, value)
	default:
		*field = uint64(value)
	}
	return nil
}

// setDuration writes a duration likewise.
func setDuration(name string, value time.Duration, field *uint64) (err error) {
	switch value {
	case None:
		*field = none
	case 0:
	default:
		*field, err = someTime(name, value)
	}
	return err
}

// tellPanic tells of a panic in a function of Do.
func (e *Engine) tellPanic(value any, isReraised bool) {
	switch {
	case e.onPanic != nil:
		e.onPanic(value, debug.Stack())
	case !isReraised:
		logPanic(value, debug.Stack())
	}
}
