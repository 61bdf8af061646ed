package idemhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

// A retry gets the first answer, and nothing is charged twice.
func Example() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	gate, err := idemhttp.New(engine,
		idemhttp.Policy{Profile: idemhttp.IETF, Retention: time.Hour},
		// What authentication has found out, in a real service.
		idemhttp.ScopeBy(func(r *http.Request) string { return r.Header.Get("X-Account") }))
	if err != nil {
		panic(err)
	}
	charges := 0
	server := httptest.NewServer(gate.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			// From here on a retry must not run this again, whatever happens.
			idemhttp.FromContext(r.Context()).SideEffectsBegan()
			charges++
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "charge %d", charges)
		})))
	defer server.Close()
	for range 2 {
		r, _ := http.NewRequest("POST", server.URL, strings.NewReader(`{"amount": 1}`))
		r.Header.Set("X-Account", "somebody")
		r.Header.Set("Idempotency-Key", `"order-17"`)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Printf("%d %s %q\n", response.StatusCode, body,
			response.Header.Get("Idempotent-Replayed"))
	}
	// Output:
	// 201 charge 1 ""
	// 201 charge 1 "true"
}

// Identical calls at the same time go out once.
func ExampleNewTransport() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	policy := idemhttp.Policy{Profile: idemhttp.Coalesce}
	transport, err := idemhttp.NewTransport(nil, engine, policy)
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "report")
	}))
	defer server.Close()
	client := &http.Client{Transport: transport}
	response, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(string(body))
	// Output: report
}
