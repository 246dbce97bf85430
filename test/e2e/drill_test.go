package e2e

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/drill"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// steered is the operators' state, and takes the pages.
type steered struct{ sent []notify.Message }

func (*steered) Paused(context.Context) (bool, string, error) { return false, "", nil }
func (*steered) Ceiling(context.Context) (event.Mode, error)  { return event.ModeAct, nil }
func (s *steered) Put(_ context.Context, m notify.Message) error {
	s.sent = append(s.sent, m)
	return nil
}

// A cluster of kwok's enforces no policy: the drill must find just that, page,
// leave nothing behind, and a quarantine must be said to be void then.
func TestDrill(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	q := build(t, "pod.quarantine", c, nil)
	target := lonely(t, client, ns, "web")
	spec := template()
	prober := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "prober", Labels: map[string]string{"app": "prober"}}, Spec: spec.Spec}
	if _, err := client.CoreV1().Pods(ns).Create(t.Context(), prober, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ready(t, client, ns, "app=prober", 1)
	op := &steered{}
	d := &drill.Drill{
		Config:  drill.Config{Every: conf.Duration(time.Hour), Wait: conf.Duration(2 * time.Second), Namespace: ns, Target: target.Name, Prober: "prober", Page: []string{"pager"}},
		Cluster: c, Action: q, Control: op, Outbox: op, Logger: slog.New(slog.DiscardHandler), Tick: 100 * time.Millisecond,
	}
	s := d.Once(t.Context())
	if s.Capability != drill.Absent || len(op.sent) != 1 || !strings.Contains(op.sent[0].Notice.Title, "does not enforce") {
		t.Errorf("%+v %+v", s, op.sent)
	}
	if back := getPod(t, client, ns, target.Name); marks(t, back.ObjectMeta) != marks(t, target.ObjectMeta) || hasPolicy(t, client, ns) {
		t.Errorf("left over: %s", marks(t, back.ObjectMeta))
	}
	k, _ := action.Lookup("pod.quarantine")
	knowing, err := k.New(action.Deps{Cluster: c, Drill: d}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := request(target)
	p, done := do(t, knowing, r)
	if seen := verified(t, knowing, r, p, done); seen.Result != event.ResultVoid || !noted(seen.Notes, "enforcement is absent") {
		t.Errorf("%+v", seen)
	}
	undo(t, knowing, r, done, event.AtEndDelete)
}
