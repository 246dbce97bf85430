package bus

import (
	"bytes"
	"errors"
	"testing"
)

func TestSnapshots(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	s := b.Snapshots()
	if _, err := s.Get(ctx, "rules"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("empty: %v", err)
	}
	for i, size := range []int{0, 10, chunk, 3*chunk + 7, 100} {
		want := bytes.Repeat([]byte{byte('a' + i)}, size)
		if err := s.Put(ctx, "rules", want); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, "rules"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	b.Close()
	s = open(t, dir).Snapshots()
	if got, err := s.Get(ctx, "rules"); err != nil || len(got) != 100 {
		t.Errorf("after restart: %d, %v", len(got), err)
	}
}

// TestSnapshotHalfWritten crashes after the chunks and before the pointer.
func TestSnapshotHalfWritten(t *testing.T) {
	ctx := within(t)
	s := open(t, t.TempDir()).Snapshots()
	for _, value := range []string{"one", "two"} {
		if err := s.Put(ctx, "rules", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.pointer(ctx, "rules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.kv.Put(ctx, chunkKey("rules", 1-p.Slot, 0), []byte("half")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "rules"); err != nil || string(got) != "two" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := s.kv.Put(ctx, chunkKey("rules", p.Slot, 0), []byte("other")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "rules"); err == nil {
		t.Errorf("changed content was given: %q", got)
	}
}
