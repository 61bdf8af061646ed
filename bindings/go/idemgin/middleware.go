// Package idemgin handles Idempotency-Key for gin, as idemhttp does for net/http: what that
// promises is promised here.
//
//	idempotency, err := idemgin.New(engine, idemgin.Policy{Profile: idemgin.IETF},
//		idemgin.ScopeBy(func(c *gin.Context) string { return c.GetString("account") }))
//	...
//	router.POST("/charges", idempotency, charge)
//
// A request that is answered is aborted, so no further handler is called. A Recovery further out
// sees a handler's panic after its key was released. Compression goes outside of it: what is stored
// is what the handlers within have written.
package idemgin

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/idemhttp/gate"
)

// New is a middleware. What is wrong with the policy or the options is idem.ErrInvalid.
func New(engine *idem.Engine, policy Policy, options ...Option) (gin.HandlerFunc, error) {
	g, err := gate.New(engine, policy, options...)
	if err != nil {
		return nil, err
	}
	return func(c *gin.Context) {
		came := idemhttp.Serve(g, c, c.Writer, c.Request, c.Writer,
			func(w *idemhttp.Writer, r *http.Request) {
				if w == nil {
					pass(c, r)
					return
				}
				execute(c, w, r)
			})
		switch came {
		case idemhttp.Passed:
		case idemhttp.Answered:
			c.Writer.WriteHeaderNow()
			c.Abort()
		default:
			c.Abort()
		}
	}, nil
}

// Control is a handler's say in what becomes of its request; nil, whose methods do nothing, if that
// has no key.
func Control(c *gin.Context) *gate.Control { return gate.FromContext(c.Request.Context()) }

// Override lets a request differ from its policy: for a handler further out.
func Override(c *gin.Context, overrides Overrides) {
	c.Request = c.Request.WithContext(gate.WithOverrides(c.Request.Context(), overrides))
}

// pass calls the handlers that come after, with nothing between.
func pass(c *gin.Context, r *http.Request) {
	request := c.Request
	c.Request = r
	defer func() { c.Request = request }()
	c.Next()
}

// execute calls the handlers that come after, with a writer of their own.
func execute(c *gin.Context, to *idemhttp.Writer, r *http.Request) {
	outer, request := c.Writer, c.Request
	own := &writer{Writer: to, outer: outer, status: outer.Status(), size: noWritten}
	c.Writer, c.Request = own, r
	defer func() { c.Writer, c.Request = outer, request }()
	c.Next()
	if c.FullPath() == "" && !own.Written() && own.status >= http.StatusNotFound {
		// No route: gin would write this when all is over, which is too late to be stored.
		own.Header().Set("Content-Type", "text/plain")
		_, _ = own.WriteString(map[int]string{
			http.StatusNotFound:         "404 page not found",
			http.StatusMethodNotAllowed: "405 method not allowed",
		}[own.status])
	}
	own.WriteHeaderNow()
}

const noWritten = -1

// writer is a gin.ResponseWriter that writes to where the response is held. As gin's, it writes the
// status with the first byte, so that it can be changed until then.
type writer struct {
	*idemhttp.Writer
	outer  gin.ResponseWriter
	status int
	size   int
}

var _ gin.ResponseWriter = (*writer)(nil)

func (w *writer) Status() int { return w.status }

func (w *writer) Size() int { return w.size }

func (w *writer) Written() bool { return w.size != noWritten }

// WriteHeader says a status, which is not written yet; informational ones are.
func (w *writer) WriteHeader(status int) {
	switch {
	case status <= 0 || w.Written():
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		w.Writer.WriteHeader(status)
	default:
		w.status = status
	}
}

func (w *writer) WriteHeaderNow() {
	if !w.Written() {
		w.size = 0
		w.Writer.WriteHeader(w.status)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeaderNow()
	n, err := w.Writer.Write(p)
	w.size += n
	return n, err
}

func (w *writer) WriteString(s string) (int, error) {
	w.WriteHeaderNow()
	n, err := w.Writer.WriteString(s)
	w.size += n
	return n, err
}

// ReadFrom is of io.Copy, and so of http.ServeContent and gin's DataFromReader.
func (w *writer) ReadFrom(from io.Reader) (int64, error) {
	w.WriteHeaderNow()
	n, err := w.Writer.ReadFrom(from)
	w.size += int(n)
	return n, err
}

func (w *writer) Flush() {
	w.WriteHeaderNow()
	w.Writer.Flush()
}

func (w *writer) FlushError() error {
	w.WriteHeaderNow()
	return w.Writer.FlushError()
}

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.Written() {
		w.size = 0
	}
	return w.Writer.Hijack()
}

func (w *writer) CloseNotify() <-chan bool { return w.outer.CloseNotify() }

func (w *writer) Pusher() http.Pusher { return w.outer.Pusher() }
