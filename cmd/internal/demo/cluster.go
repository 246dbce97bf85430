package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// readBack asks the API server until a claim holds, and notes it as a proof.
// Only the end of ctx is an error; a claim that doesn't hold is in the summary.
func (d *demo) readBack(ctx context.Context, claim string, check func(context.Context) (string, error)) error {
	var detail string
	err := until(ctx, "read back", func(ctx context.Context) (err error) {
		detail, err = check(ctx)
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.board.prove(claim, detail, err)
	return nil
}

// pod is what the demo looks at of a pod.
type pod struct {
	place
	uid, owner          string // owner is the controller's UID
	ready               bool
	made                time.Time
	labels, annotations map[string]string
}

func (d *demo) pod(ctx context.Context, namespace, name string) (pod, error) {
	pods, err := d.pods(ctx, namespace, "")
	if err != nil {
		return pod{}, err
	}
	if i := slices.IndexFunc(pods, func(p pod) bool { return p.place.pod == name }); i >= 0 {
		return pods[i], nil
	}
	return pod{}, fmt.Errorf("pod %s/%s: %w", namespace, name, kube.ErrNotFound)
}

// pods are those of a namespace that a label selector matches, by name.
func (d *demo) pods(ctx context.Context, namespace, selector string) ([]pod, error) {
	found, err := d.admin.Pods(ctx, namespace, selector)
	if err != nil {
		return nil, err
	}
	var pods []pod
	for _, p := range found {
		one := pod{
			place: place{namespace: p.Namespace, pod: p.Name, node: p.Spec.NodeName},
			uid:   string(p.UID), made: p.CreationTimestamp.Time, labels: maps.Clone(p.Labels), annotations: maps.Clone(p.Annotations),
		}
		if len(p.Status.ContainerStatuses) > 0 {
			c := p.Status.ContainerStatuses[0]
			one.container, one.image, one.id = c.Name, c.Image, c.ContainerID
		}
		for _, o := range p.OwnerReferences {
			if o.Controller != nil && *o.Controller {
				one.owner = string(o.UID)
			}
		}
		for _, c := range p.Status.Conditions {
			one.ready = one.ready || c.Type == "Ready" && c.Status == "True" && p.DeletionTimestamp == nil
		}
		pods = append(pods, one)
	}
	return pods, nil
}

func (d *demo) readyPods(ctx context.Context, namespace, selector string) ([]pod, error) {
	pods, err := d.pods(ctx, namespace, selector)
	return slices.DeleteFunc(pods, func(p pod) bool { return !p.ready }), err
}

// held says that a pod has the hold's label and its record, and gives what
// the record keeps for the undo.
func held(p pod) (kept map[string]string, err error) {
	if p.labels[action.HoldKey] != action.HoldQuarantine {
		return nil, fmt.Errorf("label %s is %q", action.HoldKey, p.labels[action.HoldKey])
	}
	var record struct {
		Labels map[string]string `json:"labels"`
		Runs   map[string]any    `json:"runs"`
	}
	if err := json.Unmarshal([]byte(p.annotations[action.HoldKey]), &record); err != nil || len(record.Runs) == 0 {
		return nil, errors.Join(errors.New("the pod has no record of its hold"), err)
	}
	return record.Labels, nil
}

// untouched says that Firebreak wrote nothing to a pod, and holds nothing in
// its namespace.
func (d *demo) untouched(ctx context.Context, before pod) (string, error) {
	now, err := d.pod(ctx, before.namespace, before.place.pod)
	switch {
	case err != nil:
		return "", err
	case now.uid != before.uid || !maps.Equal(now.labels, before.labels) || !maps.Equal(now.annotations, before.annotations):
		return "", fmt.Errorf("its labels are %s", set(now.labels))
	}
	if err := d.noPolicy(ctx, before.namespace); err != nil {
		return "", err
	}
	return fmt.Sprintf("labels %s as before, no policy %s in %s", set(now.labels), action.HoldPolicyName, before.namespace), nil
}

// policy reads the static policy of a namespace back: it must deny all.
func (d *demo) policy(ctx context.Context, namespace string) (string, error) {
	p, err := d.admin.NetworkPolicy(ctx, namespace, action.HoldPolicyName)
	if err != nil {
		return "", err
	}
	s := p.Spec
	if len(s.PolicyTypes) != 2 || len(s.Ingress)+len(s.Egress) != 0 || len(s.PodSelector.MatchExpressions) != 1 || s.PodSelector.MatchExpressions[0].Key != action.HoldKey {
		return "", errors.New("the policy does not deny all traffic of held pods")
	}
	return fmt.Sprintf("networkpolicy %s/%s: %s %s, types %s, no rule", namespace, p.Name, action.HoldKey, s.PodSelector.MatchExpressions[0].Operator, fmt.Sprint(s.PolicyTypes)), nil
}

func (d *demo) noPolicy(ctx context.Context, namespace string) error {
	_, err := d.admin.NetworkPolicy(ctx, namespace, action.HoldPolicyName)
	if err == nil {
		return fmt.Errorf("networkpolicy %s/%s is there", namespace, action.HoldPolicyName)
	}
	if errors.Is(err, kube.ErrNotFound) {
		return nil
	}
	return err
}

// behind are the pods to which a Service sends traffic.
func (d *demo) behind(ctx context.Context, namespace, service string) ([]string, error) {
	found, err := d.admin.List(ctx, "discovery.k8s.io", "v1", "endpointslices", namespace, "kubernetes.io/service-name="+service)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range found {
		var slice struct {
			Endpoints []struct {
				TargetRef struct{ Name string }
			}
		}
		if err := into(s.Object, &slice); err != nil {
			return nil, err
		}
		for _, e := range slice.Endpoints {
			names = append(names, e.TargetRef.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// kubernetesEvent reads the Kubernetes Event about a pod back.
func (d *demo) kubernetesEvent(ctx context.Context, p pod) (string, error) {
	list, err := d.admin.List(ctx, "events.k8s.io", "v1", "events", p.namespace, "app.kubernetes.io/name=firebreak-event")
	if err != nil {
		return "", err
	}
	for _, item := range list {
		var e struct {
			Reason, Note string
			Regarding    struct{ UID string }
		}
		if err := into(item.Object, &e); err != nil {
			return "", err
		}
		if e.Regarding.UID == p.uid {
			return e.Reason + ": " + e.Note, nil
		}
	}
	return "", errors.New("there is no Event about the pod")
}

// into reads an object of the API into a type with the fields of interest.
func into(object map[string]any, to any) error {
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	return nil
}

// set is labels in kubectl's form.
func set(labels map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return strings.Join(out, ",")
}
