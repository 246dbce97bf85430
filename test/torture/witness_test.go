//go:build linux

package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// witness is the detectors' worker with rules that find every event, beside the real one and killed like
// it. Its findings go to a file instead of a stream: a synced finding for each event would be another test.
func witness() error {
	ctx := context.Background()
	b := openAgain(ctx)
	set, err := detect.LoadRules(os.Getenv(rulesVar))
	if err != nil {
		return err
	}
	out, err := os.OpenFile(os.Getenv(outVar), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	worker := &detect.Worker{
		Engine: detect.NewEngine(set, detect.EngineOptions{}), Store: notebook{out}, Snapshots: own{b.Snapshots()},
		Open: func(ctx context.Context, from uint64) (detect.Reader, error) { return b.Read(ctx, bus.Events, from) },
	}
	return worker.Run(ctx)
}

// openAgain connects, as often as it takes: NATS may be away, and nobody starts a witness again.
func openAgain(ctx context.Context) *bus.Bus {
	for {
		b, err := bus.Open(ctx, bus.Options{URL: os.Getenv(urlVar), Replicas: 1, Name: "witness"})
		if err == nil {
			return b
		}
		fmt.Fprintln(os.Stderr, err)
		shortly(time.Second)
	}
}

// notebook writes a line for each finding. One write is there as a whole or not at all, also after a kill.
type notebook struct{ file *os.File }

func (n notebook) Create(_ context.Context, _ string, data []byte) (uint64, error) {
	var f event.Finding
	if err := json.Unmarshal(data, &f); err != nil {
		return 0, err
	}
	_, err := fmt.Fprintf(n.file, "%s %s\n", f.ID, f.Explanation)
	return 1, err
}

func (n notebook) Dead(_ context.Context, r event.Rejected) error {
	_, err := fmt.Fprintf(n.file, "dead %s: %s\n", r.From, r.Reason)
	return err
}

// own keeps the witness's place apart from the real detector's.
type own struct{ s *bus.Snapshots }

func (o own) Get(ctx context.Context, key string) ([]byte, error) {
	return o.s.Get(ctx, "witness-"+key)
}

func (o own) Put(ctx context.Context, key string, value []byte) error {
	return o.s.Put(ctx, "witness-"+key, value)
}

func (o own) PutParts(ctx context.Context, key string, parts iter.Seq2[[]byte, error]) error {
	return o.s.PutParts(ctx, "witness-"+key, parts)
}

// notes is what the witness has written by now. After a kill it finds some again: the bus would refuse
// those by their id.
type notes struct {
	t     *testing.T
	lines *bufio.Reader
	rest  string // of a line that is being written
	seen  *tally
}

func openNotes(t *testing.T, path string) *notes {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return &notes{t: t, lines: bufio.NewReader(file), seen: newTally()}
}

// read reads on to the end, and gives how many last events were seen.
func (n *notes) read() (ends int) {
	n.t.Helper()
	for {
		text, err := n.lines.ReadString('\n')
		n.rest += text
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			n.t.Fatal(err)
		}
		id, text, _ := strings.Cut(strings.TrimSpace(n.rest), " ")
		n.seen.add(text, id)
		n.rest = ""
	}
	for _, ids := range n.seen.ids {
		if ids[0] != 0 {
			ends++
		}
	}
	return ends
}

// wholeRules is a file of rules that find every event.
func wholeRules(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(rules(true)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
