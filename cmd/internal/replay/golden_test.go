package replay_test

import (
	"bytes"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

var update = flag.Bool("update", false, "write the golden files")

// shop is a small incident in three files, with faults in each.
func shop() []replay.Input {
	var inputs []replay.Input
	for _, f := range []struct{ source, name string }{{"falco", "falco.jsonl"}, {"audit", "audit.json"}, {"log", "web.log"}} {
		inputs = append(inputs, replay.Input{Source: f.source, Name: f.name, Open: func() (io.ReadCloser, error) {
			return os.Open(filepath.Join("testdata", "shop", f.name))
		}})
	}
	return inputs
}

// small are options with the rules and playbooks of the folder alone.
func small(t testing.TB) replay.Options {
	t.Helper()
	rules, err := files.Rules([]string{"testdata/shop/rules.yaml"}, false)
	if err != nil {
		t.Fatal(err)
	}
	books, err := files.Playbooks([]string{"testdata/shop/playbooks.yaml"}, false)
	if err != nil {
		t.Fatal(err)
	}
	return replay.Options{
		Inputs: shop(), Rules: rules, Playbooks: books, Ceiling: event.ModeAct, Cluster: "test", Logger: slog.New(slog.DiscardHandler),
	}
}

func output(t testing.TB, o replay.Options, form func(io.Writer) replay.Sink) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := replay.Replay(t.Context(), o, form(&out)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		golden string
		form   func(io.Writer) replay.Sink
	}{{"shop.ndjson", replay.NDJSON}, {"shop.txt", replay.Text}} {
		got := output(t, small(t), c.form)
		path := filepath.Join("testdata", c.golden)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (go test -update writes it anew): %s", c.golden, diff)
		}
	}
}

// TestSameBytes: neither the number of processors, nor the order of the
// arguments, nor having run before changes a byte.
func TestSameBytes(t *testing.T) {
	o := small(t)
	want := output(t, o, replay.NDJSON)
	slices.Reverse(o.Inputs)
	if got := output(t, o, replay.NDJSON); !bytes.Equal(got, want) {
		t.Error("the order of the files changes the output")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, n := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(n)
		if got := output(t, small(t), replay.NDJSON); !bytes.Equal(got, want) {
			t.Errorf("with %d processors the output is another", n)
		}
	}
}
