package controlplane

import (
	"io"
	"path/filepath"
	"strconv"
	"time"
)

// Options say what cluster to start. The zero value is one with three workers, an admin and no
// audit webhook, in a temporary directory.
type Options struct {
	// Nodes is the number of workers; a node of the control plane comes besides.
	Nodes int
	// Users to make besides admin, each name[:group,group]. RBAC gives them nothing at first.
	Users []string
	// AuditWebhook is a kubeconfig file of the server that gets the audit events.
	AuditWebhook string
	// AuditBackoff is the wait before the API server sends a batch again; it grows by half each
	// time, and after the fifth attempt the batch is dropped. Default 2 s: about 16 s in all.
	AuditBackoff time.Duration
	// AuditPolicy is a file; without it a built-in policy holds.
	AuditPolicy string
	// FeatureGates and RuntimeConfig go to the API server: "A=true,B=false", "group/version=true".
	FeatureGates, RuntimeConfig string
	// Dir to work in, empty or new. It is kept; without it a temporary one is made and removed.
	Dir string
	// Keep leaves the temporary directory in place.
	Keep bool
	// Log gets a few lines about the build; without it they are dropped.
	Log io.Writer
}

// args are the options as flags of the cluster binary.
func (o Options) args() []string {
	args := []string{"up", "--stop-on-stdin-close"}
	add := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	if o.Nodes > 0 {
		add("nodes", strconv.Itoa(o.Nodes))
	}
	for _, user := range o.Users {
		add("user", user)
	}
	add("audit-webhook-config", absolute(o.AuditWebhook))
	if o.AuditBackoff > 0 {
		add("audit-webhook-initial-backoff", o.AuditBackoff.String())
	}
	add("audit-policy", absolute(o.AuditPolicy))
	add("feature-gates", o.FeatureGates)
	add("runtime-config", o.RuntimeConfig)
	add("dir", o.Dir)
	if o.Keep {
		args = append(args, "--keep")
	}
	return args
}

// absolute makes a path mean the same to the API server, which works in a directory of its own.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
