package idemhttp

import (
	"net/http"
	"slices"

	"libidem.dev/go/idemhttp/gate"
)

// replace makes a header the same as another one.
func replace(to, from http.Header) {
	for name := range to {
		if _, ok := from[name]; !ok {
			delete(to, name)
		}
	}
	for name, values := range from {
		to[name] = values
	}
}

// pack packs fields by name: those that are not as they were before.
func pack(to *gate.Fields, header, before http.Header) {
	if len(header) == 0 {
		return
	}
	names := make([]string, 0, len(header))
	for name, values := range header {
		if !slices.Equal(values, before[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			gate.Add(to, name, value)
		}
	}
}

// writeAnswer sends an answer. Its fields go before those of the same names that layers further out
// have set.
func writeAnswer(w http.ResponseWriter, r *http.Request, answer *gate.Answer) {
	header := w.Header()
	for i, field := range answer.Headers {
		name := http.CanonicalHeaderKey(field.Name)
		isFirst := !slices.ContainsFunc(answer.Headers[:i], func(other gate.Field) bool {
			return http.CanonicalHeaderKey(other.Name) == name
		})
		if isFirst {
			header[name] = []string{field.Value}
		} else {
			header[name] = append(header[name], field.Value)
		}
	}
	if _, ok := header["Content-Type"]; !ok {
		// It had none, and is not to be given one.
		header["Content-Type"] = nil
	}
	for _, field := range answer.Trailers {
		name := http.TrailerPrefix + http.CanonicalHeaderKey(field.Name)
		header[name] = append(header[name], field.Value)
	}
	w.WriteHeader(answer.Status)
	if r.Method != http.MethodHead && len(answer.Body) > 0 && allowsBody(answer.Status) {
		// The client may have gone: it comes again.
		_, _ = w.Write(answer.Body)
	}
}
