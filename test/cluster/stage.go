package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"time"

	node "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	lease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	"sigs.k8s.io/yaml"
)

//go:embed pod-stages.yaml
var podStages string

// writeKwokConfig writes kwok.yaml, how nodes and pods come up and what exec and logs do, and
// pod.log, which every pod shows as its log.
func writeKwokConfig(l layout) error {
	target := func(kind string, spec map[string]any) (string, error) {
		data, err := yaml.Marshal(map[string]any{
			"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": map[string]any{"name": "all"}, "spec": spec,
		})
		return string(data), err
	}
	exec, err := target("ClusterExec", map[string]any{
		"execs": []any{map[string]any{"local": map[string]any{"workDir": l.at("exec")}}}})
	if err != nil {
		return fmt.Errorf("write kwok configuration: %w", err)
	}
	logs, err := target("ClusterLogs", map[string]any{
		"logs": []any{map[string]any{"logsFile": l.at("pod.log")}}})
	if err != nil {
		return fmt.Errorf("write kwok configuration: %w", err)
	}
	all := strings.Join([]string{node.DefaultNodeInit, lease.DefaultNodeHeartbeatWithLease, podStages, exec, logs}, "\n---\n")
	if err := os.WriteFile(l.at("kwok.yaml"), []byte(all), 0o600); err != nil {
		return fmt.Errorf("write kwok configuration: %w", err)
	}
	line := time.Now().UTC().Format(time.RFC3339Nano) + " stdout F started\n"
	if err := os.WriteFile(l.at("pod.log"), []byte(line), 0o600); err != nil {
		return fmt.Errorf("write pod log: %w", err)
	}
	return nil
}
