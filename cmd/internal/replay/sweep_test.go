package replay_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

const shared = "../../../../shared/data"

// realFile is one file of real input, and what its source says of it.
type realFile struct {
	Category string `json:"category"`
	Path     string `json:"path"`
	Role     string `json:"role"`
	Truth    string `json:"ground_truth"`
}

// realFiles lists the real input that lies beside the checkout; without it
// the test is skipped.
func realFiles(t *testing.T) []realFile {
	t.Helper()
	f, err := os.Open(filepath.Join(shared, "INDEX.jsonl"))
	if err != nil {
		t.Skip("no shared data")
	}
	defer f.Close()
	var files []realFile
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row realFile
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			continue // some rows describe folders
		}
		if row.Role == "input" && row.Path != "" {
			files = append(files, row)
		}
	}
	return files
}

// sources are those that a file could be given to.
func (f realFile) sources() []string {
	switch f.Category {
	case "falco":
		return []string{"falco"}
	case "k8s-audit":
		return []string{"audit"}
	case "container-logs":
		return []string{"log"}
	case "malformed":
		return []string{"falco", "audit", "log"}
	}
	return nil
}

// TestSweep replays each file of real input alone, through all that is
// shipped: nothing panics, the lines add up, and twice gives the same bytes.
func TestSweep(t *testing.T) {
	o := shipped(t)
	total, files := replay.Summary{}, 0
	for _, f := range realFiles(t) {
		data, err := os.ReadFile(filepath.Join(shared, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range f.sources() {
			t.Run(source+"/"+f.Path, func(t *testing.T) {
				o := o
				o.Inputs = []replay.Input{input(source, f.Path, data)}
				var first, second, text bytes.Buffer
				r := &record{}
				for _, to := range []both{{r, replay.NDJSON(&first)}, {replay.Text(&text), replay.NDJSON(&second)}} {
					if err := replay.Replay(t.Context(), o, to); err != nil {
						t.Fatal(err)
					}
				}
				consistent(t, source, data, r)
				if !bytes.Equal(first.Bytes(), second.Bytes()) || text.Len() == 0 {
					t.Error("twice gives different bytes, or there is no text")
				}
				files++
				total.Lines += r.summary.Lines
				total.Events += r.summary.Events
				total.Findings += r.summary.Findings
				total.Runs += r.summary.Runs
				total.Rejected += r.summary.Rejected
			})
		}
	}
	t.Logf("%d replays: %+v", files, total)
}

// both gives two sinks the same.
type both [2]replay.Sink

func (b both) Finding(f event.Finding) error { return errors.Join(b[0].Finding(f), b[1].Finding(f)) }
func (b both) Run(r replay.Run) error        { return errors.Join(b[0].Run(r), b[1].Run(r)) }
func (b both) Rejected(r event.Rejected) error {
	return errors.Join(b[0].Rejected(r), b[1].Rejected(r))
}
func (b both) Count(f event.Finding, c event.FindingCount) error {
	return errors.Join(b[0].Count(f, c), b[1].Count(f, c))
}
func (b both) Summary(s replay.Summary) error { return errors.Join(b[0].Summary(s), b[1].Summary(s)) }

// TestSweepTogether replays all files at once, each under its source.
func TestSweepTogether(t *testing.T) {
	o := shipped(t)
	for _, f := range realFiles(t) {
		for _, source := range f.sources() {
			path := filepath.Join(shared, f.Path)
			o.Inputs = append(o.Inputs, replay.Input{Source: source, Name: f.Path, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
		}
	}
	first := output(t, o, replay.NDJSON)
	slices.Reverse(o.Inputs)
	if !bytes.Equal(first, output(t, o, replay.NDJSON)) {
		t.Error("the order of the arguments changes the output")
	}
	lines := bytes.Split(bytes.TrimSpace(first), []byte("\n"))
	t.Logf("%d files: %s", len(o.Inputs), lines[len(lines)-1])
}
