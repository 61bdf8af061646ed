// A consumer of a queue that delivers at least once: sixteen messages at a time are claimed in one
// call, what is new is handled, and what has been handled before is only acknowledged.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	idem "libidem.dev/go"
)

// A message as queues have it: one that is not acknowledged comes again.
type message struct{ id, body string }

const (
	messages  = 10_000
	consumers = 4
	batch     = 16
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	engine, err := idem.Open(idem.Config{Retention: time.Hour})
	if err != nil {
		return err
	}
	defer engine.Close()

	q := newQueue(messages)
	var handled sync.Map // By id, how often.
	handle := func(m message) error {
		if rand.IntN(50) == 0 {
			return errors.New("the database is away")
		}
		count, _ := handled.LoadOrStore(m.id, new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
		return nil
	}
	var group sync.WaitGroup
	failures := make(chan error, consumers)
	for range consumers {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := consume(engine, q, handle); err != nil {
				failures <- err
			}
		}()
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}

	once := 0
	handled.Range(func(_, count any) bool {
		if count.(*atomic.Int64).Load() == 1 {
			once++
		}
		return true
	})
	fmt.Printf("%d messages, %d deliveries, %d handled exactly once\n",
		messages, q.deliveries, once)
	if once != messages {
		return errors.New("a message was lost, or handled twice")
	}
	return nil
}

func consume(engine *idem.Engine, q *queue, handle func(message) error) error {
	var (
		requests [batch]idem.Request
		outcomes [batch]idem.Outcome
		endings  []idem.Ending
		done     []message
	)
	for {
		delivered := q.receive(batch)
		if len(delivered) == 0 {
			return nil
		}
		for i, m := range delivered {
			requests[i] = idem.Request{Key: idem.Scoped("orders", m.id)}
		}
		asked, some := requests[:len(delivered)], outcomes[:len(delivered)]
		if err := engine.ClaimBatch(context.Background(), asked, some); err != nil {
			return err
		}
		endings, done = endings[:0], done[:0]
		for i, m := range delivered {
			switch outcome := &some[i]; {
			case outcome.Kind == idem.Execute:
				if err := handle(m); err != nil {
					// It is not acknowledged, so it comes again; and its key is free.
					if err := outcome.Lease.Cancel(); err != nil {
						return err
					}
					continue
				}
				endings = append(endings, idem.Ending{Lease: outcome.Lease})
				done = append(done, m)
			case outcome.Kind == idem.Replay || outcome.Kind == idem.Done:
				q.acknowledge(m)
			case outcome.Kind == idem.InFlight:
				// Another consumer is at it; if that fails, it comes again.
			default:
				return outcome.Err()
			}
		}
		if err := engine.CompleteBatch(endings); err != nil {
			return err
		}
		for i, m := range done {
			// Stale: it took longer than the lease, and another consumer has it now.
			if !errors.Is(endings[i].Err, idem.ErrStale) {
				q.acknowledge(m)
			}
		}
	}
}

// queue delivers what is not acknowledged, some of it twice, in any order.
type queue struct {
	lock       sync.Mutex
	waiting    map[string]message
	deliveries int
}

func newQueue(count int) *queue {
	q := &queue{waiting: make(map[string]message, count)}
	for i := range count {
		id := fmt.Sprintf("m-%05d", i)
		q.waiting[id] = message{id, "an order"}
	}
	return q
}

func (q *queue) receive(most int) (delivered []message) {
	q.lock.Lock()
	defer q.lock.Unlock()
	for _, m := range q.waiting {
		if len(delivered) == most {
			break
		}
		delivered = append(delivered, m)
		if len(delivered) < most && rand.IntN(10) == 0 {
			delivered = append(delivered, m)
		}
	}
	q.deliveries += len(delivered)
	return delivered
}

func (q *queue) acknowledge(m message) {
	q.lock.Lock()
	defer q.lock.Unlock()
	delete(q.waiting, m.id)
}
