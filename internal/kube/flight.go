package kube

import (
	"context"
	"errors"
	"sync"
)

// flights let callers that ask for the same at the same time share an answer,
// and never one that was asked for before they came: it is as good as asking by
// oneself. At most [underWay] questions by key are under way, and one waits to
// be: who comes alone waits for nobody, and fifty at once ask a few times.
type flights[T any] struct {
	mu   sync.Mutex
	next map[string]*flight[T]
	// turns are held by the questions that are under way.
	turns map[string]*turn
}

const underWay = 2

// flight is a question that was not sent yet when a caller joined it.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

type turn struct {
	held  chan struct{}
	users int
}

// join gives an answer to a question that is sent from now on. When ask is
// given up because the ctx of the one who sends it is done, the others ask
// again.
func (f *flights[T]) join(ctx context.Context, key string, ask func(context.Context) (T, error)) (value T, err error) {
	for {
		one, turn, mine := f.board(key)
		if !mine {
			select {
			case <-one.done:
			case <-ctx.Done():
				return value, ctx.Err()
			}
			if one.err != nil && ctx.Err() == nil && one.given() {
				continue
			}
			return one.value, one.err
		}
		return f.fly(ctx, key, one, turn, ask)
	}
}

// board joins the flight that waits, or makes one.
func (f *flights[T]) board(key string) (one *flight[T], t *turn, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.next[key]; one != nil {
		return one, nil, false
	}
	if f.next == nil {
		f.next, f.turns = map[string]*flight[T]{}, map[string]*turn{}
	}
	if t = f.turns[key]; t == nil {
		t = &turn{held: make(chan struct{}, underWay)}
		f.turns[key] = t
	}
	t.users++
	one = &flight[T]{done: make(chan struct{})}
	f.next[key] = one
	return one, t, true
}

// fly waits for its turn, and asks. From then on nobody may join.
func (f *flights[T]) fly(ctx context.Context, key string, one *flight[T], t *turn, ask func(context.Context) (T, error)) (T, error) {
	defer close(one.done)
	start := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.next, key)
	}
	leave := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(f.turns, key)
		}
	}
	defer leave()
	select {
	case t.held <- struct{}{}:
		defer func() { <-t.held }()
		start()
	case <-ctx.Done():
		start()
		one.err = ctx.Err()
		return one.value, one.err
	}
	one.value, one.err = ask(ctx)
	return one.value, one.err
}

// given says that who sent the question gave it up.
func (one *flight[T]) given() bool {
	return errors.Is(one.err, context.Canceled) || errors.Is(one.err, context.DeadlineExceeded)
}
