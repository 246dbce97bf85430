package detect

import (
	"fmt"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A flood of groups of one namespace takes its share of what a rule remembers
// to keep quiet, and no more: findings of others stay one.
func TestANamespaceHasAShareOfSuppression(t *testing.T) {
	s := tell(t, ruleStart+"  source: falco\n  when: rule == \"shell\"\n  suppress: {by: [object.uid], for: 1h}\n", EngineOptions{Groups: 100})
	of := func(namespace, uid string) event.Event {
		e := alert("shell", uid)
		e.Object.Namespace = namespace
		return e
	}
	for i := range 20 {
		s.at(float64(i), float64(i), of("shop", fmt.Sprint("s", i)))
	}
	for i := range 500 {
		s.at(30, 30, of("flood", fmt.Sprint("f", i)))
		if i == 250 {
			s.again()
		}
	}
	if m := s.engine.Memory(); m.Groups != 50 || m.Evicted != 470 {
		t.Errorf("memory is %+v", m)
	}
	before := len(s.found)
	for i := range 20 {
		s.at(40, 40, of("shop", fmt.Sprint("s", i)))
	}
	if n := len(s.found) - before; n != 0 {
		t.Errorf("%d findings came again because of somebody else's flood", n)
	}
	s.tick(7200)
	if s.counts[s.found[0].ID] != 2 || s.engine.Memory().Groups != 0 {
		t.Errorf("counted %d, and %d groups are left", s.counts[s.found[0].ID], s.engine.Memory().Groups)
	}
}

// What has most room to give gives it, whatever it is of.
func TestAllKindsOfMemoryMakeRoom(t *testing.T) {
	for name, text := range map[string]string{
		"suppression": "  source: falco\n  when: \"true\"\n  suppress: {by: [object.uid], for: 1h}\n",
		"sequence":    "  source: falco\n  sequence: {by: [object.uid], within: 1h, steps: [{when: rule == \"shell\"}, {when: rule == \"other\"}]}\n",
		"window":      "  source: falco\n  when: \"true\"\n  window: {by: [object.uid], over: 1h, having: count() > 5}\n",
		"novelty":     "  source: falco\n  when: first_seen(\"1h/0s\", object.uid, rule)\n",
	} {
		s := tell(t, ruleStart+text, EngineOptions{Memory: 50_000})
		for i := range 2000 {
			s.at(float64(i), float64(i), alert("shell", fmt.Sprint("p", i)))
		}
		if n := s.engine.Memory().Bytes; n > 60_000 || n < 10_000 {
			t.Errorf("%s takes %d bytes", name, n)
		}
	}
}
