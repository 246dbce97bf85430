package respond

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// TestOneRunAtATime: of two playbooks for one pod the one of the lower order is
// done with its steps before the other begins any.
func TestOneRunAtATime(t *testing.T) {
	book := func(name, order, label string) string {
		text := strings.Replace(actBook, "{name: mark}", "{name: "+name+"}", 1)
		text = strings.Replace(text, "spec:\n", "spec:\n  order: "+order+"\n", 1)
		return strings.ReplaceAll(text, "suspect:", label+":")
	}
	two := strings.TrimSuffix(book("first", "1", "one"), "\n") + `
    - name: more
      action: pod.label
      with: {labels: {more: "yes"}}
`
	r := newRig(t, newCluster("a"), book("second", "2", "two"), two).start()
	r.publish(finding("shell", "a", 1))
	r.until("both hold", r.all(2, event.RunHolding))
	var ended, began time.Time
	for _, run := range r.runs() {
		for rec, err := range runlog.New(r.bus, 0).History(t.Context(), run.ID) {
			if err != nil {
				t.Fatal(err)
			}
			if run.Playbook == "first" && rec.Run.State == event.RunHolding && ended.IsZero() {
				ended = rec.Message().Time
			}
			if run.Playbook == "second" && begunNow(rec.Run) && began.IsZero() {
				began = rec.Message().Time
			}
		}
	}
	if !began.After(ended) {
		t.Errorf("the second began at %s, the first was done at %s", began, ended)
	}
	list := incident.NewList(r.bus)
	r.until("the incident says what applies", func() bool {
		open, err := list.Open(t.Context())
		return err == nil && len(open) == 1 && strings.Join(open[0].Recommended, " ") == "first second" && open[0].State == event.IncidentContained && len(open[0].Runs) == 2
	})
}
