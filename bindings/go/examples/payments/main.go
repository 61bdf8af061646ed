// A payments API by net/http: a charge that is sent again is not made again.
//
//	go run ./payments
//	curl -i localhost:8080/charges -H 'Authorization: shop-1' -H 'Idempotency-Key: "a1"' \
//	    -d '{"amount": 500}'
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"sync/atomic"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

func main() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	handler, err := newService(engine)
	if err != nil {
		log.Print(err)
		return
	}
	server := &http.Server{
		Addr: "localhost:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second,
	}
	log.Print("listening on ", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Print(err)
	}
}

type service struct {
	// What a bank has, somewhere else.
	charges atomic.Int64
}

func newService(engine *idem.Engine) (http.Handler, error) {
	gate, err := idemhttp.New(engine, idemhttp.Policy{
		Profile: idemhttp.IETF,
		// Whoever clicks twice gets the first answer, instead of being told to come again.
		Wait: 10 * time.Second,
	}, idemhttp.ScopeBy(shopOf), idemhttp.OnReplayed(func(r *http.Request) {
		log.Print("sent again: ", r.Header.Get("Idempotency-Key"))
	}))
	if err != nil {
		return nil, err
	}
	s := new(service)
	mux := http.NewServeMux()
	mux.Handle("POST /charges", gate.Handler(http.HandlerFunc(s.charge)))
	return authenticated(mux), nil
}

// shopOf is whose keys they are: what authentication has found out, before the gate.
func shopOf(r *http.Request) string { return r.Header.Get("Authorization") }

func authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shopOf(r) == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *service) charge(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Amount int64 }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Amount <= 0 {
		http.Error(w, "an amount, please", http.StatusBadRequest)
		return
	}
	// From here on nobody may charge again, even if this crashes.
	if err := idemhttp.FromContext(r.Context()).SideEffectsBegan(); err != nil {
		http.Error(w, "took too long", http.StatusServiceUnavailable)
		return
	}
	id := s.charges.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"charge": %d, "amount": %d}`+"\n", id, asked.Amount)
}
