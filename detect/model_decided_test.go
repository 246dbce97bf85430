package detect

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// keepForm writes the state of today's form; those of older forms stay as they are.
var keepForm = flag.Bool("keep-form", false, "write testdata/decided.state anew")

const decidedFile = "testdata/decided.state"

// judged is a model with findings that are few and clear.
var judged = strings.NewReplacer("{p: 0.01}", "{p: 0.001}", "quiet: 1s", "quiet: 1s\n  forest: {trees: 20}").Replace(quick)

// decidedPast is a model about which people decided: a finding of web-1 was a false
// alarm and one of web-2 right, that of web-3 waits; it was approved, and pinned.
func decidedPast(t *testing.T) *Engine {
	g := modelOf(t, judged)
	usual(t, g, 0, 900)
	var ids []string
	for i, name := range []string{"web-1", "web-2", "web-3"} {
		found := folded(t, g, quickEvent(1300+400*i, name, 900, "/attack"))
		if len(found) != 1 {
			t.Fatalf("%d findings of %s", len(found), name)
		}
		ids = append(ids, found[0].ID)
		usual(t, g, 1301+400*i, 300)
	}
	w := &modelIn(g).wait
	w.list = slices.DeleteFunc(w.list, func(o waits) bool { return !slices.Contains(ids, o.finding) }) // nobody asked for those
	for i, id := range ids[:2] {
		v := event.FindingVerdict{Finding: id, True: i == 1, Who: "ann"}
		folded(t, g, v.Event(modelStart.Add(time.Duration(2410+i)*time.Second)))
	}
	for i, do := range []string{event.ModelApprove, event.ModelPin} {
		o := event.ModelOrder{Model: "quick", Do: do, Who: "ann"}
		folded(t, g, o.Event(modelStart.Add(time.Duration(2420+i)*time.Second)))
	}
	return g
}

// anotherForm is the state of the file, as if of a form that is not known.
func anotherForm(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(decidedFile)
	if err != nil {
		t.Fatal(err)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(unzip)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("quick")) + len("quick") + 1 // the length of the digest
	data[at+3] ^= 1
	return data
}

func begunAnew(t *testing.T, text string, changes ...string) *Engine {
	t.Helper()
	g := modelOf(t, text, changes...)
	fresh, err := g.Load(pack.NewReader(anotherForm(t)))
	if err != nil || len(fresh) != 1 {
		t.Fatal(err, fresh)
	}
	return g
}

// The form of what people decided is read as it was written once.
func TestDecidedForm(t *testing.T) {
	if *keepForm {
		var out pack.Writer
		decidedPast(t).Save(&out)
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		if _, err := zip.Write(out.Data); err != nil || zip.Close() != nil || os.WriteFile(decidedFile, zipped.Bytes(), 0o600) != nil {
			t.Fatal(err)
		}
	}
	m := modelIn(begunAnew(t, judged))
	v := m.budget.Verdicts()
	if v.Right != 1 || v.Wrong != 1 || len(v.Entities) != 2 {
		t.Errorf("verdicts are %+v", v)
	}
	if k := m.decided.Kept; len(k) != 1 || k[0].Label != "web-3" || len(k[0].Values["path: surprisal(http.path)"]) != 1 {
		t.Errorf("kept is %+v", k)
	}
	if len(m.wait.said) != 2 {
		t.Errorf("said is %q", m.wait.said)
	}
}

// When what was learned can't be read, what people decided holds on; a pin can't,
// and that is said until somebody answers.
func TestDecisionsOutlastTheForm(t *testing.T) {
	g := begunAnew(t, judged)
	s := g.Models()[0]
	if s.Ready || s.Pinned || s.Anew == nil || !s.Anew.Unpinned || s.Budget.True != 1 || s.Budget.False != 1 || s.Waiting != 1 {
		t.Fatalf("it is %+v, %+v", s, s.Anew)
	}
	for text, all := range map[string][]string{
		"1 right, 1 false alarm; entities whose threshold they still move: 2": s.Anew.Kept, "1 finding without a verdict": s.Anew.Kept,
		"it warms up again": s.Anew.Gone, "the pin:": s.Anew.Gone, "the approval of 2026-03-02T00:40:20Z": s.Anew.Gone,
	} {
		if !strings.Contains(strings.Join(all, "\n"), text) {
			t.Errorf("%q is not said in %q", text, all)
		}
	}
	g = reopened(t, g)
	usual(t, g, 3000, 1000)
	if s := g.Models()[0]; !s.Ready || s.Anew == nil || !s.Anew.Unpinned {
		t.Errorf("when it is ready the pin is forgotten: %+v", s.Anew)
	}
	o := event.ModelOrder{Model: "quick", Do: event.ModelUnpin, Who: "ann"}
	folded(t, g, o.Event(modelStart.Add(2*time.Hour)))
	if s := g.Models()[0]; s.Anew != nil {
		t.Errorf("answered, it still says %+v", s.Anew)
	}
}

