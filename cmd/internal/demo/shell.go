package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// shell: somebody runs a command in a pod of a Deployment. Firebreak acts at
// once; a person undoes it.
func (d *demo) shell(ctx context.Context) error {
	d.board.scene("A shell in a pod behind a Service: Firebreak acts at once, and a person undoes it")
	suspect, err := d.settled(ctx)
	if err != nil {
		return err
	}
	if err := d.enterPod(ctx, suspect); err != nil {
		return err
	}
	run, err := d.await(ctx, "contain-terminal-shell", suspect.namespace, suspect.place.pod)
	if err != nil {
		return err
	}
	if run, err = d.follow(ctx, run.ID, "holds", in(event.RunHolding)); err != nil {
		return err
	}
	d.board.row("run", "from Falco's alert to the hold: %s", heldAfter(run))
	if err := d.cutOff(ctx, suspect); err != nil {
		return err
	}
	if _, err := d.alice.say(ctx, "undo", run.ID[:12], "--reason", "it was the on-call engineer"); err != nil {
		return err
	}
	if _, err := d.follow(ctx, run.ID, "is over", in(event.RunClosed)); err != nil {
		return err
	}
	return d.restored(ctx, suspect)
}

// settledAfter is how long the pods of the Deployment have run before one of them is
// attacked. Restored, a ReplicaSet removes the younger of two pods, but only if
// one has run twice as long as the other.
const settledAfter = 6 * time.Second

func (d *demo) settled(ctx context.Context) (pod, error) {
	var suspect pod
	err := until(ctx, "the pods of shop/web have settled", func(ctx context.Context) error {
		pods, err := d.readyPods(ctx, "shop", "app=web")
		if err != nil {
			return err
		}
		if len(pods) != 3 {
			return fmt.Errorf("%d are ready, want 3", len(pods))
		}
		if suspect = pods[0]; time.Since(suspect.made) < settledAfter {
			return errors.New("they are young")
		}
		return nil
	})
	return suspect, err
}

// enterPod is the attack: a command by the API, and what Falco says of it.
func (d *demo) enterPod(ctx context.Context, p pod) error {
	var out bytes.Buffer
	began := time.Now()
	command := []string{"sh", "-c", "uname -s && ls"}
	err := d.intruder.Exec(ctx, kube.ExecRequest{
		Namespace: p.namespace, Pod: p.place.pod, Container: p.container, Command: command, Stdout: &out, Stderr: &out,
	})
	if err != nil {
		return err
	}
	d.board.rowAt(began, "attack", "ci:deployer runs %q in pod %s/%s, through the API", strings.Join(command, " "), p.namespace, p.place.pod)
	alert, err := recorded("shell")
	if err != nil {
		return err
	}
	return d.post(ctx, alert.bind(p.place, time.Now()))
}

// heldAfter is the time from the alert to the end of the last effect.
func heldAfter(run event.Run) time.Duration {
	var last time.Time
	for _, s := range run.Steps {
		if s.Receipt != nil && s.Receipt.Time.After(last) {
			last = s.Receipt.Time
		}
	}
	return last.Sub(run.Finding.Received).Round(time.Millisecond)
}

// cutOff proves what a quarantine of a pod of a Deployment is.
func (d *demo) cutOff(ctx context.Context, suspect pod) error {
	name := suspect.place.pod
	for _, c := range []struct {
		claim string
		check func(context.Context) (string, error)
	}{
		{"The pod lost the labels by which its ReplicaSet, Service and policies select it; a record keeps them", func(ctx context.Context) (string, error) {
			return d.stripped(ctx, suspect)
		}},
		{"Its ReplicaSet let it go and made a clean replacement, which is ready", func(ctx context.Context) (string, error) {
			return d.replaced(ctx, suspect)
		}},
		{"Service web sends traffic to three pods, and the suspect is none of them", func(ctx context.Context) (string, error) {
			names, err := d.behind(ctx, suspect.namespace, "web")
			if err == nil && (len(names) != 3 || slices.Contains(names, name)) {
				err = fmt.Errorf("traffic goes to %s", strings.Join(names, ", "))
			}
			return "EndpointSlice: " + strings.Join(names, ", "), err
		}},
		{"One NetworkPolicy denies all traffic of held pods, both ways", func(ctx context.Context) (string, error) {
			return d.policy(ctx, suspect.namespace)
		}},
		{"A Kubernetes Event tells whoever looks at the pod", func(ctx context.Context) (string, error) {
			return d.kubernetesEvent(ctx, suspect)
		}},
	} {
		if err := d.readBack(ctx, c.claim, c.check); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) stripped(ctx context.Context, before pod) (string, error) {
	now, err := d.pod(ctx, before.namespace, before.place.pod)
	if err != nil {
		return "", err
	}
	kept, err := held(now)
	if err != nil {
		return "", err
	}
	for _, k := range []string{"app", "tier", "pod-template-hash"} {
		if _, there := now.labels[k]; there || kept[k] != before.labels[k] {
			return "", fmt.Errorf("label %s: %q now, %q kept, %q before", k, now.labels[k], kept[k], before.labels[k])
		}
	}
	return fmt.Sprintf("%s has %s; kept: %s", now.place.pod, set(now.labels), set(kept)), nil
}

func (d *demo) replaced(ctx context.Context, before pod) (string, error) {
	now, err := d.pod(ctx, before.namespace, before.place.pod)
	if err != nil {
		return "", err
	}
	pods, err := d.readyPods(ctx, before.namespace, "app=web")
	switch {
	case err != nil:
		return "", err
	case now.owner != "":
		return "", errors.New("it belongs to a controller still")
	case len(pods) != 3:
		return "", fmt.Errorf("%d other pods are ready", len(pods))
	}
	return "ready: " + strings.Join(names(pods), ", "), nil
}

// restored proves that an undo gives back exactly what was taken.
func (d *demo) restored(ctx context.Context, before pod) error {
	err := d.readBack(ctx, "Undone, the pod has exactly the labels and annotations it had, and its ReplicaSet took it back", func(ctx context.Context) (string, error) {
		now, err := d.pod(ctx, before.namespace, before.place.pod)
		switch {
		case err != nil:
			return "", err
		case !maps.Equal(now.labels, before.labels) || !maps.Equal(now.annotations, before.annotations):
			return "", fmt.Errorf("labels %s, annotations %s", set(now.labels), set(now.annotations))
		case now.uid != before.uid || now.owner != before.owner:
			return "", fmt.Errorf("its controller is %q, was %q", now.owner, before.owner)
		}
		return fmt.Sprintf("%s has %s", now.place.pod, set(now.labels)), nil
	})
	if err != nil {
		return err
	}
	return d.readBack(ctx, "Service web sends it traffic again, three pods are left, and the policy is gone", func(ctx context.Context) (string, error) {
		pods, err := d.pods(ctx, before.namespace, "app=web")
		if err != nil {
			return "", err
		}
		behind, err := d.behind(ctx, before.namespace, "web")
		if err == nil && (len(pods) != 3 || !slices.Equal(behind, names(pods)) || !slices.Contains(behind, before.place.pod)) {
			err = fmt.Errorf("pods %s, traffic to %s", strings.Join(names(pods), ", "), strings.Join(behind, ", "))
		}
		return "EndpointSlice: " + strings.Join(behind, ", "), errors.Join(err, d.noPolicy(ctx, before.namespace))
	})
}

func names(pods []pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.place.pod)
	}
	slices.Sort(out)
	return out
}
