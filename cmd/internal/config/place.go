package config

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// Guarded is what the config says to the guards: their numbers, and what is never
// touched besides what never is.
func (c *Config) Guarded() guard.Options {
	o := guard.Options{Limits: c.Respond.Guards, Namespaces: slices.Clone(c.Respond.Protected.Namespaces), Nodes: c.Respond.Protected.Nodes}
	// NATS in the cluster: without it no hold would end.
	if u, err := url.Parse(c.NATS.URL); err == nil {
		if parts := strings.Split(u.Hostname(), "."); len(parts) > 2 && parts[2] == "svc" {
			o.Namespaces = append(o.Namespaces, parts[1])
		}
	}
	return o
}

// JobTemplates reads the Jobs that steps may run, by name.
func (c *Config) JobTemplates() (map[string]action.JobTemplate, error) {
	jobs := map[string]action.JobTemplate{}
	for _, j := range c.Functions.Jobs {
		text, err := os.ReadFile(c.Path(j.Template))
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", j.Name, err)
		}
		spec, err := kube.DecodeJobSpec(text)
		if err != nil {
			return nil, fmt.Errorf("job %s: %s: %w", j.Name, j.Template, err)
		}
		jobs[j.Name] = action.JobTemplate{Namespace: j.Namespace, Spec: spec}
	}
	return jobs, nil
}
