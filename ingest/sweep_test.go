package ingest

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestSweep reads all real input that lies beside the checkout, by every
// source that could be given it, and checks what every scan must keep.
func TestSweep(t *testing.T) {
	root := "../../shared/data"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no shared data")
	}
	for _, c := range []struct{ kind, dir string }{
		{"falco", "falco"}, {"audit", "k8s-audit"}, {"log", "container-logs"},
		{"falco", "malformed"}, {"audit", "malformed"}, {"log", "malformed"},
		{"falco", "k8s-audit"}, {"audit", "falco"}, {"log", "falco"}, {"falco", "container-logs"}, {"audit", "container-logs"},
	} {
		t.Run(c.kind+"/"+c.dir, func(t *testing.T) { sweep(t, c.kind, filepath.Join(root, c.dir)) })
	}
}

func sweep(t *testing.T, kind, dir string) {
	var total Counts
	files, reasons := 0, map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".assert") || strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".truth.json") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		counts, items := scanAll(t, kind, path, data)
		checkScan(t, path, data, counts, items)
		total.Add(counts)
		for _, it := range items {
			if it.Rejected != nil {
				reasons[generic(it.Rejected.Reason)]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("files=%d %+v", files, total)
	for _, reason := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return cmp.Compare(reasons[b], reasons[a]) }) {
		t.Logf("%6d %s", reasons[reason], reason)
	}
}

// generic leaves numbers out of a reason, so that equal ones can be counted.
func generic(reason string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, reason)
}

func scanAll(t testing.TB, kind, name string, data []byte) (Counts, []Item) {
	t.Helper()
	var items []Item
	counts, err := Scan(kind, name, strings.NewReader(string(data)), Origin{}, func(it Item) error {
		items = append(items, it)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return counts, items
}

// checkScan holds for any bytes: every line is accounted for, and every item
// carries its line.
func checkScan(t testing.TB, name string, data []byte, c Counts, items []Item) {
	t.Helper()
	lines := strings.Count(string(data), "\n")
	if len(data) > 0 && data[len(data)-1] != '\n' && string(data) != "\xef\xbb\xbf" {
		lines++
	}
	if c.Lines != lines && !strings.HasSuffix("\n"+string(data), "\n\xef\xbb\xbf") {
		t.Errorf("%s: %d lines counted, there are %d", name, c.Lines, lines)
	}
	if c.Lines != c.Blank+c.Joined+c.Rejected+c.Begun || min(c.Blank, c.Joined, c.Rejected, c.Begun) < 0 {
		t.Errorf("%s: lines don't add up: %+v", name, c)
	}
	begun, rejected := map[int]bool{}, map[int]bool{}
	events, rejects := 0, 0
	for _, it := range items {
		if (it.Event == nil) == (it.Rejected == nil) {
			t.Fatalf("%s: an item is neither event nor reject", name)
		}
		want := fmt.Sprintf("%s:%d", name, it.Line)
		if it.Event != nil {
			events++
			begun[it.Line] = true
			checkEvent(t, it.Event)
			if it.Event.From != want {
				t.Errorf("event is from %q, want %q", it.Event.From, want)
			}
			continue
		}
		rejects++
		rejected[it.Line] = true
		if it.Rejected.From != want || it.Rejected.Reason == "" {
			t.Errorf("reject %q is from %q, want %q", it.Rejected.Reason, it.Rejected.From, want)
		}
		if it.Line < 1 || it.Line > max(lines, 1) {
			t.Errorf("%s: reject on line %d of %d", name, it.Line, lines)
		}
	}
	if events != c.Events || rejects != c.Rejects || len(begun) != c.Begun {
		t.Errorf("%s: %d events on %d lines, %d rejects, but counts say %+v", name, events, len(begun), rejects, c)
	}
	if c.Rejected > len(rejected) {
		t.Errorf("%s: %d lines rejected, but only %d have a reject", name, c.Rejected, len(rejected))
	}
}

// checkEvent holds for any event.
func checkEvent(t testing.TB, e *event.Event) {
	t.Helper()
	data, err := encode(e)
	if err != nil {
		t.Fatalf("event of %s: %v", e.From, err)
	}
	back, err := event.DecodeFrame(event.EncodeFrame([][]byte{data}))
	if err != nil || len(back) != 1 || back[0].ID != e.ID {
		t.Fatalf("event of %s doesn't survive its frame: %v", e.From, err)
	}
	if len(e.ID) != 32 || !slices.Contains(event.Classes(), e.Class) || e.Severity.Rank() < 0 {
		t.Errorf("event of %s has id %q, class %q, severity %q", e.From, e.ID, e.Class, e.Severity)
	}
}
