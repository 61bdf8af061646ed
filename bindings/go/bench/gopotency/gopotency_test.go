// Package gopotency compares with github.com/fco-gt/gopotency and its memory storage. It is a
// module of its own, since the other is wherever GOPOTENCY_DIR says. Each benchmark checks its
// answers, on both sides.
package gopotency

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"

	idem "libidem.dev/go"

	theirs "github.com/fco-gt/gopotency"
	"github.com/fco-gt/gopotency/storage/memory"
)

var (
	background = context.Background()
	goroutines = []int{1, 2, 8}
)

const bodySize = 256

// batch is how many keys are asked for at a time: one by one, but for the side that can do more.
const batch = 16

// A side is one of them, as a middleware calls it, or as a consumer of a queue.
type side interface {
	// fresh is requests whose keys are new: each is claimed, and its response stored.
	fresh(keys []string, body []byte) error
	// replay is what is there of these keys, which is not to be changed.
	replay(keys []string, responses [][]byte) error
	// clear forgets all keys.
	clear() error
}

// each does it one by one.
func each(keys []string, one func(i int, key string) error) error {
	for i, key := range keys {
		if err := one(i, key); err != nil {
			return err
		}
	}
	return nil
}

type libidem struct{ engine *idem.Engine }

func (s libidem) fresh(keys []string, body []byte) error {
	return each(keys, func(_ int, key string) error {
		outcome, err := s.engine.Claim(background, idem.Global(key))
		if err != nil || outcome.Kind != idem.Execute {
			return fmt.Errorf("claim: %v, %v", outcome.Kind, err)
		}
		stored, err := outcome.Lease.Complete(body)
		if err != nil || stored != idem.Stored {
			return fmt.Errorf("complete: %v, %v", stored, err)
		}
		return nil
	})
}

func (s libidem) replay(keys []string, responses [][]byte) error {
	return each(keys, func(i int, key string) error {
		outcome, err := s.engine.Claim(background, idem.Global(key))
		if err != nil || outcome.Kind != idem.Replay {
			return fmt.Errorf("claim: %v, %v", outcome.Kind, err)
		}
		responses[i] = outcome.Response
		return nil
	})
}

// What is cleared is given back by ticks, which are not to be measured: the other side's collector
// has what it forgets before it is used again.
func (s libidem) clear() error {
	if err := s.engine.Clear(); err != nil {
		return err
	}
	for more := true; more; {
		var err error
		if more, err = s.engine.Tick(); err != nil {
			return err
		}
	}
	return nil
}

// batches is libidem, all keys in one call.
type batches struct{ libidem }

func (s batches) claim(keys []string, outcomes []idem.Outcome, want idem.Kind) error {
	var requests [batch]idem.Request
	for i, key := range keys {
		requests[i].Key = idem.Global(key)
	}
	if err := s.engine.ClaimBatch(background, requests[:len(keys)], outcomes); err != nil {
		return err
	}
	for i := range outcomes {
		if outcomes[i].Kind != want {
			return fmt.Errorf("claim: %v", outcomes[i].Kind)
		}
	}
	return nil
}

func (s batches) fresh(keys []string, body []byte) error {
	var outcomes [batch]idem.Outcome
	if err := s.claim(keys, outcomes[:len(keys)], idem.Execute); err != nil {
		return err
	}
	var endings [batch]idem.Ending
	for i := range keys {
		endings[i] = idem.Ending{Lease: outcomes[i].Lease, Response: body}
	}
	if err := s.engine.CompleteBatch(endings[:len(keys)]); err != nil {
		return err
	}
	for i := range keys {
		if endings[i].Err != nil || endings[i].Completion != idem.Stored {
			return fmt.Errorf("complete: %v, %v", endings[i].Completion, endings[i].Err)
		}
	}
	return nil
}

func (s batches) replay(keys []string, responses [][]byte) error {
	var outcomes [batch]idem.Outcome
	if err := s.claim(keys, outcomes[:len(keys)], idem.Replay); err != nil {
		return err
	}
	for i := range keys {
		responses[i] = outcomes[i].Response
	}
	return nil
}

type gopotency struct {
	manager *theirs.Manager
	storage *memory.Storage
}

func request(key string) *theirs.Request {
	return &theirs.Request{Method: "POST", Path: "/charge", IdempotencyKey: key}
}

