package idemfiber

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"libidem.dev/go/idemhttp/gate"
)

// fields are the header of a response, by name: values in their order. All of it is copied.
type fields struct {
	names  []string
	values map[string][]string
}

func fieldsOf(c *fiber.Ctx) *fields {
	f := &fields{values: make(map[string][]string)}
	c.Response().Header.VisitAll(func(name, value []byte) {
		key := string(name)
		if _, ok := f.values[key]; !ok {
			f.names = append(f.names, key)
		}
		f.values[key] = append(f.values[key], string(value))
	})
	return f
}

// pack packs a response's header, as far as handlers have changed it, and its trailers.
func pack(c *fiber.Ctx, to *gate.Response, before *fields) {
	header := &c.Response().Header
	var trailers []string
	header.VisitAllTrailer(func(name []byte) { trailers = append(trailers, string(name)) })
	isTrailer := func(name string) bool {
		return slices.ContainsFunc(trailers, func(known string) bool {
			return strings.EqualFold(known, name)
		})
	}
	after := fieldsOf(c)
	for _, name := range after.names {
		values := after.values[name]
		isChanged := !slices.Equal(values, before.values[name])
		if name == fiber.HeaderContentType && len(to.Body) > 0 {
			// The framework's own type is sent with a body, and is the handler's then.
			isChanged = true
		}
		if !isChanged || isTrailer(name) {
			continue
		}
		for _, value := range values {
			gate.Add(&to.Headers, name, value)
		}
	}
	for _, name := range trailers {
		if value := header.Peek(name); len(value) > 0 {
			gate.Add(&to.Trailers, name, value)
		}
	}
}

// writeAnswer sends an answer. Its fields go before those of the same names that handlers further
// out have set.
func writeAnswer(c *fiber.Ctx, answer *gate.Answer) {
	response := c.Response()
	header := &response.Header
	response.SetStatusCode(answer.Status)
	seen := make(map[string]bool)
	isTyped := false
	for _, field := range answer.Headers {
		name := strings.ToLower(field.Name)
		switch name {
		case "content-length":
			// fasthttp counts again, but for what has no body.
			if c.Method() == fiber.MethodHead {
				response.SkipBody = true
				header.Set(field.Name, field.Value)
			}
			continue
		case "content-type":
			isTyped = true
		}
		if !seen[name] {
			seen[name] = true
			header.Del(field.Name)
		}
		header.Add(field.Name, field.Value)
	}
	if !isTyped {
		header.Del(fiber.HeaderContentType)
		header.SetNoDefaultContentType(true)
	}
	for _, field := range answer.Trailers {
		if header.AddTrailer(field.Name) == nil {
			header.Set(field.Name, field.Value)
		}
	}
	if c.Method() != fiber.MethodHead {
		// The answer is its own memory.
		response.SetBodyRaw(answer.Body)
	}
}
