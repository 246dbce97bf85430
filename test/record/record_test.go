package record

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRecord records some seconds of work and the whole attack; each act leaves requests of those who
// did it.
func TestRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	dir := t.TempDir()
	if err := Record(t.Context(), Options{Benign: time.Second, Attack: true, Dir: dir, Log: t.Output()}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "acts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var marks []Mark
	if err := json.Unmarshal(data, &marks); err != nil || len(marks) != len(Attack()) {
		t.Fatal(len(marks), err)
	}
	f, err := os.Open(filepath.Join(dir, "audit.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 4<<20); lines.Scan(); {
		var e struct {
			User                     struct{ Username string }
			RequestReceivedTimestamp time.Time
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		for _, m := range marks {
			if m.By == e.User.Username && !e.RequestReceivedTimestamp.Before(m.From) && !e.RequestReceivedTimestamp.After(m.Until) {
				seen[m.Act]++
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, m := range marks {
		if seen[m.Act] == 0 {
			t.Errorf("%s: no request of %s between %s and %s", m.Act, m.By, m.From, m.Until)
		}
	}
}
