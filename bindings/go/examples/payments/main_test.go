package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	idem "libidem.dev/go"
)

func TestAChargeIsMadeOnce(t *testing.T) {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	handler, err := newService(engine)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	send := func(shop, key string) string {
		body := strings.NewReader(`{"amount": 500}`)
		r, err := http.NewRequest("POST", server.URL+"/charges", body)
		if err != nil {
			t.Error(err)
			return ""
		}
		r.Header.Set("Authorization", shop)
		r.Header.Set("Idempotency-Key", `"`+key+`"`)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusCreated {
			t.Error(response.Status, err)
		}
		return string(got)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			if body := send("shop-1", "a"); body != `{"charge": 1, "amount": 500}`+"\n" {
				t.Errorf("%q", body)
			}
		}()
	}
	group.Wait()
	// The same key of somebody else is another one.
	if body := send("shop-2", "a"); body != `{"charge": 2, "amount": 500}`+"\n" {
		t.Errorf("%q", body)
	}
}
