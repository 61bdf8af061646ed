// Package bench compares with golang.org/x/sync/singleflight. It is a module of its own, so that
// who uses the binding downloads none of it. Each benchmark checks its answers.
package bench

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	idem "libidem.dev/go"
	ours "libidem.dev/go/singleflight"

	theirs "golang.org/x/sync/singleflight"
)

// A flight is what both packages are.
type flight interface {
	Do(key string, fn func() (any, error)) (any, error, bool)
}

// How many goroutines call at a time.
var goroutines = []int{1, 2, 8, 64}

// keysPerGoroutine are made beforehand: neither side is to be measured by strconv.
const keysPerGoroutine = 4096

func distinct(thread uint64) []string {
	keys := make([]string, keysPerGoroutine)
	for i := range keys {
		keys[i] = "user:" + strconv.FormatUint(thread<<32|uint64(i), 10)
	}
	return keys
}

// split runs body in exactly `count` goroutines, b.N operations in all.
func split(b *testing.B, count int, body func(thread uint64, operations int)) {
	b.ReportAllocs()
	done := make(chan bool, count)
	begin := make(chan bool)
	for thread := range count {
		operations := b.N / count
		if thread < b.N%count {
			operations++
		}
		go func() {
			<-begin
			body(uint64(thread), operations)
			done <- true
		}()
	}
	b.ResetTimer()
	close(begin)
	for range count {
		<-done
	}
	b.StopTimer()
}

func distinctKeys(b *testing.B, call func(key string) any, want any) {
	for _, count := range goroutines {
		b.Run(fmt.Sprintf("goroutines=%d", count), func(b *testing.B) {
			keys := make([][]string, count)
			for thread := range keys {
				keys[thread] = distinct(uint64(thread))
			}
			split(b, count, func(thread uint64, operations int) {
				mine := keys[thread]
				for n := range operations {
					if got := call(mine[n%keysPerGoroutine]); got != want {
						b.Errorf("%v", got)
						return
					}
				}
			})
		})
	}
}

var value any = &struct{ n int }{7}

func distinctOf(b *testing.B, g flight) {
	var wrong atomic.Uint64
	distinctKeys(b, func(key string) any {
		v, err, shared := g.Do(key, func() (any, error) { return value, nil })
		if err != nil || shared {
			wrong.Add(1)
		}
		return v
	}, value)
	if wrong.Load() != 0 {
		b.Errorf("%d were shared, or failed", wrong.Load())
	}
}

func BenchmarkDistinct(b *testing.B) {
	b.Run("side=xsync", func(b *testing.B) { distinctOf(b, new(theirs.Group)) })
	b.Run("side=singleflight", func(b *testing.B) { distinctOf(b, new(ours.Group)) })
	b.Run("side=group", func(b *testing.B) {
		e, err := idem.Open(idem.Config{})
		if err != nil {
			b.Fatal(err)
		}
		defer e.Close()
		g, err := idem.NewGroup[string, any](e)
		if err != nil {
			b.Fatal(err)
		}
		made := func(context.Context) (any, error) { return value, nil }
		distinctKeys(b, func(key string) any {
			v, err := g.Do(context.Background(), key, made)
			if err != nil {
				return err
			}
			return v
		}, value)
	})
}

// One key for all: whoever calls runs it, or waits and shares. No goroutine sees time go back.
func BenchmarkHot(b *testing.B) {
	for _, side := range []struct {
		name string
		make func() flight
	}{
		{"xsync", func() flight { return new(theirs.Group) }},
		{"singleflight", func() flight { return new(ours.Group) }},
	} {
		for _, count := range goroutines {
			b.Run(fmt.Sprintf("side=%s/goroutines=%d", side.name, count), func(b *testing.B) {
				g := side.make()
				var runs atomic.Uint64
				run := func() (any, error) { return runs.Add(1), nil }
				split(b, count, func(_ uint64, operations int) {
					last := uint64(0)
					for range operations {
						v, err, _ := g.Do("hot", run)
						is, ok := v.(uint64)
						if err != nil || !ok || is <= last {
							b.Errorf("%v after %d, %v", v, last, err)
							return
						}
						last = is
					}
				})
				b.ReportMetric(float64(runs.Load())/float64(b.N), "runs/op")
			})
		}
	}
}

const batchSize = 16

// Distinct keys that are claimed and completed in batches; one operation is a key. Raw ones are
// what who batches may have hashed already.
func BenchmarkDistinctBatch(b *testing.B) {
	for _, kind := range []string{"bytes", "raw"} {
		for _, count := range goroutines {
			b.Run(fmt.Sprintf("keys=%s/goroutines=%d", kind, count), func(b *testing.B) {
				e, err := idem.Open(idem.Config{Retention: idem.None})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				keys := make([][]idem.Key, count)
				for thread := range keys {
					keys[thread] = batchKeys(uint64(thread), kind == "raw")
				}
				split(b, count, func(thread uint64, operations int) {
					for from := 0; from < operations; from += batchSize {
						at := from % keysPerGoroutine
						if err := oneBatch(e, keys[thread][at:at+batchSize]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}

func batchKeys(thread uint64, isRaw bool) []idem.Key {
	keys := make([]idem.Key, keysPerGoroutine)
	for i, name := range distinct(thread) {
		keys[i] = idem.Global(name)
		if isRaw {
			sum := sha256.Sum256([]byte(name))
			keys[i] = idem.Raw([16]byte(sum[:16]))
		}
	}
	return keys
}

func oneBatch(e *idem.Engine, keys []idem.Key) error {
	var requests [batchSize]idem.Request
	var outcomes [batchSize]idem.Outcome
	var endings [batchSize]idem.Ending
	for i, key := range keys {
		requests[i].Key = key
	}
	if err := e.ClaimBatch(context.Background(), requests[:], outcomes[:]); err != nil {
		return err
	}
	for i := range endings {
		endings[i].Lease = outcomes[i].Lease
	}
	if err := e.CompleteBatch(endings[:]); err != nil {
		return err
	}
	for i := range endings {
		if outcomes[i].Kind != idem.Execute || endings[i].Err != nil ||
			endings[i].Completion != idem.Stored {
			return fmt.Errorf("%v, %v", outcomes[i].Kind, endings[i].Err)
		}
	}
	return nil
}
