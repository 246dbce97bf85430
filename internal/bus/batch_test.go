package bus

import (
	"errors"
	"fmt"
	"testing"
)

func records(from, to int) (all []Record) {
	for i := from; i < to; i++ {
		all = append(all, Record{SubjectFinding(fmt.Sprint("f", i)), []byte(fmt.Sprint(i))})
	}
	return all
}

func TestCreateAllIsAllOrNone(t *testing.T) {
	b, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, r := range [][]Record{records(0, 1), records(1, 1+MaxBatch)} {
		if err := b.CreateAll(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.CreateAll(t.Context(), records(MaxBatch, MaxBatch+10)); !errors.Is(err, ErrExists) && !errors.Is(err, ErrConflict) {
		t.Errorf("one of them was there: %v", err)
	}
	n := 0
	for m, err := range b.LastPerSubject(t.Context(), "find.*") {
		if err != nil {
			t.Fatal(err)
		}
		if want := SubjectFinding("f" + string(m.Data)); m.Subject != want {
			t.Errorf("%s is at %s", m.Data, m.Subject)
		}
		n++
	}
	if n != MaxBatch+1 {
		t.Errorf("%d records", n)
	}
	for _, r := range [][]Record{nil, records(0, MaxBatch+1), {{Subject: "find.*"}}, {{Subject: SubjectInput("x")}, {Subject: SubjectInput("y")}}} {
		if err := b.CreateAll(t.Context(), r); err == nil {
			t.Errorf("%d records were taken", len(r))
		}
	}
}

func BenchmarkCreateAll(b *testing.B) {
	bus, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer bus.Close()
	n := 0
	for b.Loop() {
		if err := bus.CreateAll(b.Context(), records(n, n+400)); err != nil {
			b.Fatal(err)
		}
		n += 400
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "findings/s")
}