// What was new in a finding that waits is not learned by a model that began anew:
// neither before a verdict, nor after it was right, but after a false alarm.
func TestNothingIsLearnedOfWhatWaitedBefore(t *testing.T) {
	for _, c := range []struct{ verdict, learned string }{{"", "no"}, {"true", "no"}, {"false", "yes"}} {
		g := begunAnew(t, judged)
		m := modelIn(g)
		if c.verdict != "" {
			v := event.FindingVerdict{Finding: m.decided.Kept[0].Finding, True: c.verdict == "true", Who: "ann"}
			folded(t, g, v.Event(modelStart.Add(2430*time.Second)))
		}
		for n := range 100 {
			folded(t, g, quickEvent(3000+n, "web-3", 1, "/attack"))
		}
		learned := "no"
		if m.base.Novelty(m.baseOf("web-3"), 0, valueOfText("/attack"), modelStart) == baseline.Known {
			learned = "yes"
		}
		if learned != c.learned {
			t.Errorf("verdict %q: learned: %s", c.verdict, learned)
		}
		if m.forest.Stats().Rows > 50 && c.learned == "no" {
			t.Errorf("verdict %q: the forest has %d rows", c.verdict, m.forest.Stats().Rows)
		}
		m.Advance(modelStart.Add(48 * time.Hour))
		folded(t, g, quickEvent(2*86400, "web-3", 1, "/attack"))
		if m.base.Novelty(m.baseOf("web-3"), 0, valueOfText("/attack"), modelStart) != baseline.Known {
			t.Errorf("verdict %q: it is not learned after it waited long enough", c.verdict)
		}
	}
}

// A model that measures something else takes what still means something; of other
// entities that is nothing.
func TestDecisionsOfAnotherModel(t *testing.T) {
	reload := func(changes ...string) event.ModelState {
		t.Helper()
		g := decidedPast(t)
		docs, err := conf.Documents("model.yaml", []byte(strings.NewReplacer(changes...).Replace(judged)))
		if err != nil {
			t.Fatal(err)
		}
		set, err := NewRuleSet(docs)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := set.Bundle()
		if err != nil {
			t.Fatal(err)
		}
		folded(t, g, event.Control(event.VerbRules, modelStart.Add(time.Hour), "rules", event.Fields{"bundle": base64.StdEncoding.EncodeToString(bundle)}))
		return g.Models()[0]
	}
	if s := reload("severity: medium", "severity: high"); !s.Pinned || !s.Ready || s.Anew != nil {
		t.Errorf("one that measures the same is %+v", s)
	}
	if s := reload("duration: http.duration,", "size: http.bytes,"); s.Anew == nil || !s.Anew.Unpinned || s.Budget.True != 1 || s.Waiting != 1 {
		t.Errorf("one with another feature is %+v, %+v", s, s.Anew)
	}
	s := reload("[object.name]", "[object.namespace]")
	if s.Anew == nil || !s.Anew.Unpinned || s.Budget.True != 0 || s.Waiting != 0 || !strings.Contains(strings.Join(s.Anew.Gone, "\n"), "2 verdicts: the model's entities are others") {
		t.Errorf("one of other entities is %+v, %+v", s, s.Anew)
	}
}

// A model that began anew is logged, once; one that was pinned as an error.
func TestBegunAnewIsLogged(t *testing.T) {
	var log bytes.Buffer
	tel, err := telemetry.Setup(t.Context(), telemetry.Options{LogWriter: &log})
	if err != nil {
		t.Fatal(err)
	}
	w, g := &Worker{Telemetry: tel}, begunAnew(t, judged)
	for range 2 {
		w.saves.anew = w.logAnew(t.Context(), g.Models(), w.saves.anew)
	}
	text := log.String()
	for _, want := range []string{"ERROR", "pin or unpin it", "quick", "verdicts: 1 right", "the approval of"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
}
