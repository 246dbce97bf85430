package record

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"k8s.io/client-go/tools/remotecommand"
)

// nodes are what kubelets do besides what kwok does for them, and a node that comes and goes.
func nodes() []chore {
	var all []chore
	for i := 1; i <= 3; i++ {
		node := fmt.Sprintf("worker-%d", i)
		all = append(all, by(kubelet(node), 7*time.Second, same(
			"GET /api/v1/nodes/"+node+"?resourceVersion=0",
			"GET /api/v1/pods?fieldSelector=spec.nodeName%3D"+node+"&limit=500",
			"GET /api/v1/namespaces/shop/configmaps/settings",
			"GET /api/v1/namespaces/shop/configmaps/kube-root-ca.crt",
			"GET /api/v1/namespaces/shop/secrets/db",
		)))
	}
	return append(all, chore{50 * time.Second, churn})
}

// churn has a node join, and at the next turn empties and removes it.
func churn(ctx context.Context, s *Stage, n int) error {
	name := fmt.Sprintf("spot-%d", n)
	if n > 1 {
		old := fmt.Sprintf("spot-%d", n-1)
		if err := s.calls(ctx, scaler, fmt.Sprintf(`PATCH /api/v1/nodes/%s {"spec":{"unschedulable":true}}`, old)); err != nil {
			return err
		}
		answer, err := s.call(ctx, scaler, "GET /api/v1/pods?fieldSelector=spec.nodeName%3D"+old)
		if err != nil {
			return err
		}
		var pods podList
		if err := json.Unmarshal(answer, &pods); err != nil {
			return fmt.Errorf("read pods: %w", err)
		}
		for _, p := range pods.Items {
			m := p.Metadata
			if err := s.calls(ctx, scaler, fmt.Sprintf(`0 POST /api/v1/namespaces/%s/pods/%s/eviction {"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q}}`, m.Namespace, m.Name, m.Name)); err != nil {
				return err
			}
		}
		if err := s.calls(ctx, scaler, "DELETE /api/v1/nodes/"+old); err != nil {
			return err
		}
	}
	return s.calls(ctx, kubelet(name), fmt.Sprintf(`POST /api/v1/nodes {"metadata":{"name":%q,"labels":{"kubernetes.io/hostname":%q}},"status":{"capacity":{"cpu":"4","memory":"8Gi","pods":"110"},"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"}}}`, name, name))
}

type podList struct {
	Items []struct {
		Metadata struct{ Name, Namespace string }
		Status   struct{ Phase string }
	}
}

// pods are the names of the running ones that a selector matches.
func (s *Stage) pods(ctx context.Context, who Who, space, selector string) ([]string, error) {
	answer, err := s.call(ctx, who, "GET /api/v1/namespaces/"+space+"/pods?labelSelector="+selector)
	if err != nil {
		return nil, err
	}
	var list podList
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, fmt.Errorf("read pods: %w", err)
	}
	var names []string
	for _, p := range list.Items {
		if p.Status.Phase == "Running" {
			names = append(names, p.Metadata.Name)
		}
	}
	return names, nil
}

// exec runs a command as kubectl does. It runs on this machine: harmless ones only.
func (s *Stage) exec(ctx context.Context, who Who, space, pod string, command ...string) error {
	config, err := s.config(who)
	if err != nil {
		return err
	}
	query := url.Values{"command": command, "stdout": {"true"}, "stderr": {"true"}}
	at := s.cluster.Server + "/api/v1/namespaces/" + space + "/pods/" + pod + "/exec?" + query.Encode()
	run, err := remotecommand.NewWebSocketExecutor(config, "GET", at)
	if err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: nothing{}, Stderr: nothing{}}); err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	return nil
}

// nothing takes what a command says.
type nothing struct{}

// Write drops it.
func (nothing) Write(p []byte) (int, error) { return len(p), nil }
