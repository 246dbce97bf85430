package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
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

// TestPlansShareAReadUntilAWrite: a plan takes the pod as it was read for its
// finding; after a write it is what the API server answered, and after one that
// was refused it is read again.
func TestPlansShareAReadUntilAWrite(t *testing.T) {
	s := &server{status: 200, answer: strings.Replace(podAnswer, `"8"`, `"7"`, 1)}
	c := NewCache(client(t, s))
	read := func(from interface {
		Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	}, version string, asked int) {
		t.Helper()
		before := s.asked
		pod, err := from.Pod(t.Context(), "shop", "p")
		if err != nil || pod.ResourceVersion != version || s.asked-before != asked {
			t.Errorf("%v, %v, %d requests; want version %s, %d requests", pod, err, s.asked-before, version, asked)
		}
	}
	read(c, "7", 1)
	read(Recent{c}, "7", 0)
	read(c, "7", 1) // who does not plan reads it each time

	s.answer = podAnswer
	if _, version, err := c.Apply(t.Context(), podWrite("patch"), ApplyOptions{}); err != nil || version != "8" {
		t.Fatal(version, err)
	}
	if s.method != "PATCH" || s.path != "/api/v1/namespaces/shop/pods/p?fieldManager=firebreak" || s.header.Get("Content-Type") != "application/merge-patch+json" ||
		s.body != `{"metadata":{"labels":{"a":null},"resourceVersion":"7","uid":"u1"}}` {
		t.Error(s.method, s.path, s.header, s.body)
	}
	before, free := s.asked, podWrite("patch")
	free.ResourceVersion = ""
	if _, _, err := c.Apply(t.Context(), free, ApplyOptions{}); !errors.Is(err, ErrUnconditional) || s.asked != before {
		t.Error("a patch that is conditional on nothing was sent:", err)
	}
	if _, version, err := c.Apply(t.Context(), podWrite("patch"), ApplyOptions{}); err != nil || version != "8" {
		t.Fatal(version, err)
	}
	read(Recent{c}, "8", 0)
	if pod, ok := c.Answered("shop", "p", "8"); !ok || pod.UID != "u1" {
		t.Errorf("the answer is %v", pod)
	}
	if _, ok := c.Answered("shop", "p", "7"); ok {
		t.Error("an answer was given for another write")
	}

	s.status, s.answer = 409, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409}`
	if _, _, err := c.Apply(t.Context(), podWrite("patch"), ApplyOptions{}); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	if _, ok := c.Answered("shop", "p", "8"); ok {
		t.Error("an answer outlived a conflict")
	}
	s.status, s.answer = 200, strings.Replace(podAnswer, `"8"`, `"9"`, 1)
	read(Recent{c}, "9", 1)
}

func TestTableTakesNothingOlder(t *testing.T) {
	var table table[int]
	before := time.Now()
	table.put("k", 2, before.Add(time.Millisecond))
	table.put("k", 1, before)
	if v, ok := table.peek("k"); !ok || v != 2 {
		t.Errorf("got %d, %v", v, ok)
	}
	table.forget("k")
	table.put("k", 1, before)
	if v, ok := table.peek("k"); ok {
		t.Errorf("an answer from before it was forgotten came back: %d", v)
	}
}

// TestFlightsAreNeverOlderThanTheQuestion: each caller gets an answer that was
// asked for after it came, and many share one.
func TestFlightsAreNeverOlderThanTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[time.Time]
		var asked atomic.Int64
		ask := func(context.Context) (time.Time, error) {
			asked.Add(1)
			at := time.Now()
			<-time.After(100 * time.Millisecond)
			return at, nil
		}
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				<-time.After(time.Duration(i) * 3 * time.Millisecond)
				came := time.Now()
				if at, err := f.join(t.Context(), "k", ask); err != nil || at.Before(came) {
					t.Errorf("came at %v and got what was asked for at %v, %v", came, at, err)
				}
			})
		}
		group.Wait()
		if n := asked.Load(); n > 3*underWay {
			t.Errorf("asked %d times", n)
		}
		if len(f.next)+len(f.turns) > 0 {
			t.Error("something is left")
		}
	})
}

// TestFlightsOutliveWhoAsked: who shares an answer does not share the patience
// of the one who asked for it.
func TestFlightsOutliveWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		ask := func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return 7, nil
			}
		}
		var group sync.WaitGroup
		for _, patience := range []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Hour, time.Hour} {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				v, err := f.join(ctx, "k", ask)
				if patience == time.Hour && (v != 7 || err != nil) || patience != time.Hour && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("with %s of patience: %d, %v", patience, v, err)
				}
			})
			<-time.After(100 * time.Microsecond)
		}
		group.Wait()
	})
}
