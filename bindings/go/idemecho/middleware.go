// Package idemecho handles Idempotency-Key for echo, as idemhttp does for net/http: what that
// promises is promised here.
//
//	idempotency, err := idemecho.New(engine, idemecho.Policy{Profile: idemecho.IETF},
//		idemecho.ScopeBy(func(c echo.Context) string { return c.Get("account").(string) }))
//	...
//	e.POST("/charges", charge, idempotency)
//
// An error that a handler returns is given to echo's error handler at once, so that what that
// writes is the response; layers further out get none. Compression goes outside of it: what is
// stored is what the handlers within have written.
package idemecho

import (
	"net/http"

	"github.com/labstack/echo/v4"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/idemhttp/gate"
)

// New is a middleware. What is wrong with the policy or the options is idem.ErrInvalid.
func New(engine *idem.Engine, policy Policy, options ...Option) (echo.MiddlewareFunc, error) {
	g, err := gate.New(engine, policy, options...)
	if err != nil {
		return nil, err
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			response := c.Response()
			var err error
			idemhttp.Serve(g, c, response.Writer, c.Request(), response,
				func(w *idemhttp.Writer, r *http.Request) {
					if w == nil {
						err = pass(c, next, r)
						return
					}
					execute(c, next, w, r)
				})
			return err
		}
	}, nil
}

// Control is a handler's say in what becomes of its request; nil, whose methods do nothing, if that
// has no key.
func Control(c echo.Context) *gate.Control { return gate.FromContext(c.Request().Context()) }

// Override lets a request differ from its policy: for a layer further out.
func Override(c echo.Context, overrides Overrides) {
	r := c.Request()
	c.SetRequest(r.WithContext(gate.WithOverrides(r.Context(), overrides)))
}

// pass calls the handler with nothing between.
func pass(c echo.Context, next echo.HandlerFunc, r *http.Request) error {
	request := c.Request()
	c.SetRequest(r)
	defer c.SetRequest(request)
	return next(c)
}

// execute calls the handler, whose response goes to where it is held.
func execute(c echo.Context, next echo.HandlerFunc, w *idemhttp.Writer, r *http.Request) {
	response, request := c.Response(), c.Request()
	before, hasReturned := *response, false
	c.SetRequest(r)
	response.Writer = w
	defer func() {
		c.SetRequest(request)
		response.Writer = before.Writer
		if !hasReturned && w.Holds() {
			// What it has written is not sent: who recovers may answer.
			response.Committed = before.Committed
			response.Status, response.Size = before.Status, before.Size
		}
	}()
	if err := next(c); err != nil {
		// What its error handler writes is what the status is of.
		c.Error(err)
	}
	if !response.Committed {
		response.WriteHeader(http.StatusOK)
	}
	hasReturned = true
}
