package idem_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"

	idem "libidem.dev/go"
)

// Each answer is checked. Keys are raw and spread, so that what is measured is the claim.
func spread(n uint64) idem.Key {
	var bits [16]byte
	mixed := (n + 1) * 0x9e3779b97f4a7c15
	mixed ^= mixed >> 32
	binary.LittleEndian.PutUint64(bits[:8], mixed*0xd6e8feb86659fd93)
	binary.LittleEndian.PutUint64(bits[8:], n)
	return idem.Raw(bits)
}

var body = bytes.Repeat([]byte("0123456789abcdef"), 4)

// lots is an engine that any number of fresh keys go through: what is finished is not kept.
func lots(b *testing.B) *idem.Engine {
	return open(b, idem.Config{Records: 1 << 20, Retention: idem.None})
}

// threadOf numbers the goroutines of a parallel benchmark, so that their keys are apart.
func threadOf(counter *atomic.Uint64) uint64 { return counter.Add(1) << 40 }

func BenchmarkFresh(b *testing.B) {
	e := lots(b)
	var threads atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := threadOf(&threads); pb.Next(); n++ {
			outcome, err := e.Claim(background, spread(n))
			if err != nil || outcome.Kind != idem.Execute {
				b.Fatalf("%v, %v", outcome.Kind, err)
			}
			if stored, err := outcome.Lease.Complete(body); err != nil || stored != idem.Stored {
				b.Fatalf("%v, %v", stored, err)
			}
		}
	})
}

// The same with responses that are kept: as many as the engine has room for, then anew.
func BenchmarkFreshKept(b *testing.B) {
	const most = 1 << 20
	e := open(b, idem.Config{Records: most + 4096, Bytes: 1 << 29})
	var threads, kept atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		mine := uint64(0)
		for n := threadOf(&threads); pb.Next(); n++ {
			if mine++; mine%1024 == 0 && kept.Add(1024)%(most-65536) < 1024 {
				if err := e.Clear(); err != nil {
					b.Fatal(err)
				}
			}
			outcome, err := e.Claim(background, spread(n))
			if err != nil || outcome.Kind != idem.Execute {
				b.Fatalf("%v, %v", outcome.Kind, err)
			}
			if _, err := outcome.Lease.Complete(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDoFresh(b *testing.B) {
	for name, ctx := range map[string]context.Context{"here": background, "apart": cancellable(b)} {
		b.Run(name, func(b *testing.B) {
			e := lots(b)
			var threads atomic.Uint64
			run := func(context.Context) ([]byte, error) { return body, nil }
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for n := threadOf(&threads); pb.Next(); n++ {
					got, err := idem.Do(ctx, e, spread(n), run)
					if err != nil || len(got) != len(body) {
						b.Fatalf("%d bytes, %v", len(got), err)
					}
				}
			})
			if executes := e.Stats().Executes; executes < uint64(b.N) {
				b.Errorf("%d of %d executed", executes, b.N)
			}
		})
	}
}

func cancellable(b *testing.B) context.Context {
	ctx, cancel := context.WithCancel(background)
	b.Cleanup(cancel)
	return ctx
}

const finished = 100_000

// full is an engine with finished keys, each with its number in its response.
func full(b *testing.B) *idem.Engine {
	e := open(b, idem.Config{})
	response := bytes.Clone(body)
	for n := range uint64(finished) {
		binary.LittleEndian.PutUint64(response, n)
		outcome := claim(b, e, spread(n), idem.Execute)
		if _, err := outcome.Lease.Complete(response); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

func BenchmarkReplay(b *testing.B) {
	e := full(b)
	var threads atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := threads.Add(1) * 7919; pb.Next(); n += 7919 {
			outcome, err := e.Claim(background, spread(n%finished))
			if err != nil || binary.LittleEndian.Uint64(outcome.Response) != n%finished {
				b.Fatalf("%v, %v", outcome.Kind, err)
			}
		}
	})
}

func BenchmarkReplayHot(b *testing.B) {
	e := full(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			outcome, err := e.Claim(background, spread(17))
			if err != nil || binary.LittleEndian.Uint64(outcome.Response) != 17 {
				b.Fatalf("%v, %v", outcome.Kind, err)
			}
		}
	})
}

const batchSize = 16

// One operation is a batch of 16.
func BenchmarkBatchFresh(b *testing.B) {
	e := lots(b)
	var threads atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var requests [batchSize]idem.Request
		var outcomes [batchSize]idem.Outcome
		var endings [batchSize]idem.Ending
		for n := threadOf(&threads); pb.Next(); n += batchSize {
			for i := range requests {
				requests[i].Key = spread(n + uint64(i))
			}
			if err := e.ClaimBatch(background, requests[:], outcomes[:]); err != nil {
				b.Fatal(err)
			}
			for i := range endings {
				endings[i] = idem.Ending{Lease: outcomes[i].Lease, Response: body}
			}
			if err := e.CompleteBatch(endings[:]); err != nil {
				b.Fatal(err)
			}
			for i := range endings {
				if endings[i].Err != nil || endings[i].Completion != idem.Stored {
					b.Fatalf("%v, %v", endings[i].Completion, endings[i].Err)
				}
			}
		}
	})
}

func BenchmarkBatchReplay(b *testing.B) {
	e := full(b)
	var threads atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var requests [batchSize]idem.Request
		var outcomes [batchSize]idem.Outcome
		for n := threads.Add(1) * 7919; pb.Next(); n += batchSize * 7919 {
			for i := range uint64(batchSize) {
				requests[i].Key = spread((n + i*7919) % finished)
			}
			if err := e.ClaimBatch(background, requests[:], outcomes[:]); err != nil {
				b.Fatal(err)
			}
			for i := range uint64(batchSize) {
				if binary.LittleEndian.Uint64(outcomes[i].Response) != (n+i*7919)%finished {
					b.Fatal("another response")
				}
			}
		}
	})
}

// One key in flight all the time: whoever calls executes, or waits and shares.
func BenchmarkDoHot(b *testing.B) {
	e := lots(b)
	key := idem.Global("hot")
	var runs atomic.Uint64
	run := func(context.Context) ([]byte, error) {
		return binary.LittleEndian.AppendUint64(nil, runs.Add(1)), nil
	}
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		last := uint64(0)
		for pb.Next() {
			got, err := idem.Do(background, e, key, run)
			if err != nil || binary.LittleEndian.Uint64(got) <= last {
				b.Fatalf("%v after %d, %v", got, last, err)
			}
			last = binary.LittleEndian.Uint64(got)
		}
	})
	b.ReportMetric(float64(runs.Load())/float64(b.N), "runs/op")
}

// Fresh keys while somebody waits for another one: what it costs to look for whose wait is over.
func BenchmarkFreshWhileOthersWait(b *testing.B) {
	e := lots(b)
	owner := claim(b, e, idem.Global("slow"), idem.Execute)
	waiter := claim(b, e, idem.Global("slow"), idem.InFlight).Waiter
	var threads atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := threadOf(&threads); pb.Next(); n++ {
			outcome, err := e.Claim(background, spread(n))
			if err != nil || outcome.Kind != idem.Execute {
				b.Fatalf("%v, %v", outcome.Kind, err)
			}
			if _, err := outcome.Lease.Complete(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.StopTimer()
	if _, err := owner.Lease.Complete(nil); err != nil {
		b.Fatal(err)
	}
	if _, err := waiter.Wait(background); err != nil {
		b.Fatal(err)
	}
}
