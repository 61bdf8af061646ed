package idem_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	idem "libidem.dev/go"
)

func ExampleDo() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	charge := func(context.Context) ([]byte, error) {
		fmt.Println("charging")
		return []byte("receipt 1001"), nil
	}
	key := idem.Scoped("customer-7", "c-1")
	for range 3 {
		receipt, err := idem.Do(context.Background(), engine, key, charge)
		fmt.Println(string(receipt), err)
	}
	// Output:
	// charging
	// receipt 1001 <nil>
	// receipt 1001 <nil>
	// receipt 1001 <nil>
}

func ExampleEngine_Claim() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	ctx := context.Background()
	for range 2 {
		outcome, err := engine.Claim(ctx, idem.Global("report-2026-11"))
		if outcome.Kind == idem.InFlight {
			// Somebody else is at it.
			outcome, err = outcome.Waiter.Wait(ctx)
		}
		switch {
		case err != nil:
			fmt.Println("neither done nor to be done:", err)
		case outcome.Kind == idem.Execute:
			stored, err := outcome.Lease.Complete([]byte("the report"))
			fmt.Println("made it:", stored, err)
		default:
			fmt.Printf("have it: %s\n", outcome.Response)
		}
	}
	// Output:
	// made it: stored <nil>
	// have it: the report
}

func ExampleEngine_Once() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	for _, message := range []string{"a", "b", "a"} {
		first, err := engine.Once(idem.Scoped("queue", message), idem.WithRetention(time.Hour))
		fmt.Println(message, first, err)
	}
	// Output:
	// a true <nil>
	// b true <nil>
	// a false <nil>
}

func ExampleEngine_ClaimBatch() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	requests := []idem.Request{
		{Key: idem.Global("m-1")}, {Key: idem.Global("m-2")}, {Key: idem.Global("m-1")},
	}
	outcomes := make([]idem.Outcome, len(requests))
	if err := engine.ClaimBatch(context.Background(), requests, outcomes); err != nil {
		fmt.Println(err)
		return
	}
	for _, outcome := range outcomes {
		fmt.Println(outcome.Kind)
	}
	// Output:
	// execute
	// execute
	// in flight
}

func ExampleFullError() {
	engine, err := idem.Open(idem.Config{Waiters: idem.None})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	ctx := context.Background()
	if _, err := engine.Claim(ctx, idem.Global("k")); err != nil {
		fmt.Println(err)
	}
	_, err = engine.Claim(ctx, idem.Global("k"))
	var full *idem.FullError
	fmt.Println(errors.Is(err, idem.ErrFull), errors.As(err, &full), full.Limit)
	// Output:
	// true true waiters
}
