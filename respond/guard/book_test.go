package guard

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestBookCloned: a clone is what would be read back, and changing it changes nothing of
// the book.
func TestBookCloned(t *testing.T) {
	now := time.Now()
	full := func() *Book {
		return &Book{
			Entries: []Entry{
				{Key: "r1/s", Run: "r1", Playbook: "p", Version: "v", Rule: "shell", Action: "pod.quarantine", Budget: "pods", Target: "u1", Namespace: "shop", Node: "n1",
					Controller: "c1", Severity: event.SeverityHigh, Source: event.SourceFalco, Actor: "a", Taken: now, Ended: new(now.Add(time.Second)), Approved: true, Record: 3, Nonce: "n"},
				{Key: "r2/s", Run: "r2", Taken: now},
			},
			Canaries: map[string]*Canary{"v": {Playbook: "p", Run: "r1", Target: event.PodRef("shop", "web"), Since: now, Owner: &metav1.OwnerReference{Name: "web"}, Replicas: 2, Well: true}},
			Breakers: map[string]*Trip{"b": {Failures: []time.Time{now, now}, Open: "why", Since: now, Void: true, Trial: "k", Tried: now}},
		}
	}
	for name, book := range map[string]*Book{"full": full(), "empty": {}} {
		data, err := json.Marshal(book)
		if err != nil {
			t.Fatal(err)
		}
		want, err := decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, book.clone()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	book := full()
	c := book.clone()
	if c.Entries[0].Taken != c.Entries[0].Taken.Round(0) || c.Breakers["b"].Failures[0] != c.Breakers["b"].Failures[0].Round(0) {
		t.Error("a clone's times are of the process's own clock")
	}
	c.Entries[0].Run, *c.Entries[0].Ended, c.Entries[1].Ended = "x", now.Add(time.Hour), &now
	c.Canaries["v"].Well, c.Canaries["w"] = false, &Canary{}
	c.Breakers["b"].Failures[0], c.Breakers["b"].Open = now.Add(time.Hour), ""
	delete(c.Breakers, "b")
	if d := cmp.Diff(full(), book); d != "" {
		t.Errorf("the book changed with its clone: %s", d)
	}
}
