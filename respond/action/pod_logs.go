package action

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

const podLogs = "pod.logs"

func init() {
	register(Kind{
		Name:     podLogs,
		Doc:      "Keeps the logs of a pod's containers in the object store, as they are. It changes nothing in the cluster.",
		Class:    Keep,
		OptIn:    true,
		Evidence: true,
		Targets:  []string{"pods"},
		Config:   func() any { return new(LogsConfig) },
		Check:    func(config any) error { return checked(podLogs, config, LogsConfig.check) },
		Needs: []Permission{
			{Resource: "pods", Verbs: []string{"get"}},
			{Resource: "pods/log", Verbs: []string{"get"}},
		},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[LogsConfig](podLogs, config)
			if err != nil {
				return nil, err
			}
			return logs{capturing{d, podLogs}, *c}, c.check()
		},
	})
}

// LogsConfig are the parameters of pod.logs.
type LogsConfig struct {
	// Container is whose log; empty is all containers.
	Container string `yaml:"container" json:"container,omitempty"`
	// Previous is the log of before the last restart.
	Previous bool `yaml:"previous" json:"previous,omitempty"`
	// Lines is how many from the end; 0 is all.
	Lines int64 `yaml:"lines" json:"lines,omitempty"`
	// MaxBytes bounds each log; 0 is 16 MiB.
	MaxBytes int64 `yaml:"max_bytes" json:"max_bytes,omitempty"`
}

func (c LogsConfig) check() error {
	if c.Lines < 0 {
		return fmt.Errorf("%s: lines is not negative", podLogs)
	}
	return checkMost(podLogs, c.MaxBytes)
}

type logs struct {
	capturing
	config LogsConfig
}

func (l logs) containers(pod *corev1.Pod) []string {
	if l.config.Container != "" {
		return []string{l.config.Container}
	}
	var names []string
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range list {
			names = append(names, c.Name)
		}
	}
	return names
}

// Plan lists no write.
func (l logs) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, p, err := l.planned(ctx, r, l.config.Container)
	if err != nil {
		return p, err
	}
	p.Summary = fmt.Sprintf("keep the logs of %s: %v", r.Target, l.containers(pod))
	return p, nil
}

// Do reads and keeps one log after the other.
func (l logs) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(podLogs, r, p); err != nil {
		return event.Receipt{}, err
	}
	if _, err := l.store(r.Target); err != nil {
		return event.Receipt{}, err
	}
	pod, err := readPod(ctx, l.Deps, r.Target)
	if err != nil {
		return event.Receipt{}, err
	}
	var list []evidence.Object
	for _, name := range l.containers(pod) {
		o, err := l.keep(ctx, r, logFile(name), mostOr(l.config.MaxBytes), func(ctx context.Context, w io.Writer) error {
			from, err := l.Cluster.Logs(ctx, r.Target.Namespace, r.Target.Name, kube.LogOptions{
				Container: name, Previous: l.config.Previous, Tail: l.config.Lines, Times: true,
			})
			if err != nil {
				return err
			}
			defer from.Close()
			_, err = io.Copy(w, from)
			return err
		})
		if err != nil {
			return event.Receipt{}, err
		}
		list = append(list, o)
	}
	return kept(r, p, list), nil
}

func logFile(container string) string { return "log-" + container + ".txt" }

// Verify looks whether the logs are in the store.
func (l logs) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	pod, err := readPod(ctx, l.Deps, r.Target)
	if err != nil {
		return done, err
	}
	var files []string
	for _, name := range l.containers(pod) {
		files = append(files, logFile(name))
	}
	return l.verify(ctx, r, done, files)
}
