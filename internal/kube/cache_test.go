package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTableSharesAnswersForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table table[int]
		var asked atomic.Int64
		ask := func(context.Context) (int, error) {
			n := asked.Add(1)
			<-time.After(100 * time.Millisecond) // the answer takes its time
			return int(n), nil
		}
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if v, err := table.get(t.Context(), "shop", ask); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		group.Wait()
		<-time.After(cacheFor)
		if v, err := table.get(t.Context(), "shop", ask); v != 2 || err != nil {
			t.Errorf("an old answer was given: %d, %v", v, err)
		}
		if v, err := table.get(t.Context(), "other", ask); v != 3 || err != nil {
			t.Errorf("the answer for another key was given: %d, %v", v, err)
		}
	})
}

func TestTableKeepsNoErrors(t *testing.T) {
	var table table[int]
	away := errors.New("away")
	if _, err := table.get(t.Context(), "k", func(context.Context) (int, error) { return 0, away }); !errors.Is(err, away) {
		t.Fatal(err)
	}
	if v, err := table.get(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

func TestTableIsBounded(t *testing.T) {
	var table table[int]
	for i := range 10 * maxEntries {
		if _, err := table.get(t.Context(), fmt.Sprint(i), func(context.Context) (int, error) { return i, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(table.entries); n > maxEntries {
		t.Errorf("%d entries are kept", n)
	}
}
