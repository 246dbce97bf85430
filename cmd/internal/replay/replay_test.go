package replay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/event"
)

// record is a sink that keeps everything.
type record struct {
	findings []event.Finding
	runs     []replay.Run
	rejected []event.Rejected
	counts   map[string]uint64 // of those that came again, by rule
	summary  replay.Summary
	ended    int
	// kinds are one letter for each call, in order.
	kinds string
	fail  error
}

func (r *record) Finding(f event.Finding) error {
	r.findings, r.kinds = append(r.findings, f), r.kinds+"f"
	return r.fail
}

func (r *record) Run(run replay.Run) error {
	r.runs, r.kinds = append(r.runs, run), r.kinds+"r"
	return r.fail
}

func (r *record) Rejected(x event.Rejected) error {
	r.rejected, r.kinds = append(r.rejected, x), r.kinds+"x"
	return r.fail
}

func (r *record) Count(f event.Finding, c event.FindingCount) error {
	if r.counts == nil {
		r.counts = map[string]uint64{}
	}
	r.counts[f.Rule] += c.Count
	return r.fail
}

func (r *record) Summary(s replay.Summary) error {
	r.summary, r.kinds = s, r.kinds+"s"
	r.ended++
	return r.fail
}

func run(t interface{ Fatal(...any) }, o replay.Options) *record {
	r := &record{}
	if err := replay.Replay(context.Background(), o, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// begun counts the lines on which an event begins.
func begun(t interface{ Fatal(...any) }, source string, data []byte) int {
	lines := map[int]bool{}
	_, err := ingest.Scan(source, "x", bytes.NewReader(data), ingest.Origin{}, func(it ingest.Item) error {
		if it.Event != nil {
			lines[it.Line] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(lines)
}

// consistent holds for any replay of one file.
func consistent(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, source string, data []byte, r *record) {
	s := r.summary
	if n := begun(t, source, data); s.Lines != s.Blank+s.Joined+s.Rejected+n || s.Events < n {
		t.Errorf("%+v, and events begin on %d lines: the lines don't add up", s, n)
	}
	if s.Findings != len(r.findings) || s.Runs != len(r.runs) || r.ended != 1 || !strings.HasSuffix(r.kinds, "s") {
		t.Errorf("%+v, but %d findings and %d runs were given, and %d summaries", s, len(r.findings), len(r.runs), r.ended)
	}
	lines := map[string]bool{}
	for _, x := range r.rejected {
		lines[x.From] = true
		if x.Reason == "" {
			t.Errorf("%s is rejected without a reason", x.From)
		}
	}
	if s.Rejected > len(lines) {
		t.Errorf("%d lines are rejected, but reasons are given for %d", s.Rejected, len(lines))
	}
	ids := map[string]bool{}
	for _, run := range r.runs {
		if ids[run.ID] {
			t.Errorf("run %s comes twice", run.ID)
		}
		ids[run.ID] = true
		for i, step := range run.Steps {
			if step.Receipt != nil || step.State == event.StepIntent || step.State == event.StepDone {
				t.Errorf("run %s: step %s was done", run.ID, step.Name)
			}
			if run.Verdicts[i].Decision == "" {
				t.Errorf("run %s: step %s has no verdict", run.ID, step.Name)
			}
		}
	}
}

// TestAnyMixtureAddsUp: whatever stands between good lines, each line is
// accounted for, and the good ones that stand alone are found.
func TestAnyMixtureAddsUp(t *testing.T) {
	good := map[string]string{
		"falco": `{"rule":"Terminal shell in container","priority":"Notice","time":"2026-03-01T10:00:00Z","output":"x","output_fields":{"k8s.ns.name":"a","k8s.pod.name":"b"}}`,
		"audit": `{"kind":"Event","verb":"create","auditID":"7","user":{"username":"u"},"objectRef":{"resource":"pods","subresource":"exec","namespace":"a","name":"b"},"requestReceivedTimestamp":"2026-03-01T10:00:00Z"}`,
		"log":   `2026-03-01T10:00:00Z stdout F jndi:ldap`,
	}
	bad := []string{"", "  ", "text", "}", `{"a":`, "[", `[{"a":1},2]`, "\x00\xff", `{"items":[`, "]", `"`, "2026-03-01T10:00:00Z stdout P begun "}
	o := small(t)
	rapid.Check(t, func(t *rapid.T) {
		source := rapid.SampledFrom([]string{"falco", "audit", "log"}).Draw(t, "source")
		lines := rapid.SliceOf(rapid.OneOf(rapid.Just(good[source]), rapid.SampledFrom(bad), rapid.String())).Draw(t, "lines")
		data := []byte(strings.Join(lines, "\n"))
		o := o
		o.Inputs = []replay.Input{input(source, "x", data)}
		consistent(t, source, data, run(t, o))
	})
}

func TestOrder(t *testing.T) {
	shell := func(at, pod string) string {
		return `{"rule":"Terminal shell in container","priority":"Notice","time":"` + at + `","output_fields":{"k8s.ns.name":"a","k8s.pod.name":"` + pod + `"}}` + "\n"
	}
	o := small(t)
	o.Inputs = []replay.Input{
		input("falco", "b", []byte(shell("2026-03-01T10:00:02Z", "4")+shell("2026-03-01T10:00:00Z", "1")+"text\n")),
		input("falco", "a", []byte("text\n"+shell("2026-03-01T10:00:01Z", "2")+shell("2026-03-01T10:00:02Z", "3")+
			strings.Replace(shell("", "5"), `"time":"",`, "", 1))),
	}
	r := run(t, o)
	var pods []string
	for _, f := range r.findings {
		pods = append(pods, f.Subject.Name)
		if !f.Received.Equal(f.Time) {
			t.Errorf("%s was received at %s, and is of %s", f.Subject.Name, f.Received, f.Time)
		}
	}
	// What has no time has that of what stands before it in its file.
	if want := []string{"1", "2", "3", "5", "4"}; !slices.Equal(pods, want) {
		t.Errorf("order %v, want %v", pods, want)
	}
	if want := "xfrxfrfrfrfrs"; r.kinds != want {
		t.Errorf("stream %s, want %s", r.kinds, want)
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		ceiling event.Mode
		mode    event.Mode
		want    []string
	}{
		{event.ModeAct, event.ModeAct, []string{"pass", "pass", "skipped"}},
		{event.ModeAsk, event.ModeAsk, []string{"pass", "ask", "skipped"}},
		{event.ModeObserve, event.ModeObserve, []string{"pass", "pass", "skipped"}},
	} {
		o := small(t)
		o.Ceiling = c.ceiling
		r := run(t, o)
		i := slices.IndexFunc(r.runs, func(run replay.Run) bool { return run.Playbook == "isolate" })
		var got []string
		for _, v := range r.runs[i].Verdicts {
			got = append(got, v.Decision)
		}
		if r.runs[i].Would != c.mode || !slices.Equal(got, c.want) {
			t.Errorf("under %s: mode %s, verdicts %v, want %s, %v", c.ceiling, r.runs[i].Would, got, c.mode, c.want)
		}
	}
}

// TestOneRunAnIncident: findings that are the same come once, and those of one
// incident begin one run; hours later it is another incident.
func TestOneRunAnIncident(t *testing.T) {
	alert := strings.Repeat(`{"rule":"Terminal shell in container","priority":"Notice","time":"2026-03-01T10:00:00Z","output_fields":{"k8s.ns.name":"a","k8s.pod.name":"p","n":N}}`+"\n", 20)
	for i := range 20 {
		alert = strings.Replace(alert, "N}", strconv.Itoa(i%10)+"}", 1)
	}
	alert += strings.Replace(alert[:strings.IndexByte(alert, '\n')+1], "10:00:00", "12:00:00", 1)
	o := small(t)
	o.Inputs = []replay.Input{input("falco", "f", []byte(alert))}
	r := run(t, o)
	if len(r.findings) != 11 || len(r.runs) != 2 {
		t.Errorf("%d findings, %d runs; want 11 (ten are told twice) and one run for each of two incidents", len(r.findings), len(r.runs))
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	o := small(t)
	if err := replay.Replay(t.Context(), o, &record{fail: broken}); !errors.Is(err, broken) {
		t.Errorf("a sink that fails: %v", err)
	}
	o.Inputs = []replay.Input{{Source: "falco", Name: "f", Open: func() (io.ReadCloser, error) { return nil, broken }}}
	if err := replay.Replay(t.Context(), o, &record{}); !errors.Is(err, broken) {
		t.Errorf("a file that does not open: %v", err)
	}
	o.Inputs[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
	if err := replay.Replay(t.Context(), o, &record{}); !errors.Is(err, broken) {
		t.Errorf("a file that can't be read: %v", err)
	}
	o.Inputs = nil
	if r := run(t, o); r.kinds != "s" || r.summary != (replay.Summary{}) {
		t.Errorf("nothing gives %+v", r)
	}
}

// TestLocalTimes: lines whose time has no zone count as UTC, and those without
// a year have that of the newest line with one.
func TestLocalTimes(t *testing.T) {
	const ssh = "Feb 12 14:10:21 web sshd[12]: Failed password for root from 198.51.100.7 port 4711 ssh2\n"
	const proxied = `10.0.0.1:4000 [13/Mar/2021:06:56:28.088] in~ out/s1 0/0/0/1/2 200 20 - - ---- 1/1/0/0/0 0/0 "GET /?id=1+union+select+1 HTTP/1.1"` + "\n"
	for name, c := range map[string]struct{ in, want string }{
		"no year anywhere":    {ssh, "2000-02-12T14:10:21Z"},
		"the newest year":     {proxied + ssh, "2021-02-12T14:10:21Z"},
		"an envelope decides": {"2024-05-06T07:08:09Z stdout F " + ssh, "2024-05-06T07:08:09Z"},
	} {
		o := shipped(t)
		o.Inputs = []replay.Input{input("log", "f", []byte(c.in))}
		found := ""
		for _, f := range run(t, o).findings {
			if f.Rule == "login-failed" {
				found = f.Time.Format(time.RFC3339)
			}
		}
		if found != c.want {
			t.Errorf("%s: found at %q, want %q", name, found, c.want)
		}
	}
}
