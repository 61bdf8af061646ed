package idemhttp

import "sync"

// sharedErrors are the errors that calls failed with, for those who waited for them and are told
// that they were given up. An error is there before they are told, and goes when the next call of
// its identity begins.
type sharedErrors struct {
	lock     sync.Mutex
	underWay map[string]*calls
	failures map[string]failure
	// The last ones, as they came; some are gone by now.
	order [errorsKept]failure
	count uint64
}

// calls are those of one identity that are under way. If there is more than one, something that is
// not in it tells them apart, and whose error it is cannot be said.
type calls struct {
	count   int
	isMixed bool
}

// A failure is the at-th one.
type failure struct {
	identity string
	err      error
	at       uint64
}

// How many errors are remembered.
const errorsKept = 256

func (s *sharedErrors) begin(identity string) {
	if identity == "" {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.failures, identity)
	known := s.underWay[identity]
	if known == nil {
		if s.underWay == nil {
			s.underWay, s.failures = make(map[string]*calls), make(map[string]failure)
		}
		known = new(calls)
		s.underWay[identity] = known
	}
	known.count++
	known.isMixed = known.isMixed || known.count > 1
}

func (s *sharedErrors) end(identity string, err error) {
	if identity == "" {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	known := s.underWay[identity]
	known.count--
	if known.count == 0 {
		delete(s.underWay, identity)
	}
	if err == nil || known.isMixed {
		return
	}
	s.count++
	place := &s.order[s.count%errorsKept]
	if s.failures[place.identity].at == place.at {
		delete(s.failures, place.identity)
	}
	*place = failure{identity, err, s.count}
	s.failures[identity] = *place
}

// now is how many there have been.
func (s *sharedErrors) now() uint64 {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.count
}

// find is the error of a call that failed since then, if its identity's last one did.
func (s *sharedErrors) find(identity string, since uint64) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if found := s.failures[identity]; found.at > since {
		return found.err
	}
	return nil
}
