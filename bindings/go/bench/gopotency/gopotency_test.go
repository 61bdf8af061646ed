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

// A side is one of the two, as a middleware calls it.
type side interface {
	// fresh is a request whose key is new: it is claimed, and its response stored.
	fresh(key string, body []byte) error
	// replay is the response of a key, which it was told, and is not to be changed.
	replay(key string) ([]byte, error)
	// clear forgets all keys.
	clear() error
}

type libidem struct{ engine *idem.Engine }

func (s libidem) fresh(key string, body []byte) error {
	outcome, err := s.engine.Claim(background, idem.Global(key))
	if err != nil || outcome.Kind != idem.Execute {
		return fmt.Errorf("claim: %v, %v", outcome.Kind, err)
	}
	stored, err := outcome.Lease.Complete(body)
	if err != nil || stored != idem.Stored {
		return fmt.Errorf("complete: %v, %v", stored, err)
	}
	return nil
}

func (s libidem) replay(key string) ([]byte, error) {
	outcome, err := s.engine.Claim(background, idem.Global(key))
	if err != nil || outcome.Kind != idem.Replay {
		return nil, fmt.Errorf("claim: %v, %v", outcome.Kind, err)
	}
	return outcome.Response, nil
}

func (s libidem) clear() error { return s.engine.Clear() }

type gopotency struct {
	manager *theirs.Manager
	storage *memory.Storage
}

func request(key string) *theirs.Request {
	return &theirs.Request{Method: "POST", Path: "/charge", IdempotencyKey: key}
}

func (s gopotency) fresh(key string, body []byte) error {
	request := request(key)
	if cached, err := s.manager.Check(background, request); cached != nil || err != nil {
		return fmt.Errorf("check: %v, %v", cached, err)
	}
	if err := s.manager.Lock(background, request); err != nil {
		return err
	}
	return s.manager.Store(background, key, &theirs.Response{StatusCode: 200, Body: body})
}

func (s gopotency) replay(key string) ([]byte, error) {
	cached, err := s.manager.Check(background, request(key))
	if err != nil || cached == nil {
		return nil, fmt.Errorf("check: %v, %v", cached, err)
	}
	return cached.Body, nil
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
	b.Run("side=libidem", func(b *testing.B) {
		engine, err := idem.Open(idem.Config{Records: room, Bytes: int64(room) * 2 * bodySize})
		if err != nil {
			b.Fatal(err)
		}
		defer engine.Close()
		run(b, libidem{engine})
	})
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
						for _, key := range keys[from:to] {
							if err := s.fresh(key, body); err != nil {
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
			if err := s.fresh(key, body); err != nil {
				b.Fatal(err)
			}
		}
		for _, count := range goroutines {
			b.Run(fmt.Sprintf("goroutines=%d", count), func(b *testing.B) {
				b.ReportAllocs()
				split(count, b.N, func(thread, from, to int) {
					for n := from; n < to; n++ {
						i := (n*7919 + thread) % size
						body, err := s.replay(keys[i])
						if err != nil || len(body) != bodySize ||
							binary.LittleEndian.Uint64(body) != uint64(i) {
							b.Errorf("%d: %d bytes, %v", i, len(body), err)
							return
						}
					}
				})
			})
		}
	})
}
