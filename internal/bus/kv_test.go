package bus

import (
	"errors"
	"testing"
)

func TestControl(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	kv := b.Control()
	if _, _, err := kv.Get(ctx, "lease"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("empty: %v", err)
	}
	first, err := kv.CompareAndSet(ctx, "lease", []byte("a"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.CompareAndSet(ctx, "lease", []byte("b"), 0); !errors.Is(err, ErrConflict) {
		t.Errorf("second creation: %v", err)
	}
	if _, err := kv.Put(ctx, "mode", []byte("ask")); err != nil {
		t.Fatal(err)
	}
	second, err := kv.CompareAndSet(ctx, "lease", []byte("c"), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.CompareAndSet(ctx, "lease", []byte("stale"), first); !errors.Is(err, ErrConflict) {
		t.Errorf("stale: %v", err)
	}
	b.Close()
	kv = open(t, dir).Control()
	if v, rev, err := kv.Get(ctx, "lease"); err != nil || string(v) != "c" || rev != second {
		t.Errorf("after restart: %s %d %v", v, rev, err)
	}
	for _, key := range []string{"", "*", ">", "a b"} {
		if _, err := kv.Put(ctx, key, nil); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}
