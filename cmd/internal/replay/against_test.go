package replay_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// differences is a sink that keeps everything.
type differences struct {
	all      []replay.Difference
	rejected int
	end      replay.Comparison
}

func (d *differences) Rejected(event.Rejected) error          { d.rejected++; return nil }
func (d *differences) Difference(one replay.Difference) error { d.all = append(d.all, one); return nil }
func (d *differences) Compared(end replay.Comparison) error   { d.end = end; return nil }
func compare(t *testing.T, now, before replay.Options) *differences {
	t.Helper()
	d := &differences{}
	if err := replay.Compare(t.Context(), now, before, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// changed are the options of the shop with the text of its rules changed.
func changed(t *testing.T, changes ...string) replay.Options {
	t.Helper()
	o := small(t)
	data, err := os.ReadFile("testdata/shop/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(changes...).Replace(string(data))
	if text == string(data) {
		t.Fatal("nothing changed")
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.Rules, err = files.Rules([]string{path}, false); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheSameIsNoDifference(t *testing.T) {
	d := compare(t, small(t), small(t))
	plain := run(t, small(t))
	if len(d.all) != 0 || d.rejected != len(plain.rejected) || d.end.Summary != plain.summary || d.end.Before != plain.summary {
		t.Errorf("%d differences, %d rejects, %+v; the replay says %+v", len(d.all), d.rejected, d.end, plain.summary)
	}
}

// What is added and removed is what two replays by themselves have and have
// not.
func TestDifferencesAreThoseOfTheReplays(t *testing.T) {
	now, before := changed(t, `name: shell}`, `name: shell-renamed}`, "severity: critical", "severity: low"), small(t)
	d := compare(t, now, before)
	ids := func(o replay.Options) map[string]bool {
		all := map[string]bool{}
		for _, f := range run(t, o).findings {
			all[f.ID] = true
		}
		return all
	}
	got := map[replay.Change]map[string]bool{replay.Added: {}, replay.Removed: {}, replay.Changed: {}}
	for _, one := range d.all {
		if one.Finding != nil {
			got[one.Change][one.Finding.ID] = true
		}
	}
	mine, theirs := ids(now), ids(before)
	without := func(a, b map[string]bool) []string {
		a = maps.Clone(a)
		maps.DeleteFunc(a, func(id string, _ bool) bool { return b[id] })
		return slices.Sorted(maps.Keys(a))
	}
	if added, removed := without(mine, theirs), without(theirs, mine); len(added) == 0 ||
		!slices.Equal(slices.Sorted(maps.Keys(got[replay.Added])), added) || !slices.Equal(slices.Sorted(maps.Keys(got[replay.Removed])), removed) {
		t.Errorf("got %v; the replays add %v and remove %v", got, added, removed)
	}
	if len(got[replay.Changed]) == 0 || d.end.Changes[replay.Removed].Runs == 0 {
		t.Errorf("changes are %+v", d.end.Changes)
	}
}

// A window that comes full an event later has changed; what another identity
// does is another finding.
func TestAWindowThatShiftsHasChanged(t *testing.T) {
	side := func(rule string) replay.Options {
		path := filepath.Join(t.TempDir(), "rules.yaml")
		if err := os.WriteFile(path, []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		rules, err := files.Rules([]string{path}, false)
		if err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		for i := range 12 {
			fmt.Fprintf(&lines, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d","stage":"ResponseComplete","verb":"get","user":{"username":"user-%d"},`+
				`"objectRef":{"resource":"secrets","namespace":"shop","name":"s%d"},"requestReceivedTimestamp":"2026-03-01T10:00:%02d.000000Z","stageTimestamp":"2026-03-01T10:00:%02d.000000Z"}`+"\n", i, i%2, i, i, i)
		}
		return replay.Options{Rules: rules, Ceiling: event.ModeAct, Logger: slog.New(slog.DiscardHandler), Inputs: []replay.Input{input("audit", "audit", []byte(lines.String()))}}
	}
	rule := func(n int) string {
		return fmt.Sprintf("apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: sweep}\nspec:\n  title: T\n  severity: high\n  source: audit\n  when: verb == \"get\"\n"+
			"  window: {by: [actor.user], over: 1m, having: count() >= %d}\n", n)
	}
	d := compare(t, side(rule(4)), side(rule(3)))
	if len(d.all) != 2 || d.end.Changes[replay.Changed].Findings != 2 {
		t.Fatalf("%+v: %+v", d.end.Changes, d.all)
	}
	for i, one := range d.all {
		want := []replay.Part{
			{Name: "time", Before: fmt.Sprintf("2026-03-01 10:00:%02d.000", 4+i), Now: fmt.Sprintf("2026-03-01 10:00:%02d.000", 6+i)},
			{Name: "events", Before: "3", Now: "4"},
		}
		if one.Change != replay.Changed || one.Finding.Actor.User != fmt.Sprintf("user-%d", i) || !slices.Equal(one.Parts, want) {
			t.Errorf("%+v\nwant %+v", one, want)
		}
	}
	if d := compare(t, side(strings.Replace(rule(3), "sweep", "sweeping", 1)), side(rule(3))); d.end.Changes[replay.Added].Findings != 2 || d.end.Changes[replay.Removed].Findings != 2 {
		t.Errorf("of another rule: %+v", d.end.Changes)
	}
}

func TestDifferencesGolden(t *testing.T) {
	now, before := changed(t, `name: shell}`, `name: shell-renamed}`, "severity: critical", "severity: low"), small(t)
	for _, c := range []struct {
		name string
		form func(*bytes.Buffer) replay.Differences
	}{
		{"against.txt", func(b *bytes.Buffer) replay.Differences { return replay.TextDifferences(b) }},
		{"against.ndjson", func(b *bytes.Buffer) replay.Differences { return replay.NDJSONDifferences(b) }},
	} {
		var out bytes.Buffer
		if err := replay.Compare(t.Context(), now, before, c.form(&out)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", c.name)
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(want, out.Bytes()) {
			t.Errorf("%s: %v\n%s", c.name, err, out.Bytes())
		}
	}
}

func TestProgressIsTold(t *testing.T) {
	o := small(t)
	var last replay.Progress
	stages := map[string]bool{}
	o.Progress = func(p replay.Progress) {
		if p.Stage == last.Stage && p.Done < last.Done {
			t.Errorf("it goes back from %+v to %+v", last, p)
		}
		last, stages[p.Stage] = p, true
	}
	run(t, o)
	if !stages["read"] || !stages["evaluated"] || last.Total == 0 {
		t.Errorf("told %v, last %+v", stages, last)
	}
}
