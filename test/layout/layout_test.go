package layout

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// maxLines of a Go file that isn't for tests.
const maxLines = 500

// folders that may stand at the top.
var folders = []string{"cmd", "deploy", "detect", "ingest", "internal", "playbooks", "respond", "test"}

func module(t *testing.T) []File {
	t.Helper()
	files, err := Files(os.DirFS(filepath.Join("..", "..")))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found %d files: this is not the module", len(files))
	}
	return files
}

func complain(t *testing.T, wrong []string) {
	t.Helper()
	slices.Sort(wrong)
	for _, line := range wrong {
		t.Error(line)
	}
}

func TestImports(t *testing.T) {
	complain(t, Misplaced(module(t)))
}

func TestComments(t *testing.T) {
	complain(t, Undocumented(module(t)))
}

func TestFileLength(t *testing.T) {
	for _, file := range module(t) {
		if !file.Test && file.Lines > maxLines {
			t.Errorf("%s: %d lines, at most %d: split it by noun", file.Path, file.Lines, maxLines)
		}
	}
}

func TestTopLevel(t *testing.T) {
	for _, file := range module(t) {
		if top, _, _ := strings.Cut(file.Path, "/"); !slices.Contains(folders, top) {
			t.Errorf("%s: Go files stand in %s", file.Path, strings.Join(folders, ", "))
		}
	}
}

// The rules themselves: each must find what it is there for, or a quiet house proves nothing.
func TestMisplaced(t *testing.T) {
	const m = Module + "/"
	for _, c := range []struct{ file, imports, want string }{
		{"ingest/a.go", m + "internal/bus", ""},
		{"ingest/a.go", m + "ingest/logline", ""},
		{"ingest/a.go", m + "detect", "ingest must not import detect"},
		{"ingest/logline/a.go", m + "respond/action", "ingest must not import respond/action"},
		{"detect/a.go", m + "respond", "detect must not import respond"},
		{"respond/guard/a.go", m + "ingest", "respond must not import ingest"},
		{"respond/a_test.go", m + "detect", "respond and detect meet on the bus, in tests too"},
		{"respond/a_test.go", m + "test/controlplane", ""},
		{"internal/event/a.go", m + "internal/conf", "internal/event must not import internal/conf"},
		{"internal/bus/a.go", m + "respond", "internal/bus must not import respond"},
		{"internal/bus/a.go", m + "internal/kube", "internal/bus must not import internal/kube"},
		{"internal/bus/a.go", m + "internal/telemetry", ""},
		{"internal/other/a.go", m + "internal/event", "internal/other is no room of the house"},
		{"detect/a.go", m + "detector", "detect must not import detector"},
		{"cmd/firebreak/a.go", m + "respond/action", ""},
		{"cmd/internal/replay/a.go", m + "detect", ""},
		{"cmd/firebreak/a.go", m + "test/controlplane", ""},
		{"cmd/firebreak/a.go", m + "test/layout", "cmd must not import test/layout"},
		{"ingest/a.go", m + "test/controlplane", "ingest must not import test/controlplane"},
		{"ingest/a.go", "github.com/nats-io/nats.go/jetstream", "github.com/nats-io belongs to internal/bus"},
		{"ingest/a_test.go", "github.com/nats-io/nats.go", ""},
		{"respond/action/a.go", "k8s.io/client-go/kubernetes", "k8s.io/client-go belongs to internal/kube"},
		{"respond/action/a.go", "k8s.io/api/core/v1", ""},
		{"respond/a.go", "github.com/spf13/cobra", "github.com/spf13/cobra belongs to cmd"},
		{"detect/a.go", "github.com/expr-lang/expr/vm", "github.com/expr-lang/expr belongs to internal/conf"},
		{"internal/event/a.go", "pgregory.net/rapid", "pgregory.net/rapid is for tests"},
		{"internal/kube/a.go", "k8s.io/client-go/rest", ""},
		{"test/e2e/a.go", "k8s.io/client-go/rest", ""},
	} {
		files := source(t, c.file, fmt.Sprintf("package a\n\nimport _ %q\n", c.imports))
		want := []string(nil)
		if c.want != "" {
			want = []string{c.file + ":3:8: " + c.want}
		}
		if got := Misplaced(files); !slices.Equal(got, want) {
			t.Errorf("%s imports %s: got %q, want %q", c.file, c.imports, got, want)
		}
	}
}

func TestUndocumented(t *testing.T) {
	files := source(t, "ingest/a.go", `// Package a says what it is.
package a

func Bare() {}

// Fine says so.
func Fine() {}

type T struct{}

func (T) Method()        {}
func (*G[P]) Generic()   {}
func (hidden) Exported() {}
func unexported()        {}

// A group.
const (
	One = 1
	Two = 2
)

var (
	Three int // a comment beside it
	Four, five int
)

type hidden struct{}

// G is one.
type G[P any] struct{}
`)
	got := Undocumented(files)
	want := []string{"Bare", "T", "Method", "Generic", "Four"}
	if len(got) != len(want) {
		t.Fatalf("got %q, want one for each of %q", got, want)
	}
	for i, name := range want {
		if !strings.HasSuffix(got[i], ": "+name+" has no comment") {
			t.Errorf("got %q, want %s", got[i], name)
		}
	}
	if got := Undocumented(source(t, "ingest/a.go", "package a\n")); !slices.Equal(got, []string{"ingest: the package has no comment"}) {
		t.Errorf("package without a comment: got %q", got)
	}
}

// A nested module, testdata and hidden folders are no part of the house.
func TestFilesSkips(t *testing.T) {
	text := &fstest.MapFile{Data: []byte("package a\n")}
	files, err := Files(fstest.MapFS{
		"cmd/a/a.go": text, "test/cluster/go.mod": &fstest.MapFile{}, "test/cluster/b/b.go": text,
		"ingest/testdata/c.go": text, ".cache/d.go": text, "ingest/e.go": text,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range files {
		got = append(got, file.Path)
	}
	if want := []string{"cmd/a/a.go", "ingest/e.go"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func source(t *testing.T, name, text string) []File {
	t.Helper()
	files, err := Files(fstest.MapFS{name: &fstest.MapFile{Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
