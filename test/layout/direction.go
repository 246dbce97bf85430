package layout

import (
	"fmt"
	"strings"
)

// room is a folder with what of the module the folder may import besides itself.
type room struct {
	dir  string
	uses []string
}

var adapters = []string{"internal/event", "internal/sketch", "internal/telemetry", "internal/conf", "internal/kube", "internal/bus"}

// rooms, the deeper folder first: the first that holds a file speaks for it. Everything points the
// same way, cmd → roles → adapters → event, and among the adapters towards telemetry and conf, which
// stand alone.
var rooms = []room{
	{"internal/event", nil},
	{"internal/sketch", []string{"internal/event"}},
	{"internal/telemetry", []string{"internal/event"}},
	{"internal/conf", []string{"internal/event"}},
	{"internal/kube", []string{"internal/event", "internal/telemetry", "internal/conf"}},
	{"internal/bus", []string{"internal/event", "internal/telemetry", "internal/conf"}},
	{"internal/console", adapters},
	{"playbooks", []string{"internal/event"}},
	{"ingest", adapters},
	{"detect", adapters},
	{"respond", append([]string{"playbooks"}, adapters...)},
	{"cmd", []string{"ingest", "detect", "respond", "playbooks", "internal", "deploy", "test/controlplane"}},
	{"deploy", nil},
	// Tests of the whole look at everything; nothing but the demo looks at them.
	{"test", []string{"cmd", "ingest", "detect", "respond", "playbooks", "internal", "deploy"}},
}

// owner says which folders alone may import a library.
type owner struct {
	library string
	dirs    []string
}

// owners, the deeper library first: the first that holds an import speaks for it.
var owners = []owner{
	{"github.com/nats-io", []string{"internal/bus"}},
	{"k8s.io/client-go", []string{"internal/kube"}},
	// The types of the API, which targets, plans and guards speak in.
	{"k8s.io/api", []string{"internal/kube", "respond", "cmd/internal/cases"}},
	{"k8s.io/apimachinery", []string{"internal/kube", "respond", "cmd/internal/cases"}},
	{"k8s.io", []string{"internal/kube"}},
	{"github.com/go-logr", []string{"internal/kube"}},
	{"sigs.k8s.io", []string{"internal/kube"}},
	{"github.com/goccy/go-yaml", []string{"internal/conf"}},
	{"github.com/expr-lang/expr", []string{"internal/conf"}},
	{"github.com/fsnotify/fsnotify", []string{"internal/conf", "ingest"}},
	// The messages of OTLP that are received, and the codes of gRPC.
	{"go.opentelemetry.io/proto", []string{"ingest"}},
	{"google.golang.org", []string{"ingest"}},
	{"go.opentelemetry.io", []string{"internal/telemetry"}},
	{"github.com/prometheus", []string{"internal/telemetry"}},
	{"github.com/go-json-experiment/json", []string{"ingest"}},
	{"github.com/klauspost/compress", []string{"ingest"}},
	{"github.com/wneessen/go-mail", []string{"respond/notify"}},
	{"gonum.org", []string{"detect"}},
	{"github.com/DataDog/sketches-go", []string{"internal/sketch"}},
	{"github.com/axiomhq/hyperloglog", []string{"internal/sketch"}},
	{"github.com/cespare/xxhash", []string{"internal/sketch"}},
	{"github.com/Masterminds/semver", []string{"detect"}},
	{"github.com/spf13/cobra", []string{"cmd"}},
	{"golang.org/x/term", []string{"cmd"}},
	{"golang.org/x/net", []string{"cmd", "test/workspace"}},
	{"github.com/slack-go", []string{"respond/approve/slack"}},
	{"github.com/gorilla/websocket", []string{"respond/approve/slack"}},
	{"github.com/minio/minio-go", []string{"respond/evidence"}},
	{"cel.dev/cel-go", nil},
	{"github.com/google/go-cmp", nil},
	{"github.com/rogpeppe/go-internal", nil},
	{"github.com/santhosh-tekuri/jsonschema", nil},
	{"github.com/anishathalye/porcupine", nil},
	{"github.com/chromedp", nil},
	{"pgregory.net/rapid", nil},
}

// Misplaced says of each import that goes the wrong way or takes a library from its owner where it
// stands and why it must not. Files for tests may import any library and any room, except that the
// roles stay apart in them too.
func Misplaced(files []File) []string {
	var wrong []string
	for _, file := range files {
		for _, imported := range file.Imports {
			if why := misplaced(file, imported.Path); why != "" {
				wrong = append(wrong, imported.Position+": "+why)
			}
		}
	}
	return wrong
}

func misplaced(file File, imported string) string {
	if !within(imported, Module) {
		return taken(file, imported)
	}
	target := strings.TrimPrefix(strings.TrimPrefix(imported, Module), "/")
	if file.Test {
		if a, b := role(file.Dir), role(target); a != "" && b != "" && a != b {
			return fmt.Sprintf("%s and %s meet on the bus, in tests too", a, b)
		}
		return ""
	}
	for _, r := range rooms {
		if !within(file.Dir, r.dir) {
			continue
		}
		for _, allowed := range append([]string{r.dir}, r.uses...) {
			if within(target, allowed) {
				return ""
			}
		}
		return fmt.Sprintf("%s must not import %s", r.dir, target)
	}
	return fmt.Sprintf("%s is no room of the house", file.Dir)
}

// taken says who owns a library that this file has no business with.
func taken(file File, imported string) string {
	if file.Test || within(file.Dir, "test") {
		return ""
	}
	for _, o := range owners {
		if !within(imported, o.library) {
			continue
		}
		for _, dir := range o.dirs {
			if within(file.Dir, dir) {
				return ""
			}
		}
		if len(o.dirs) == 0 {
			return fmt.Sprintf("%s is for tests", o.library)
		}
		return fmt.Sprintf("%s belongs to %s", o.library, strings.Join(o.dirs, ", "))
	}
	return ""
}

func role(dir string) string {
	for _, r := range []string{"ingest", "detect", "respond"} {
		if within(dir, r) {
			return r
		}
	}
	return ""
}
