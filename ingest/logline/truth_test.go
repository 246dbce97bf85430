package logline

import (
	"bufio"
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

// tally is what was found in the lines of one format.
type tally struct {
	lines, status, duration, address, user, outcome, method, time int
}

func (t *tally) add(m Message) {
	for _, c := range []struct {
		n     *int
		found bool
	}{
		{&t.lines, true}, {&t.status, m.HTTP.Status != 0}, {&t.duration, m.HTTP.Duration != 0}, {&t.address, m.Address != ""},
		{&t.user, m.User != ""}, {&t.outcome, m.Outcome != ""}, {&t.method, m.HTTP.Method != ""}, {&t.time, !m.Time.IsZero()},
	} {
		if c.found {
			*c.n++
		}
	}
}

// floor is what recognition must at least find in the data folder: it may
// rise, and not fall.
var floor = map[string]tally{
	"apache":        {lines: 1, method: 1, status: 1, address: 1, outcome: 1, time: 1},
	"auditd":        {lines: 16, user: 6, outcome: 5, time: 16},
	"authentik":     {lines: 24, address: 24, user: 24, outcome: 24},
	"envoy":         {lines: 2, method: 2, status: 2, address: 2, outcome: 2, time: 2},
	"grafana":       {lines: 36, address: 36, outcome: 36, time: 36},
	"haproxy":       {lines: 5, method: 2, status: 2, duration: 2, address: 5, outcome: 2},
	"ingress-nginx": {lines: 3, method: 3, status: 3, address: 3, outcome: 3, time: 3},
	"keycloak":      {lines: 10, address: 10, user: 10, outcome: 10},
	"laurel":        {lines: 2, user: 2, outcome: 2, time: 2},
	"mongodb":       {lines: 12, address: 12, user: 12, outcome: 12, time: 12},
	"mysql":         {lines: 7, address: 7, user: 7, outcome: 7, time: 7},
	"nextcloud":     {lines: 19, address: 19, user: 6, outcome: 19, time: 19},
	"nginx":         {lines: 486, method: 486, status: 477, address: 486, outcome: 477, time: 477},
	"sshd":          {lines: 86, address: 86, user: 48, outcome: 79, time: 1},
	"traefik":       {lines: 86, method: 86, status: 86, duration: 86, address: 86, outcome: 86, time: 86},
	"uvicorn":       {lines: 6, method: 6, status: 6, address: 6, outcome: 6},
	"vaultwarden":   {lines: 28, address: 28, user: 10, outcome: 28},
}

// TestTruth reads every log of the data folder by recognition alone, prints
// what it found by file and by format, and compares with the floor.
func TestTruth(t *testing.T) {
	sum := map[string]*tally{}
	for _, file := range dataLogs(t) {
		per := map[string]int{}
		for _, text := range logTexts(t, file) {
			m := Recognise(text)
			sound(t, text, m)
			name := m.Format
			if name == "" {
				name = "none"
			}
			if sum[name] == nil {
				sum[name] = &tally{}
			}
			sum[name].add(m)
			per[name]++
		}
		t.Logf("%-50s %v", filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), per)
	}
	t.Logf("%-14s %6s %6s %6s %8s %7s %5s %7s %6s", "format", "lines", "method", "status", "duration", "address", "user", "outcome", "time")
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		s := *sum[name]
		t.Logf("%-14s %6d %6d %6d %8d %7d %5d %7d %6d", name, s.lines, s.method, s.status, s.duration, s.address, s.user, s.outcome, s.time)
	}
	for name, want := range floor {
		if got := sum[name]; got == nil || got.lines < want.lines || got.status < want.status || got.duration < want.duration ||
			got.address < want.address || got.user < want.user || got.outcome < want.outcome || got.method < want.method || got.time < want.time {
			t.Errorf("%s: found %+v, want at least %+v", name, got, want)
		}
	}
}

// dataLogs are the logs of the data folder; without it the test is skipped,
// and the golden files stand for it.
func dataLogs(t *testing.T) []string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Skip("no root of the module")
		}
		root = filepath.Dir(root)
	}
	var files []string
	dir := filepath.Join(root, "..", "shared", "data", "container-logs")
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".log") {
			files = append(files, path)
		}
		return nil
	})
	if len(files) == 0 {
		t.Skip("no data folder")
	}
	return files
}

// logTexts are the messages of a log, out of their envelope where they have
// one.
func logTexts(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var texts []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		if l, err := CRI(lines.Bytes()); err == nil {
			text = string(l.Text)
		} else if l, err := Docker(lines.Bytes()); err == nil {
			text = string(l.Text)
		}
		if strings.TrimSpace(text) != "" {
			texts = append(texts, text)
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return texts
}

// sound says what holds of every message, whatever the text.
func sound(t *testing.T, text string, m Message) {
	t.Helper()
	wrong := func(format string, args ...any) { t.Errorf("%.200q: %s: %+v", text, fmt.Sprintf(format, args...), m) }
	if s := m.HTTP.Status; s != 0 && (s < 100 || s > 599) {
		wrong("status %d", s)
	}
	if d := m.HTTP.Duration; !(d >= 0 && d <= maxSeconds) {
		wrong("duration %g", d)
	}
	if m.HTTP.Bytes < 0 {
		wrong("bytes %d", m.HTTP.Bytes)
	}
	if m.Address != "" && address(m.Address) != m.Address {
		wrong("address %q", m.Address)
	}
	if m.Class != "" && !slices.Contains(event.Classes(), m.Class) {
		wrong("class %q", m.Class)
	}
	if len(m.Forwarded) > maxForwarded || len(m.Fields) > maxValues {
		wrong("%d forwarded, %d fields", len(m.Forwarded), len(m.Fields))
	}
	if len(m.HTTP.Method) > 32 || len(m.HTTP.Path) > len(text) || len(m.User) > len(text) || len(m.UserAgent) > len(text) || len(m.Text) > len(text) {
		wrong("a part is longer than the text")
	}
	if y := m.Time.Year(); !m.Time.IsZero() && (y < 1970 || y >= 2200) {
		wrong("year %d", y)
	}
}
