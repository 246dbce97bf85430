// Package record makes audit logs of a real control plane while a script of requests runs: of a
// cluster at work, and of an attack on it. Tests of rules and models read what it recorded.
package record

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/test/controlplane"
)

//go:embed audit-policy.yaml
var auditPolicy []byte

// Options say what to record.
type Options struct {
	// Benign is how long the cluster works before anything else, Calm how long after an attack.
	Benign, Calm time.Duration
	// Attack says that the attack comes after Benign, while the cluster goes on working.
	Attack bool
	// Pace is the pause between two acts of the attack.
	Pace time.Duration
	// Dir gets audit.ndjson and acts.json; it must exist.
	Dir string
	// Log gets a line for each act; without it they are dropped.
	Log io.Writer
}

// Mark says when an act was done. The events of others lie between From and Until, too.
type Mark struct {
	Act string `json:"act"`
	// By is the name that the act's requests stand under in the audit log.
	By    string    `json:"by,omitempty"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Err is what the API server said in the end, for acts that it stops.
	Err string `json:"err,omitempty"`
}

// Record starts a control plane, lets the scripts run on it and writes what its audit log says. The
// error names the act that did not come through.
func Record(ctx context.Context, o Options) (err error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	policy := filepath.Join(o.Dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, auditPolicy, 0o600); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(policy)) }()
	cluster, err := controlplane.Start(ctx, controlplane.Options{Nodes: 3, Users: users(), AuditPolicy: policy, Log: o.Log})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	s, err := newStage(cluster, o.Log)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := s.play(ctx, o); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return s.save(o.Dir)
}

// play runs the scripts.
func (s *Stage) play(ctx context.Context, o Options) error {
	if err := s.setUp(ctx); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.work(work) }()
	finish := func(err error) error {
		stop()
		return errors.Join(err, <-done)
	}
	if err := pause(ctx, o.Benign); err != nil {
		return finish(err)
	}
	if o.Attack {
		for _, act := range Attack() {
			if err := errors.Join(s.do(ctx, act), pause(ctx, o.Pace)); err != nil {
				return finish(err)
			}
		}
		if err := pause(ctx, o.Calm); err != nil {
			return finish(err)
		}
	}
	return finish(nil)
}

// do does one act and notes when.
func (s *Stage) do(ctx context.Context, act Act) error {
	m := Mark{Act: act.Name, By: act.By, From: time.Now().UTC()}
	err := act.do(ctx, s)
	if m.Until = time.Now().UTC(); err != nil {
		if !act.stopped {
			return fmt.Errorf("%s: %w", act.Name, err)
		}
		m.Err = err.Error()
	}
	s.mu.Lock()
	s.marks = append(s.marks, m)
	s.mu.Unlock()
	fmt.Fprintf(s.log, "%s %s\n", m.From.Format(time.TimeOnly), act.Name)
	return nil
}

// save writes the recording.
func (s *Stage) save(dir string) error {
	out, err := os.Create(filepath.Join(dir, "audit.ndjson"))
	if err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	if err := gather(out, s.cluster.AuditLog); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := json.MarshalIndent(s.marks, "", "  ")
	if err != nil {
		return fmt.Errorf("write acts: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "acts.json"), append(data, '\n'), 0o600)
}

// gather writes what a log says: that of the files first that it was moved to when
// it was large, oldest first, as their names have the time.
func gather(out io.Writer, log string) error {
	end := filepath.Ext(log)
	moved, err := filepath.Glob(log[:len(log)-len(end)] + "-*T*" + end)
	if err != nil {
		return fmt.Errorf("find audit logs: %w", err)
	}
	slices.Sort(moved)
	for _, name := range append(moved, log) {
		in, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		if _, err := io.Copy(out, in); err != nil {
			return errors.Join(fmt.Errorf("write recording: %w", err), in.Close())
		}
		if err := in.Close(); err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
	}
	return nil
}

// pause waits as long.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
