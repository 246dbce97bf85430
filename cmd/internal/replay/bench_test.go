package replay_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// auditLog is n audit events, a twentieth of them about secrets, as many execs
// and as many new pods, a fifth of those privileged.
func auditLog(n int) []byte {
	var out bytes.Buffer
	for i := range n {
		resource, more, verb := "pods", "", "get"
		switch i % 20 {
		case 3:
			resource = "secrets"
		case 7:
			verb, more = "create", `"subresource":"exec",`
		case 11:
			verb = "create"
		}
		fmt.Fprintf(&out, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"%032x","stage":"ResponseComplete",`+
			`"requestURI":"/api/v1/namespaces/n%d/pods/web-%d","verb":%q,"user":{"username":"system:serviceaccount:n%d:app",`+
			`"groups":["system:serviceaccounts","system:authenticated"]},"sourceIPs":["10.0.%d.%d"],"userAgent":"kubectl/v1.36",`+
			`"objectRef":{"resource":%q,%s"namespace":"n%d","name":"web-%d","apiVersion":"v1"},"responseStatus":{"code":200},`+
			`"requestObject":{"spec":{"containers":[{"name":"c","image":"nginx","securityContext":{"privileged":%t}}]}},`+
			`"requestReceivedTimestamp":"2026-03-01T%02d:%02d:%02d.%06dZ","annotations":{"authorization.k8s.io/decision":"allow"}}`+"\n",
			i, i%40, i%200, verb, i%30, i%20, i%250, resource, more, i%40, i%200, i%100 == 11,
			i/50/3600%24, i/50/60%60, i/50%60, i%50*20000)
	}
	return out.Bytes()
}

// BenchmarkReplay replays an audit log through all that is shipped. An op is
// one event.
func BenchmarkReplay(b *testing.B) {
	o := shipped(b)
	log := auditLog(b.N)
	o.Inputs = []replay.Input{input("audit", "audit.log", log)}
	b.SetBytes(int64(len(log) / b.N))
	b.ReportAllocs()
	b.ResetTimer()
	if err := replay.Replay(b.Context(), o, replay.NDJSON(io.Discard)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// shippedRules and shippedBooks are loaded once: neither changes when it is used.
var (
	shippedRules = sync.OnceValues(func() (*detect.RuleSet, error) { return files.Rules(nil, true) })
	shippedBooks = sync.OnceValues(func() ([]*respond.Playbook, error) { return files.Playbooks(nil, true) })
)

// shipped are options with all that is shipped and no input.
func shipped(t testing.TB) replay.Options {
	t.Helper()
	rules, err := shippedRules()
	if err != nil {
		t.Fatal(err)
	}
	books, err := shippedBooks()
	if err != nil {
		t.Fatal(err)
	}
	return replay.Options{Rules: rules, Playbooks: books, Ceiling: event.ModeAct, Logger: slog.New(slog.DiscardHandler)}
}

func input(source, name string, data []byte) replay.Input {
	return replay.Input{Source: source, Name: name, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}