func (s gopotency) fresh(keys []string, body []byte) error {
	return each(keys, func(_ int, key string) error {
		request := request(key)
		if cached, err := s.manager.Check(background, request); cached != nil || err != nil {
			return fmt.Errorf("check: %v, %v", cached, err)
		}
		if err := s.manager.Lock(background, request); err != nil {
			return err
		}
		return s.manager.Store(background, key, &theirs.Response{StatusCode: 200, Body: body})
	})
}

func (s gopotency) replay(keys []string, responses [][]byte) error {
	return each(keys, func(i int, key string) error {
		cached, err := s.manager.Check(background, request(key))
		if err != nil || cached == nil {
			return fmt.Errorf("check: %v, %v", cached, err)
		}
		responses[i] = cached.Body
		return nil
	})
}

// Its storage is as good as new after a Close.
func (s gopotency) clear() error { return s.storage.Close() }

func sides(b *testing.B, room int, run func(*testing.B, side)) {
	b.Run("side=gopotency", func(b *testing.B) {
		storage := memory.NewMemoryStorage()
		manager, err := theirs.NewManager(theirs.Config{Storage: storage})
		if err != nil {
			b.Fatal(err)
		}
		defer manager.Close()
		run(b, gopotency{manager, storage})
	})
	ours := func(name string, hugePages bool, made func(*idem.Engine) side) {
		b.Run("side="+name, func(b *testing.B) {
			engine, err := idem.Open(idem.Config{
				Records: room, Bytes: int64(room) * 2 * bodySize, HugePages: hugePages,
			})
			if err != nil {
				b.Fatal(err)
			}
			defer engine.Close()
			run(b, made(engine))
		})
	}
	ours("libidem", false, func(e *idem.Engine) side { return libidem{e} })
	ours("huge", true, func(e *idem.Engine) side { return libidem{e} })
	ours("batches", true, func(e *idem.Engine) side { return batches{libidem{e}} })
}

// keysOf are made beforehand: neither side is to be measured by strconv.
func keysOf(count int) []string {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = "order:" + strconv.FormatUint(uint64(i)*0x9e3779b97f4a7c15, 16)
	}
	return keys
}

// split runs body in `count` goroutines, which have all of `operations` between them.
func split(count, operations int, body func(thread, from, to int)) {
	done := make(chan bool)
	for thread := range count {
		go func() {
			body(thread, operations*thread/count, operations*(thread+1)/count)
			done <- true
		}()
	}
	for range count {
		<-done
	}
}

// A key is new each time: after so many both sides forget all of them, while the clock stands.
const freshKeys = 1 << 20

func BenchmarkFresh(b *testing.B) {
	keys, body := keysOf(freshKeys), bytes.Repeat([]byte("0123456789abcdef"), bodySize/16)
	sides(b, 2*freshKeys, func(b *testing.B, s side) {
		for _, count := range goroutines {
			b.Run(fmt.Sprintf("goroutines=%d", count), func(b *testing.B) {
				b.ReportAllocs()
				for left := b.N; left > 0; left -= freshKeys {
					b.StopTimer()
					if err := s.clear(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					split(count, min(left, freshKeys), func(_, from, to int) {
						for ; from < to; from += batch {
							if err := s.fresh(keys[from:min(from+batch, to)], body); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
			})
		}
	})
}

func BenchmarkReplay(b *testing.B) {
	for _, size := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", size), func(b *testing.B) { replays(b, size) })
	}
}

func replays(b *testing.B, size int) {
	keys := keysOf(size)
	sides(b, size+4096, func(b *testing.B, s side) {
		for i, key := range keys {
			body := make([]byte, bodySize)
			binary.LittleEndian.PutUint64(body, uint64(i))
			if err := s.fresh([]string{key}, body); err != nil {
				b.Fatal(err)
			}
		}
		for _, count := range goroutines {
			b.Run(fmt.Sprintf("goroutines=%d", count), func(b *testing.B) {
				b.ReportAllocs()
				split(count, b.N, func(thread, from, to int) {
					var asked [batch]string
					var responses [batch][]byte
					for ; from < to; from += batch {
						some := asked[:min(batch, to-from)]
						at := func(n int) int { return ((from+n)*7919 + thread) % size }
						for n := range some {
							some[n] = keys[at(n)]
						}
						if err := s.replay(some, responses[:]); err != nil {
							b.Error(err)
							return
						}
						for n := range some {
							body := responses[n]
							if len(body) != bodySize ||
								binary.LittleEndian.Uint64(body) != uint64(at(n)) {
								b.Errorf("%d: %d bytes of another", at(n), len(body))
								return
							}
						}
					}
				})
			})
		}
	})
}
