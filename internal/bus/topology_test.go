package bus

import "testing"

// An incident that thousands of findings join is written as often; only the
// newest records may stay, and the newest is the one that counts.
func TestIncidentsKeepTheirNewestRecords(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	subject, last := SubjectIncident("a"), uint64(0)
	for range 3 * incidentHistory {
		seq, err := b.Append(ctx, subject, []byte("state"), last)
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	kept := 0
	for m, err := range b.History(ctx, subject) {
		if err != nil {
			t.Fatal(err)
		}
		kept++
		if kept == incidentHistory && m.Sequence != last {
			t.Errorf("the newest is %d, want %d", m.Sequence, last)
		}
	}
	if kept != incidentHistory {
		t.Errorf("%d records are kept, want %d", kept, incidentHistory)
	}
}
