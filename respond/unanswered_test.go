package respond

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// told is an outbox that keeps what it is given.
type told struct {
	list []notify.Message
	err  error
}

func (o *told) Put(_ context.Context, m notify.Message) error {
	if o.err == nil {
		o.list = append(o.list, m)
	}
	return o.err
}

func TestUnanswered(t *testing.T) {
	const steps = "  steps:\n    - {name: one, action: pod.quarantine}\n"
	out := &told{}
	x := &Executor{Deps: action.Deps{
		Cluster: action.Offline{}, Offline: true, Outbox: out, Receivers: notify.Receivers{"oncall": {}}, Routes: notify.Routes{{To: []string{"oncall"}}},
	}}
	for otherwise, want := range map[string]int{"deny": 0, "page": 1} {
		w := playText(t, "  when: 'true'\n  mode: ask\n  approve: {otherwise: "+otherwise+"}\n"+steps).turn()
		before := w.run
		w.later(time.Hour).want(event.RunExpired, "")
		out.list, out.err = nil, nil
		ask := func(from, to event.Run) error { return x.Unanswered(t.Context(), w.book, from, to, w.now) }
		if err := errors.Join(ask(event.Run{}, before), ask(before, before), ask(w.run, w.run)); err != nil || len(out.list) != 0 {
			t.Errorf("%s: paged before its time: %v, %v", otherwise, out.list, err)
		}
		if err := ask(before, w.run); err != nil || len(out.list) != want {
			t.Fatalf("%s: %v, %v", otherwise, out.list, err)
		}
		if want == 0 {
			continue
		}
		m := out.list[0]
		if m.Receiver != "oncall" || !strings.HasPrefix(m.Key, w.run.ID+"/unanswered-") || m.Incident != "i1" || !strings.HasPrefix(m.Notice.Text, "Nobody approved in time") {
			t.Errorf("%+v", m)
		}
		out.err = errors.New("away")
		if err := ask(before, w.run); !errors.Is(err, out.err) {
			t.Errorf("a page that is not stored: %v", err)
		}
	}
}
