package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/wait"
)

// cluster knows everybody, and lets them do everything.
type cluster struct{}

func (cluster) ReviewToken(_ context.Context, token string) (kube.User, error) {
	return kube.User{Name: token}, nil
}

func (cluster) Allowed(context.Context, kube.User, string, string, string, string, string) (bool, string, error) {
	return true, "", nil
}

const streamedRules = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: shell}
spec: {title: A shell, severity: %s, source: falco, when: rule == "shell", message: 'shell in ${object.name}'}
`

// living is a Firebreak of which only the API and the detectors run.
type living struct {
	t   *testing.T
	bus *bus.Bus
	dir string
	n   int
	url string
}

func newLiving(t *testing.T) *living {
	l := &living{t: t, dir: t.TempDir()}
	var err error
	if l.bus, err = bus.Open(t.Context(), bus.Options{Dir: filepath.Join(l.dir, "data")}); err != nil {
		t.Fatal(err)
	}
	l.file("new.yaml", fmt.Sprintf(streamedRules, "high"))
	l.file("old.yaml", fmt.Sprintf(streamedRules, "low"))
	l.file("token", "ann\n")
	api := &approve.API{Reviewer: cluster{}, Bus: l.bus, Log: runlog.New(l.bus, 0), Control: respond.NewControl(l.bus, event.ModeAct), Logger: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(api.Handler())
	l.url = server.URL
	set, err := detect.LoadRules(filepath.Join(l.dir, "new.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	worker := &detect.Worker{
		Engine: detect.NewEngine(set, detect.EngineOptions{}), Store: l.bus, Snapshots: l.bus.Snapshots(),
		Open: func(ctx context.Context, from uint64) (detect.Reader, error) {
			return l.bus.Read(ctx, bus.Events, from)
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = l.bus.Close()
	})
	return l
}

func (l *living) file(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// alert stores one, and gives the id of its finding when that is there.
func (l *living) alert(pod string) string {
	l.t.Helper()
	l.n++
	now := time.Now().UTC()
	e := event.Event{
		ID: fmt.Sprint("e", l.n), Source: event.SourceFalco, Rule: "shell", Time: now, Received: now, Object: event.PodRef("shop", pod), From: "here",
	}
	data, err := json.Marshal(e)
	if err == nil {
		_, err = l.bus.Publish(l.t.Context(), bus.SubjectEvents, event.EncodeFrame([][]byte{data}))
	}
	if err != nil {
		l.t.Fatal(err)
	}
	id := event.FindingID("shell", "", e.ID)
	l.wait(func() bool {
		_, err := l.bus.Last(l.t.Context(), bus.SubjectFinding(id))
		return err == nil
	})
	return id
}

// wait polls for what other goroutines bring about.
func (l *living) wait(until func() bool) {
	l.t.Helper()
	wait.Until(l.t, "it comes about", until)
}

// run runs the command line as ann, and gives what it prints and its exit code.
func (l *living) run(args ...string) (string, int) {
	l.t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(args, "--server", l.url, "--token-file", filepath.Join(l.dir, "token")))
	err := root.ExecuteContext(l.t.Context())
	if err != nil {
		fmt.Fprintln(&out, err)
	}
	return out.String(), code(err)
}

func (l *living) want(args []string, ends int, texts ...string) string {
	l.t.Helper()
	out, got := l.run(args...)
	for _, text := range texts {
		if got != ends || !strings.Contains(out, text) {
			l.t.Errorf("%v ends with %d, want %d with %q:\n%s", args, got, ends, text, out)
		}
	}
	return out
}

func TestStreamOfARunningFirebreak(t *testing.T) {
	l := newLiving(t)
	now, old := filepath.Join(l.dir, "new.yaml"), filepath.Join(l.dir, "old.yaml")
	id := l.alert("web")

	// A silence: who, why, until when, how often it matched, and its end.
	out := l.want([]string{"silence", "add", `subject.name == "quiet"`, "--for", "2h", "--why", "drill"}, 0, "of ann holds until")
	silence := strings.Fields(out)[1]
	quiet := l.alert("quiet")
	l.wait(func() bool {
		out, _ := l.run("silence", "list")
		fields := strings.Fields(strings.Join(strings.SplitN(out, "\n", 2)[1:], ""))
		return strings.Contains(out, silence) && strings.Contains(out, "drill") && len(fields) > 4 && strings.Contains(out, "  1  ")
	})
	l.want([]string{"silence", "list", "-o", "json"}, 0, `"matched": 1`, `"who": "ann"`)
	l.want([]string{"silence", "end", silence[:8], "--reason", "done"}, 0, "was ended by ann; it matched 1 times")
	loud := l.alert("quiet")
	l.want([]string{"silence", "add", "true"}, 2, "--why has to be said")
	l.want([]string{"silence", "add", "rul == 1", "--why", "x"}, 1, `did you mean "rule"?`)
	l.want([]string{"silence", "add", "true", "--why", "x", "--until", "soon"}, 2, "is no time")
	l.want([]string{"silence", "end", "ffffffff"}, 1, "no silence that holds")

	// The stream, replayed and compared; silences hold as they did.
	out = l.want([]string{"replay", "--since", "1h", "--no-shipped", "--rules", now, "-o", "ndjson"}, 0, `"findings":3`, id, quiet, loud)
	if again, _ := l.run("replay", "--since", "1h", "--no-shipped", "--rules", now, "-o", "ndjson"); again != out {
		t.Error("the same range gives something else")
	}
	l.want([]string{"replay", "--since", "1h", "--no-shipped", "--rules", now, "--against", old}, 0, "severity: low → high", "3 findings, before 3 (0 added, 0 removed, 3 changed)")
	l.want([]string{"replay", "--since", "2099-01-01", "--no-shipped", "--rules", now}, 0, "0 events, 0 findings")
	l.want([]string{"replay", "--since", "1h", "--until", "2h"}, 2, "--until is not after --since")
	l.want([]string{"replay", "--since", "yesterday"}, 2, `"yesterday" is none of`)
	l.want([]string{"replay", "--since", "1h", "--falco", "-"}, 2, "not from both")
	l.want([]string{"replay", "--until", "1h", "--falco", "x"}, 2, "--until goes with --since")

	// A finding and an event of it, explained.
	l.want([]string{"explain", id, "--no-shipped", "--rules", now}, 0, "finding "+id+" of rule shell", "found: shell", `true rule == "shell"`)
	l.want([]string{"explain", id, "--no-shipped", "--rules", old}, 0, "the rule here is another version")
	l.want([]string{"explain", quiet, "--no-shipped", "--rules", now}, 0, "silenced: shell", "silence "+silence)
	l.want([]string{"explain", "1/0", "--no-shipped", "--rules", now, "-o", "json"}, 0, `"stage": "found"`)
	l.want([]string{"explain", "999/0", "--no-shipped", "--rules", now}, 2, "frame 999 is not in the stream")
	l.want([]string{"explain", strings.Repeat("0", 32), "--no-shipped", "--rules", now}, 2, "there is no such finding")
	l.want([]string{"explain", "abc", "--no-shipped", "--rules", now}, 2, "say which with the id of a finding")
}
