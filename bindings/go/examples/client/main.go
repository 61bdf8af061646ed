// Outgoing calls that are made once: a hundred goroutines ask the same at the same time, and one
// request goes out.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
)

func main() {
	made, err := run()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("100 calls, %d made\n", made)
}

// run says how many calls the service got.
func run() (int64, error) {
	// A service that takes its time, somewhere else.
	var calls atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		time.Sleep(200 * time.Millisecond)
		fmt.Fprint(w, `{"EUR": 1.0, "USD": 1.08}`)
	}))
	defer service.Close()

	engine, err := idem.Open(idem.Config{})
	if err != nil {
		return 0, err
	}
	defer engine.Close()
	transport, err := idemhttp.NewTransport(nil, engine, idemhttp.Policy{})
	if err != nil {
		return 0, err
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	var group sync.WaitGroup
	failures := make(chan error, 100)
	for range 100 {
		group.Add(1)
		go func() {
			defer group.Done()
			failures <- ask(client, service.URL+"/rates")
		}()
	}
	group.Wait()
	for range 100 {
		if err := <-failures; err != nil {
			return 0, err
		}
	}
	return calls.Load(), nil
}

func ask(client *http.Client, address string) error {
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && string(body) != `{"EUR": 1.0, "USD": 1.08}` {
		err = fmt.Errorf("got %q", body)
	}
	return err
}
