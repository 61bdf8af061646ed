package idemhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"libidem.dev/go/idemhttp/gate"
)

// readBody reads a request's body: at most room bytes, in this time. Where the connection cannot
// be given a deadline a goroutine reads, and is left behind if it takes too long.
func readBody(
	w http.ResponseWriter, body io.ReadCloser, room int, within time.Duration,
) ([]byte, gate.Fault) {
	if body == nil || body == http.NoBody {
		return nil, gate.NoFault
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(within)) == nil {
		held, fault := readWhole(body, room)
		if fault == gate.NoFault {
			_ = control.SetReadDeadline(time.Time{})
		}
		// Otherwise it stays: the server reads what is left, to use the connection again.
		return held, fault
	}
	return readAside(body, room, within)
}

// atMost is a time in which a body may come, which is no longer than its server has for it.
func atMost(ctx context.Context, within time.Duration) time.Duration {
	server, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	if server == nil || server.ReadTimeout <= 0 {
		return within
	}
	return min(within, server.ReadTimeout)
}

// readAside reads in a goroutine of its own.
func readAside(body io.Reader, room int, within time.Duration) ([]byte, gate.Fault) {
	type read struct {
		body  []byte
		fault gate.Fault
	}
	whole, inTime := aside(within, func() read {
		body, fault := readWhole(body, room)
		return read{body, fault}
	})
	if !inTime {
		return nil, gate.TooSlow
	}
	return whole.body, whole.fault
}

// aside calls a function in a goroutine of its own, which is left behind if it takes too long.
func aside[T any](within time.Duration, call func() T) (came T, inTime bool) {
	done := make(chan T, 1)
	go func() { done <- call() }()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case came = <-done:
		return came, true
	case <-timer.C:
		return came, false
	}
}

// readWhole reads to the end.
func readWhole(body io.Reader, room int) ([]byte, gate.Fault) {
	var held bytes.Buffer
	n, err := held.ReadFrom(io.LimitReader(body, int64(room)+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, gate.TooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, gate.TooSlow
	case err != nil:
		return nil, gate.CutOff
	case n > int64(room):
		return nil, gate.TooLarge
	}
	return held.Bytes(), gate.NoFault
}

// heldBody is a body that was read.
type heldBody struct{ bytes.Reader }

func newHeldBody(body []byte) *heldBody {
	held := new(heldBody)
	held.Reset(body)
	return held
}

func (*heldBody) Close() error { return nil }

// withBody is the request for the handler, with the body that was read.
func withBody(r *http.Request, ctx context.Context, entry *gate.Entry) *http.Request {
	own := r.WithContext(ctx)
	if !entry.IsRead {
		return own
	}
	own.Body = http.NoBody
	if len(entry.Body) > 0 || len(r.Trailer) > 0 {
		own.Body = newHeldBody(entry.Body)
	}
	own.ContentLength = int64(len(entry.Body))
	if len(r.Trailer) == 0 {
		own.TransferEncoding = nil
	}
	return own
}
