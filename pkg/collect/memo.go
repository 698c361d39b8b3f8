package collect

import (
	"context"
	"errors"
	"sync"
)

// Memo remembers answers by key and asks for each once, however many want it at
// the same time. A *CallError is an answer too; an error that ends the run is none. The
// zero Memo is ready for use.
type Memo[V any] struct {
	mu      sync.Mutex
	answers map[string]*answer[V]
}

type answer[V any] struct {
	done  chan struct{} // closed when what follows is set
	value V
	err   error
}

// Get returns the answer for the key. Unless it is remembered or on its way, it asks.
func (m *Memo[V]) Get(ctx context.Context, key string, ask func(context.Context) (V, error)) (V, error) {
	for {
		a, mine := m.claim(key)
		if mine {
			a.value, a.err = ask(ctx)
			var call *CallError
			if a.err != nil && !errors.As(a.err, &call) {
				m.forget(key)
			}
			close(a.done)
			return a.value, a.err
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
		if m.holds(key, a) {
			return a.value, a.err
		}
		// Who asked got no answer: ask again.
	}
}

// claim returns the answer for the key, and whether the caller must give it.
func (m *Memo[V]) claim(key string) (_ *answer[V], mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, known := m.answers[key]; known {
		return a, false
	}
	if m.answers == nil {
		m.answers = map[string]*answer[V]{}
	}
	a := &answer[V]{done: make(chan struct{})}
	m.answers[key] = a
	return a, true
}

func (m *Memo[V]) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.answers, key)
}

func (m *Memo[V]) holds(key string, a *answer[V]) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers[key] == a
}
