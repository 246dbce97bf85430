package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// An event as large as an event may be can still be stored once it was
// enriched with as much as there can be.
func TestBoundLeavesRoomForEnrichment(t *testing.T) {
	largest := 0
	for groups := range 12 {
		e := event.Event{ID: "e", Fields: event.Fields{}, Message: strings.Repeat("\x01", maxField)}
		e.Actor.Process = strings.Repeat("\x01", maxProcess)
		for range groups {
			e.Actor.Groups = append(e.Actor.Groups, strings.Repeat("\x01", maxText))
		}
		for i := range 4 {
			e.Fields[fmt.Sprint("f", i)] = strings.Repeat("\x01", 14<<10)
		}
		bound(&e)
		before, err := encode(&e)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(before))
		enlarge(&e)
		if _, err := encode(&e); err != nil {
			t.Errorf("with %d groups: %v", groups, err)
		}
	}
	if largest < event.MaxEventBytes-2*reserve {
		t.Errorf("the largest has %d bytes: none comes near the bound", largest)
	}
}

// enlarge fills in as much as enrichment can.
func enlarge(e *event.Event) {
	e.Object.Labels = map[string]string{}
	for i := range 32 {
		e.Object.Labels[fmt.Sprintf("%0317d", i)] = strings.Repeat("v", 63)
	}
	for _, s := range []*string{
		&e.Object.Namespace, &e.Object.Name, &e.Object.UID, &e.Object.Node, &e.Object.Container, &e.Object.Digest, &e.Object.ServiceAccount,
		&e.Object.Workload.Name, &e.Actor.Pod.Namespace, &e.Actor.Pod.Name, &e.Actor.Pod.UID, &e.Actor.Pod.Node, &e.Actor.Pod.Workload.Name, &e.Image.Report,
	} {
		*s = strings.Repeat("n", 512)
	}
	e.Object.Image = strings.Repeat("\x01", 512)
}
