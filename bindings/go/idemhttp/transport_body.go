package idemhttp

import (
	"context"
	"io"
	"net/http"
	"sync"
)

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
