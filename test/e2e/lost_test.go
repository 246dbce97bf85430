package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// lost: the whole store is lost while pods are held (C16). What the pods say of
// themselves is enough to end the hold whose time is up, and to leave the other.
func (l *loop) lost() {
	t := l.t
	keeper := stay(t, l.admin, l.shop("kept", 1))[0]
	l.isolate("kept", keeper)
	pods := stay(t, l.admin, l.shop("brief", 3))
	pod, before := l.killedWhileHeld("brief", pods)
	if err := os.RemoveAll(filepath.Join(l.dir, "data")); err != nil {
		t.Fatal(err)
	}
	holds, err := action.HoldingsOf(event.Ref{}, nil, getPod(t, l.admin, "brief", pod).Annotations)
	if err != nil || len(holds) != 1 || holds[0].Until.IsZero() {
		t.Fatalf("the pod says of its hold %+v (%v)", holds, err)
	}
	began := time.Now()
	l.start()
	eventually(t, "the hold whose time is up has ended", func(context.Context) error {
		now := getPod(t, l.admin, "brief", pod)
		if after := marks(t, now.ObjectMeta); after != before {
			return fmt.Errorf("it is %s, want %s", after, before)
		}
		return nil
	})
	freed := time.Now()
	if freed.Before(holds[0].Until) {
		t.Errorf("it has ended %s before its time", holds[0].Until.Sub(freed))
	}
	t.Logf("C16: %s after the start without a store, %s after its time, the hold has ended", freed.Sub(began).Round(time.Millisecond), freed.Sub(holds[0].Until).Round(time.Millisecond))
	eventually(t, "its policy is gone", func(ctx context.Context) error {
		list, err := l.admin.NetworkingV1().NetworkPolicies("brief").List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d are there", len(list.Items))
		}
		return err
	})
	if still := getPod(t, l.admin, "kept", keeper.Name); still.Labels[action.HoldKey] != action.HoldQuarantine || !hasPolicy(t, l.admin, "kept") {
		t.Errorf("the hold whose time is not up: labels %v", still.Labels)
	}
	var runs []event.Run
	if _, err := l.call(t.Context(), http.MethodGet, "/v1/runs", l.token("bob"), nil, &runs); err != nil || len(runs) > 0 {
		t.Errorf("%d runs are known (%v)", len(runs), err)
	}
	l.freed("kept", keeper)
}

// freed has a hold put back whose record is lost: who may undo does so by the
// command, which says before what that is, and the run's new record names them.
func (l *loop) freed(namespace string, pod corev1.Pod) {
	t, alice, bob := l.t, l.token("alice"), l.token("bob")
	holds, err := action.HoldingsOf(event.Ref{}, nil, getPod(t, l.admin, namespace, pod.Name).Annotations)
	if err != nil || len(holds) != 1 {
		t.Fatalf("the pod says of its hold %+v (%v)", holds, err)
	}
	run := holds[0].Run()
	eventually(t, "the hold is listed", func(context.Context) error {
		if out := l.must(bob, "holds"); !strings.Contains(out, run) || !strings.Contains(out, "pods/"+namespace+"/"+pod.Name) {
			return errors.New(out)
		}
		return nil
	})
	if out, err := l.command(bob, "holds", "free", run, "--yes"); err == nil || !strings.Contains(out, "bob may not undo playbooks") {
		t.Errorf("one without the right: %v %s", err, out)
	}
	if out := l.must(alice, "holds", "free", run[:12]); !strings.Contains(out, "label app=") || !strings.Contains(out, "Nothing was written") {
		t.Errorf("what would be put back: %s", out)
	}
	if getPod(t, l.admin, namespace, pod.Name).Labels[action.HoldKey] != action.HoldQuarantine {
		t.Error("it was put back without --yes")
	}
	if out := l.must(alice, "holds", "free", run[:12], "--yes", "--reason", "the store is lost"); !strings.Contains(out, "the store is lost") {
		t.Errorf("put back, it says: %s", out)
	}
	if now, before := marks(t, getPod(t, l.admin, namespace, pod.Name).ObjectMeta), marks(t, pod.ObjectMeta); now != before {
		t.Errorf("it is %s, want %s", now, before)
	}
	if r := l.newest(bob, run); r.Starter != "alice" || !r.Adopted || r.State != event.RunClosed {
		t.Errorf("its new record is of %q and %s", r.Starter, r.State)
	}
	if out, err := l.command(alice, "holds", "free", run, "--yes"); err == nil || !strings.Contains(out, "is on record") {
		t.Errorf("once more: %v %s", err, out)
	}
}

// isolate has a pod found, and waits until its run holds it.
func (l *loop) isolate(namespace string, pod corev1.Pod) {
	l.t.Helper()
	if err := l.alert(l.t.Context(), "Terminal shell in container", namespace, pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID)); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "hold of "+pod.Name, func(context.Context) error {
		if getPod(l.t, l.admin, namespace, pod.Name).Labels[action.HoldKey] == "" {
			return errors.New("it is not held")
		}
		return nil
	})
}

// killedWhileHeld kills Firebreak while one of the pods is held, and gives its
// name and how it was before. A slow machine may be too late for the first.
func (l *loop) killedWhileHeld(namespace string, pods []corev1.Pod) (name, before string) {
	l.t.Helper()
	for _, pod := range pods {
		l.isolate(namespace, pod)
		l.kill()
		if getPod(l.t, l.admin, namespace, pod.Name).Labels[action.HoldKey] != "" {
			return pod.Name, marks(l.t, pod.ObjectMeta)
		}
		l.start()
	}
	l.t.Fatal("each hold ended before Firebreak could be killed")
	return "", ""
}
