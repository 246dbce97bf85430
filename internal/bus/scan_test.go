package bus

import (
	"fmt"
	"testing"
)

// TestScanGoesOn: a server that forgets what it was about to tell is asked for
// the rest, and nothing comes twice or is left out.
func TestScanGoesOn(t *testing.T) {
	b, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const all = 200
	for i := range all {
		if _, err := b.Create(t.Context(), SubjectRun(fmt.Sprint(i)), []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := b.stream(Runs)
	if err != nil {
		t.Fatal(err)
	}
	n, forgotten := 0, 0
	for m, err := range b.LastPerSubject(t.Context(), SubjectRun("*")) {
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != fmt.Sprint(n) {
			t.Fatalf("message %d is %s", n, m.Data)
		}
		if n++; n == 41 {
			for name := range stream.ConsumerNames(t.Context()).Name() {
				if err := stream.DeleteConsumer(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				forgotten++
			}
		}
	}
	if n != all || forgotten == 0 {
		t.Errorf("%d of %d messages came, with %d consumers forgotten", n, all, forgotten)
	}
}
