// Package idemfiber handles Idempotency-Key for fiber, as idemhttp does for net/http.
//
//	idempotency, err := idemfiber.New(engine, idemfiber.Policy{Profile: idemfiber.IETF},
//		idemfiber.ScopeBy(func(c *fiber.Ctx) string { return c.Locals("account").(string) }))
//	...
//	app.Post("/charges", idempotency, charge)
//
// An error that a handler returns is given to the app's error handler at once, so that what that
// writes is the response. The body of a request was read by fasthttp before: its BodyLimit and
// ReadTimeout hold as well. A response that is a stream is read, if it says how long it is and that
// is not more than ResponseMax; any other is sent on, and not kept. Everything that outlives a
// handler is copied: fasthttp uses its buffers again.
package idemfiber

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp/gate"
)

type middleware struct{ gate *gate.Gate[*fiber.Ctx] }

// New is a middleware. What is wrong with the policy or the options is idem.ErrInvalid.
func New(engine *idem.Engine, policy Policy, options ...Option) (fiber.Handler, error) {
	g, err := gate.New(engine, policy, options...)
	if err != nil {
		return nil, err
	}
	return (&middleware{g}).handle, nil
}

// Control is a handler's say in what becomes of its request; nil, whose methods do nothing, if that
// has no key.
func Control(c *fiber.Ctx) *gate.Control { return gate.FromContext(c.UserContext()) }

// Override lets a request differ from its policy: for a handler further out.
func Override(c *fiber.Ctx, overrides Overrides) {
	c.SetUserContext(gate.WithOverrides(c.UserContext(), overrides))
}

func (m *middleware) handle(c *fiber.Ctx) error {
	header, uri := &c.Request().Header, c.Request().URI()
	method, path := string(header.Method()), string(uri.PathOriginal())
	hasHeader := len(header.Peek(m.gate.HeaderKey())) > 0
	if !hasHeader {
		// Also one that is empty.
		header.VisitAll(func(name, _ []byte) {
			hasHeader = hasHeader || strings.EqualFold(string(name), m.gate.Header())
		})
	}
	ctx := c.UserContext()
	if m.gate.Passes(ctx, method, path, hasHeader) {
		return pass(c, ctx)
	}
	head := &gate.Head{
		Method: method, Path: gate.Text(path), Authority: gate.Text(string(uri.Host())),
		Query: gate.Text(string(uri.QueryString())), HasQuery: len(uri.QueryString()) > 0,
	}
	header.VisitAll(func(name, value []byte) {
		gate.Add(&head.Fields, gate.Text(string(name)), value)
	})
	entry := m.gate.Enter(ctx, c, head, func(room int, within time.Duration) ([]byte, gate.Fault) {
		return readBody(c, room, within)
	})
	switch {
	case entry.Answer != nil:
		writeAnswer(c, entry.Answer)
		return nil
	case entry.Ticket == nil:
		return pass(c, ctx)
	}
	return m.execute(c, ctx, entry.Ticket)
}

// pass calls the handlers that come after. How the request differs from the policy was said of it,
// and not of what they send.
func pass(c *fiber.Ctx, ctx context.Context) error {
	if own := gate.WithoutOverrides(ctx); own != ctx {
		c.SetUserContext(own)
		defer c.SetUserContext(ctx)
	}
	return c.Next()
}

// readBody is the body, which is in memory unless the app streams them.
func readBody(c *fiber.Ctx, room int, within time.Duration) ([]byte, gate.Fault) {
	request := c.Request()
	if !request.IsBodyStream() {
		body := request.Body()
		if len(body) > room {
			return nil, gate.TooLarge
		}
		return body, gate.NoFault
	}
	if err := c.Context().Conn().SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, gate.CutOff
	}
	body, err := io.ReadAll(io.LimitReader(request.BodyStream(), int64(room)+1))
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, gate.TooSlow
	case err != nil:
		return nil, gate.CutOff
	case len(body) > room:
		return nil, gate.TooLarge
	}
	_ = c.Context().Conn().SetReadDeadline(time.Time{})
	request.SetBody(body)
	return body, gate.NoFault
}

// execute calls the handlers that come after, and settles the request by what they wrote.
func (m *middleware) execute(c *fiber.Ctx, ctx context.Context, ticket *gate.Ticket) error {
	// If a handler panics this is all that is done.
	defer ticket.End()
	before := fieldsOf(c)
	c.SetUserContext(gate.NewContext(context.WithoutCancel(ctx), ticket))
	defer c.SetUserContext(ctx)
	if err := c.Next(); err != nil {
		if err := c.App().ErrorHandler(c, err); err != nil {
			_ = c.SendStatus(fiber.StatusInternalServerError)
		}
	}
	response := c.Response()
	status := response.StatusCode()
	body, isWhole, err := readResponse(c, ticket.ResponseMax())
	switch {
	case err != nil:
		ticket.Lose(status, true)
		return err
	case !isWhole || status < 200 || status > 599:
		ticket.Lose(status, false)
		return nil
	}
	stored := gate.Response{Status: status, Body: body}
	pack(c, &stored, before)
	for _, field := range ticket.Finish(&stored) {
		response.Header.Add(field.Name, field.Value)
	}
	return nil
}

// readResponse is the body of a response, if that is known: a stream has to say how long it is.
func readResponse(c *fiber.Ctx, most int) (body []byte, isWhole bool, err error) {
	response := c.Response()
	if !response.IsBodyStream() {
		body := response.Body()
		return body, len(body) <= most, nil
	}
	size := response.Header.ContentLength()
	if size < 0 || size > most {
		// It cannot be given back once it was begun: fasthttp closes what it replaces.
		return nil, false, nil
	}
	held, err := io.ReadAll(io.LimitReader(response.BodyStream(), int64(size)))
	if err == nil && len(held) < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, false, err
	}
	response.SetBodyRaw(held)
	return held, true, nil
}
