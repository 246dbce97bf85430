package e2e

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// What the real API server answers to writes whose conditions don't hold.
func TestConditionalWrites(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	pod := lonely(t, client, ns, "web")
	good := event.Write{
		Verb: "patch", Version: "v1", Resource: "pods", Namespace: ns, Name: pod.Name,
		UID: string(pod.UID), ResourceVersion: pod.ResourceVersion, Body: []byte(`{"metadata":{"labels":{"x":"y"}}}`),
	}
	with := func(change func(*event.Write)) event.Write { w := good; change(&w); return w }
	other := "00000000-0000-0000-0000-000000000000"
	tests := map[string]struct {
		w    event.Write
		want error
	}{
		"patch of another UID":        {with(func(w *event.Write) { w.UID = other }), kube.ErrConflict},
		"patch of an old version":     {with(func(w *event.Write) { w.ResourceVersion = "1" }), kube.ErrConflict},
		"patch without a version":     {with(func(w *event.Write) { w.ResourceVersion = "" }), kube.ErrUnconditional},
		"patch of nothing":            {with(func(w *event.Write) { w.Name = "none" }), kube.ErrNotFound},
		"delete of another UID":       {with(func(w *event.Write) { w.Verb, w.UID = "delete", other }), kube.ErrUIDMismatch},
		"delete of an old version":    {with(func(w *event.Write) { w.Verb, w.ResourceVersion = "delete", "1" }), kube.ErrConflict},
		"delete without a UID":        {with(func(w *event.Write) { w.Verb, w.UID = "delete", "" }), kube.ErrUnconditional},
		"patch that the role forbids": {with(func(w *event.Write) { w.Resource = "services" }), kube.ErrForbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.Apply(t.Context(), tt.w, kube.ApplyOptions{})
			t.Log(err)
			if !errors.Is(err, tt.want) {
				t.Error("want", tt.want)
			}
		})
	}
	eventually(t, "dry run", func(ctx context.Context) error {
		// Its kubelet and node may have moved the version since.
		good.ResourceVersion = getPod(t, client, ns, pod.Name).ResourceVersion
		_, _, err := c.Apply(ctx, good, kube.ApplyOptions{DryRun: true})
		return err
	})
	if now := getPod(t, client, ns, pod.Name); marks(t, now.ObjectMeta) != marks(t, pod.ObjectMeta) || now.UID != pod.UID || now.DeletionTimestamp != nil {
		t.Error("the pod was changed")
	}
}

func TestReviews(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	who, err := c.Who(t.Context())
	if err != nil || !strings.HasPrefix(who, "system:serviceaccount:t-") {
		t.Error(who, err)
	}
	if _, err := c.ReviewToken(t.Context(), "nonsense"); !errors.Is(err, kube.ErrUnauthenticated) {
		t.Error(err)
	}
	token, err := client.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	user, err := c.ReviewToken(t.Context(), token.Status.Token)
	if err != nil || user.Name != "system:serviceaccount:"+ns+":default" {
		t.Fatal(user, err)
	}
	if ok, _, err := c.Allowed(t.Context(), user, "approve", "firebreak.io", "playbooks", "contain", ns); ok || err != nil {
		t.Error(ok, err)
	}
	root := kube.User{Name: "admin", Groups: []string{"system:masters"}}
	if ok, _, err := c.Allowed(t.Context(), root, "approve", "firebreak.io", "playbooks", "contain", ns); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestExec(t *testing.T) {
	client := admin(t)
	ns := namespace(t, client)
	webDeployment(t, client, ns, 1)
	pod := ready(t, client, ns, "app=web", 1)[0]
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = c.Exec(t.Context(), kube.ExecRequest{Namespace: ns, Pod: pod.Name, Container: "web", Command: []string{"echo", "hello"}, Stdout: &out})
	if err != nil || out.String() != "hello\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	r := responder(t, client, nil)
	err = r.Exec(t.Context(), kube.ExecRequest{Namespace: ns, Pod: pod.Name, Command: []string{"echo"}, Stdout: &out})
	if err == nil {
		t.Error("the responder may exec")
	}
	t.Log(err)
}
