package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// stolenToken: somebody with the CI's token reads secrets and makes a pod that
// can leave its container. Firebreak asks; only who may, can agree.
func (d *demo) stolenToken(ctx context.Context) error {
	d.board.scene("A stolen CI token reads secrets and makes a privileged pod: Firebreak asks first")
	before, err := d.intrude(ctx)
	if err != nil {
		return err
	}
	run, err := d.await(ctx, "contain-privileged-pod", before.namespace, before.place.pod)
	if err != nil {
		return err
	}
	if run, err = d.follow(ctx, run.ID, "asks", in(event.RunAwaiting)); err != nil {
		return err
	}
	if err := d.decide(ctx, run); err != nil {
		return err
	}
	if err := d.readBack(ctx, "Until somebody who may agreed, nothing was written to the pod", func(ctx context.Context) (string, error) {
		return d.untouched(ctx, before)
	}); err != nil {
		return err
	}
	if _, err := d.alice.say(ctx, "approve", run.ID[:12], "--yes", "--reason", "nobody of us made this pod"); err != nil {
		return err
	}
	if run, err = d.follow(ctx, run.ID, "holds", in(event.RunHolding)); err != nil {
		return err
	}
	if err := d.quarantined(ctx, "After alice's yes the privileged pod is in quarantine", before); err != nil {
		return err
	}
	return d.remove(ctx, run, before)
}

// intrude is the attack, all of it through the API.
func (d *demo) intrude(ctx context.Context) (pod, error) {
	names := 0
	for _, namespace := range []string{"shop", "payments", "kube-system"} {
		secrets, err := d.secrets(ctx, namespace)
		if err != nil {
			return pod{}, err
		}
		names += len(secrets)
		if len(secrets) == 0 {
			d.board.row("attack", "ci:deployer lists the secrets of %s: there are none", namespace)
			continue
		}
		d.board.row("attack", "ci:deployer lists the secrets of %s: %d, with what is in them: %s", namespace, len(secrets), strings.Join(secrets, ", "))
	}
	if names == 0 {
		return pod{}, errors.New("the intruder found no secret")
	}
	manifest, err := manifests.ReadFile("manifests/intruder.yaml")
	if err != nil {
		return pod{}, fmt.Errorf("read manifest: %w", err)
	}
	if err := d.intruder.Create(ctx, manifest); err != nil {
		return pod{}, err
	}
	d.board.row("attack", "ci:deployer makes pod payments/node-shell: privileged, with / of its node at /host")
	var made pod
	err = until(ctx, "pod payments/node-shell runs", func(ctx context.Context) error {
		made, err = d.pod(ctx, "payments", "node-shell")
		if err == nil && !made.ready {
			err = errors.New("it is not ready")
		}
		return err
	})
	return made, err
}

func (d *demo) secrets(ctx context.Context, namespace string) (names []string, err error) {
	list, err := d.intruder.List(ctx, "", "v1", "secrets", namespace, "")
	for _, s := range list {
		names = append(names, s.GetName())
	}
	return names, err
}

// decide: who may not approve tries to.
func (d *demo) decide(ctx context.Context, run event.Run) error {
	approve := []string{"approve", run.ID[:12], "--yes"}
	for _, p := range []person{d.bob, d.ci} {
		refused, err := p.say(ctx, approve...)
		if err != nil {
			return err
		}
		if !refused {
			d.board.prove(p.name+" can't approve", "", errors.New("the command went through"))
		}
	}
	// The refusal of the intruder, who has the right by RBAC, stands in the record.
	if _, err := d.follow(ctx, run.ID, "still asks", in(event.RunAwaiting)); err != nil {
		return err
	}
	return d.readBack(ctx, "The cluster's RBAC says who may approve: alice of security may, bob of devs may not", func(ctx context.Context) (string, error) {
		for _, c := range []struct {
			user kube.User
			want bool
		}{{kube.User{Name: "alice", Groups: []string{"security", "system:authenticated"}}, true}, {kube.User{Name: "bob", Groups: []string{"devs", "system:authenticated"}}, false}} {
			got, _, err := d.admin.Allowed(ctx, c.user, "approve", "firebreak.io", "playbooks", run.Playbook, run.Target.Namespace)
			if err != nil {
				return "", err
			}
			if got != c.want {
				return "", fmt.Errorf("%s: allowed is %v", c.user.Name, got)
			}
		}
		return "SubjectAccessReview: approve playbooks.firebreak.io " + run.Playbook + " in namespace " + run.Target.Namespace, nil
	})
}

// quarantined proves that a pod is held and that its traffic is denied.
func (d *demo) quarantined(ctx context.Context, claim string, before pod) error {
	return d.readBack(ctx, claim, func(ctx context.Context) (string, error) {
		now, err := d.pod(ctx, before.namespace, before.place.pod)
		if err != nil {
			return "", err
		}
		if _, err := held(now); err != nil {
			return "", err
		}
		policy, err := d.policy(ctx, before.namespace)
		return fmt.Sprintf("labels %s; %s", set(now.labels), policy), err
	})
}

// remove: the hold ends with the pod.
func (d *demo) remove(ctx context.Context, run event.Run, p pod) error {
	if _, err := d.alice.say(ctx, "undo", run.ID[:12], "--at-end", "delete", "--reason", "evidence is taken; it must not come back"); err != nil {
		return err
	}
	if _, err := d.follow(ctx, run.ID, "is over", in(event.RunClosed)); err != nil {
		return err
	}
	return d.readBack(ctx, "Undone with delete, the privileged pod is gone, and the policy with it", func(ctx context.Context) (string, error) {
		if _, err := d.pod(ctx, p.namespace, p.place.pod); !errors.Is(err, kube.ErrNotFound) {
			return "", errors.Join(errors.New("the pod is there"), err)
		}
		return "pod payments/node-shell: not found", d.noPolicy(ctx, p.namespace)
	})
}
