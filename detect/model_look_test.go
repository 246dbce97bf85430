package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// looked is how the only model looked at an event.
func looked(t *testing.T, g *Engine, e event.Event) Look {
	t.Helper()
	x := g.Explain(&e, event.Address{ID: e.ID}, Extent{Every: func(string) bool { return true }})
	if len(x.Looks) != 1 || x.Err != nil {
		t.Fatalf("%d looks, %v", len(x.Looks), x.Err)
	}
	return x.Looks[0]
}

// An event says how far it got in a model: what is missing, what it scores, why,
// and what stopped it. To explain it changes nothing.
func TestExplainModel(t *testing.T) {
	g, plain := modelOf(t, quick, "source: log", "source: log\n  when: http.path != '/health'\n  unless: object.name == 'nobody'"), modelOf(t, quick)
	looked(t, g, quickEvent(1, "web-1", 1, "/health")).want(t, StageWhen, "when is not true")
	looked(t, g, quickEvent(2, "nobody", 1, "/")).want(t, StageUnless, "unless is true")
	l := looked(t, g, quickEvent(3, "web-1", 1, "/"))
	l.want(t, StageWarming, "406 measurements and 1m0s")
	folded(t, plain, quickEvent(3, "web-1", 1, "/"))
	usual(t, g, 4, 600)
	usual(t, plain, 4, 600)
	l = looked(t, g, quickEvent(604, "web-1", 1.2, "/1"))
	l.want(t, StageMeasured, "it needs p 0.0")
	if k := l.Model; k.Entity != "web-1" || k.Score <= 0 || k.P <= k.Need || len(k.Features) != 2 || !k.End.IsZero() {
		t.Errorf("the look is %+v", k)
	}
	folded(t, plain, quickEvent(604, "web-1", 1.2, "/1"))
	if a, b := g.Models()[0], plain.Models()[0]; a.Measured != b.Measured || a.Threshold != b.Threshold || a.Rows != b.Rows {
		t.Errorf("explained it is %+v, else %+v", a, b)
	}
	l = looked(t, g, quickEvent(605, "web-1", 900, "/odd"))
	l.want(t, StageFound, "")
	if k := l.Model; l.Finding == nil || k.Score != l.Finding.Score || !strings.Contains(l.Finding.Explanation, k.Words) || k.P > k.Need {
		t.Errorf("the look is %+v of %+v", k, l.Finding)
	}
	other := quickEvent(606, "web-1", 1, "/")
	other.Source = event.SourceFalco
	looked(t, g, other).want(t, StageIndex, "can't be true")
}

// Of an interval that is not over it is told what it has so far.
func TestExplainInterval(t *testing.T) {
	g := modelOf(t, shippedModel(t, "model-service.yaml"))
	s := newShop(4, 3)
	s.run(t, g, modelStart, 200, nothing)
	e := s.event(modelStart.Add(201*time.Minute), 0, 1, 1)
	e.Class, e.HTTP = event.ClassHTTP, event.HTTP{Status: 503, Duration: 8}
	l := looked(t, g, e)
	l.want(t, StageWarming, "measurements and 0s are missing")
	k := l.Model
	if k == nil || k.Entity != "shop/svc1" || k.Events != 1 || !k.End.Equal(modelStart.Add(202*time.Minute)) || len(k.Features) != 8 {
		t.Fatalf("the look is %+v", k)
	}
	late := s.event(modelStart, 0, 1, 1)
	late.Class, late.Received = event.ClassHTTP, modelStart.Add(201*time.Minute+time.Second)
	if l := looked(t, g, late); l.Stage != StageMeasured && l.Stage != StageWarming {
		t.Errorf("a late one came to %s (%s)", l.Stage, l.Reason)
	}
}
