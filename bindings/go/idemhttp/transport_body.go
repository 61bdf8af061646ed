package idemhttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"libidem.dev/go/idemhttp/gate"
)

// takenBody is a request's body, of which some may be read before it is sent.
type takenBody struct {
	body io.ReadCloser
	held []byte
	// Why it could not be read.
	err error
	// The end was reached.
	isWhole bool
	// Somebody is still reading.
	isStuck bool
}

// read reads all of it: at most room bytes, in this time.
func (b *takenBody) read(room int, within time.Duration) ([]byte, gate.Fault) {
	if b.body == nil || b.body == http.NoBody {
		return nil, gate.NoFault
	}
	type read struct {
		held []byte
		err  error
	}
	whole, inTime := aside(within, func() read {
		held, err := io.ReadAll(io.LimitReader(b.body, int64(room)+1))
		return read{held, err}
	})
	b.held, b.err, b.isStuck = whole.held, whole.err, !inTime
	switch {
	case b.isStuck:
		return nil, gate.TooSlow
	case b.err != nil:
		return nil, gate.CutOff
	case len(b.held) > room:
		return nil, gate.TooLarge
	}
	b.isWhole = true
	return b.held, gate.NoFault
}

// again is the request with its whole body: what was read, and the rest. It is nil if that is lost.
func (b *takenBody) again(r *http.Request) *http.Request {
	switch {
	case b.isStuck:
		return nil
	case b.isWhole:
		_ = b.body.Close()
		return withBody(r, r.Context(), &gate.Entry{Body: b.held, IsRead: true})
	case b.held == nil:
		return r
	}
	again := r.WithContext(r.Context())
	again.Body = &joined{io.MultiReader(bytes.NewReader(b.held), b.body), b.body}
	return again
}

// joined is a body of which some was read, and the rest is closed.
type joined struct {
	io.Reader
	io.Closer
}

// switched is the connection after a switch of protocols.
type switched struct {
	io.ReadWriteCloser
	cancel context.CancelFunc
}

func (s *switched) Close() error {
	defer s.cancel()
	return s.ReadWriteCloser.Close()
}

// resumed is a body of which some was read already. It may be closed while it is read.
type resumed struct {
	lock sync.Mutex
	held []byte
	err  error

	rest    io.ReadCloser
	caller  context.Context
	cancel  context.CancelFunc
	unwatch func() bool
}

func (b *resumed) Read(p []byte) (int, error) {
	if n, isOver, err := b.readHeld(p); !isOver {
		return n, err
	}
	if b.rest == nil {
		return 0, io.EOF
	}
	n, err := b.rest.Read(p)
	if err != nil {
		b.unwatch()
	}
	if err != nil && err != io.EOF && b.caller.Err() != nil {
		err = context.Cause(b.caller)
	}
	return n, err
}

// readHeld reads what is held, or says that it is over and the rest follows.
func (b *resumed) readHeld(p []byte) (n int, isOver bool, err error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.held) == 0 {
		return 0, b.err == nil, b.err
	}
	n = copy(p, b.held)
	b.held = b.held[n:]
	return n, false, nil
}

func (b *resumed) Close() error {
	b.cancel()
	b.lock.Lock()
	b.held = nil
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
	}
	b.lock.Unlock()
	if b.rest == nil {
		return nil
	}
	b.unwatch()
	return b.rest.Close()
}
