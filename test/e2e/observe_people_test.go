package e2e

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// planned: of a run in mode observe people see the incident in Slack, with what
// would be done and nothing to decide; nobody is paged; and its record proves.
func (l *loop) planned(viewer string, run event.Run) {
	t := l.t
	t.Helper()
	card := l.card(t, run.Target.Name, func(m workspace.Message) bool { return strings.Contains(m.Shows(), "only planned (mode observe)") })
	for _, button := range []string{"approve", "deny", "restore"} {
		if _, there := card.Button(button); there {
			t.Errorf("the card of a run that only plans has the button %s", button)
		}
	}
	for _, refused := range l.chat.Refused() {
		t.Errorf("Slack refused %s", refused)
	}
	page := run.Steps[len(run.Steps)-1]
	if page.Action != "notify.page" || page.State != event.StepPlanned || page.Plan == nil || page.Receipt != nil {
		t.Errorf("the page is %+v", page)
	}
	if actions, text := l.pager.of(""); len(actions) > 0 {
		t.Errorf("the pager was told %q: %s", actions, text)
	}
	if shown := l.must(viewer, "incidents", "show", run.Incident.ID); !strings.Contains(shown, run.ID[:12]) {
		t.Errorf("the incident is shown without its run:\n%s", shown)
	}
	file := l.write("observed.ndjson", l.must(viewer, "receipt", "export", run.ID))
	if out, err := l.command("", "receipt", "verify", file); err != nil {
		t.Errorf("the record does not prove: %v\n%s", err, out)
	}
}
