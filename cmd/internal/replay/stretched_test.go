package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/event"
	script "github.com/firebreak-io/firebreak/test/record"
)

// stretched is a recording of minutes made hours of: what was there before the
// attack comes again and again, who does it each time at other moments and now
// and then not at all, and then comes the attack as it was.
type stretched struct {
	events []event.Event
	window time.Duration
	from   time.Time // of the window
	attack time.Time
	theirs []string // who attacked
}

// readStretched reads audit.ndjson and acts.json, or the recording that is kept
// here, of which it is known when the attack began.
func readStretched(t *testing.T) *stretched {
	t.Helper()
	s := &stretched{attack: attacked, theirs: []string{"pat", "mallory", "system:anonymous", "system:node:worker-2", "system:serviceaccount:shop:cart"}}
	var data []byte
	if dir := os.Getenv("FIREBREAK_RECORDING"); dir != "" {
		var marks []script.Mark
		if err := json.Unmarshal(file(t, filepath.Join(dir, "acts.json")), &marks); err != nil || len(marks) == 0 {
			t.Fatal(err)
		}
		data, s.attack, s.theirs = file(t, filepath.Join(dir, "audit.ndjson")), marks[0].From, nil
		for _, m := range marks {
			if m.By != "" && !slices.Contains(s.theirs, m.By) {
				s.theirs = append(s.theirs, m.By)
			}
		}
	} else {
		data = unzipped(t, recording)
	}
	_, err := ingest.Scan("audit", "audit", bytes.NewReader(data), ingest.Origin{}, func(it ingest.Item) error {
		if it.Event != nil {
			s.events = append(s.events, *it.Event)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(s.events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	// The cluster is set up in the first minute.
	s.from = s.events[0].Time.Add(time.Minute)
	s.window = s.attack.Add(-2 * time.Second).Sub(s.from)
	return s
}

// during gives the events of so many hours of work, in order.
func (s *stretched) during(hours float64, seed uint64, yield func(e *event.Event)) (until time.Time) {
	var once, work []event.Event
	for _, e := range s.events {
		switch {
		case e.Time.Before(s.from):
			once = append(once, e)
		case e.Time.Before(s.from.Add(s.window)):
			work = append(work, e)
		}
	}
	for i := range once {
		yield(&once[i])
	}
	for round := range rounds(hours, s) {
		begin := s.from.Add(time.Duration(round) * s.window)
		all := make([]event.Event, 0, len(work))
		for i := range work {
			e := work[i]
			h := fnv.New64a()
			_, _ = h.Write([]byte(e.Actor.User))
			own := rand.New(rand.NewPCG(seed^h.Sum64(), uint64(round))) // #nosec G404 -- not a secret
			later := time.Duration(own.Float64() * float64(s.window))
			if own.IntN(12) == 0 && !strings.HasPrefix(e.Actor.User, "system:") {
				continue // has a pause
			}
			e.ID = fmt.Sprint(e.ID, "-", round)
			renumber(&e, round)
			e.Time = begin.Add((e.Time.Sub(s.from) + later) % s.window)
			e.Received = e.Time
			all = append(all, e)
		}
		slices.SortStableFunc(all, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
		for i := range all {
			yield(&all[i])
		}
	}
	return s.from.Add(time.Duration(rounds(hours, s)) * s.window)
}

func rounds(hours float64, s *stretched) int {
	return int(hours * float64(time.Hour) / float64(s.window))
}

// renumber goes on counting where the work does: a preview's namespace is each
// time another.
func renumber(e *event.Event, round int) {
	var n int
	if _, err := fmt.Sscanf(e.Object.Namespace, "pr-%d", &n); err == nil {
		e.Object.Namespace = fmt.Sprint("pr-", n+20*round)
	}
	if _, err := fmt.Sscanf(e.Object.Name, "pr-%d", &n); err == nil && e.Object.Resource == "namespaces" {
		e.Object.Name = fmt.Sprint("pr-", n+20*round)
	}
}

// TestModelAsShipped: after hours of work with few findings, each who attacks is
// found, ranked above all of the work before, by the model as it is shipped. With
// FIREBREAK_RECORDING, a folder that test/record/run wrote, it is of another
// recording, and FIREBREAK_HOURS says of how many hours.
func TestModelAsShipped(t *testing.T) {
	s := readStretched(t)
	hours, seed := 3.0, uint64(1)
	if text := os.Getenv("FIREBREAK_HOURS"); text != "" {
		if _, err := fmt.Sscan(text, &hours, &seed); err != nil {
			t.Fatal(err)
		}
	}
	set, err := files.Rules([]string{"../../../detect/rules/model-api.yaml"}, false)
	if err != nil {
		t.Fatal(err)
	}
	g := detect.NewEngine(set, detect.EngineOptions{})
	var found []event.Finding
	fold := func(e *event.Event) {
		more, _, err := g.Fold(e, event.Address{ID: e.ID})
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
	}
	until := s.during(hours, seed, fold)
	work := found
	found = nil
	for i := range s.events {
		if e := s.events[i]; !e.Time.Before(s.attack.Add(-2 * time.Second)) {
			renumber(&e, rounds(hours, s))
			e.Time = e.Time.Add(until.Sub(s.from.Add(s.window)))
			e.Received = e.Time
			fold(&e)
		}
	}
	end := event.Control(event.VerbTick, until.Add(time.Hour), "end", nil)
	fold(&end)
	highest := 0.0
	for _, f := range work {
		highest = max(highest, f.Score)
		t.Logf("work: %s %.3f p %.2g %s", f.Time.Sub(s.events[0].Time).Round(time.Second), f.Score, f.P, f.Explanation)
	}
	t.Logf("%d findings in %.1f hours of work", len(work), hours)
	if most := 2 + int(5*hours/24+0.5) + 3; len(work) > most {
		t.Errorf("%d findings in %.1f hours of work: more than %d", len(work), hours, most)
	}
	caught := map[string]bool{}
	for _, f := range found {
		t.Logf("attack: %s %.3f p %.2g %s", f.Entity, f.Score, f.P, f.Explanation)
		if !slices.Contains(s.theirs, f.Entity) {
			continue
		}
		caught[f.Entity] = true
		if f.Score <= highest {
			t.Errorf("%s has %.3f, of the work %.3f", f.Entity, f.Score, highest)
		}
		if first := f.Features[0].Name; !slices.Contains([]string{"address", "user_agent", "what", "where"}, first) {
			t.Errorf("%s: named is %s", f.Entity, first)
		}
	}
	for _, who := range s.theirs {
		if !caught[who] {
			t.Errorf("%s is not found", who)
		}
	}
	t.Logf("%+v", g.Models()[0].Budget)
}
