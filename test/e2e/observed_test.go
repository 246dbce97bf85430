package e2e

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/evidence"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// TestCasesObserved puts the findings of all cases of the shipped playbooks
// through every shipped playbook, whatever it is for, and through one for each
// kind of action of the catalogue, in mode observe on the real API server as
// cluster-admin: its audit log has dry runs, and no write that is stored.
func TestCasesObserved(t *testing.T) {
	client := admin(t)
	c := observer(t, client)
	user, err := c.Who(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cache := kube.NewCache(c)
	control := &hands{}
	x := &respond.Executor{
		Deps: action.Deps{
			Cluster: cache, Logger: slog.New(slog.DiscardHandler), Evidence: &evidence.Store{Blobs: evidence.Directory(t.TempDir())},
		},
		Recent: kube.Recent{Cache: cache}, Preview: cache,
		Guards: guard.New(guard.Options{Control: control, Cluster: kube.Recent{Cache: cache}, Limits: guard.Unlimited()}),
	}
	own := namespace(t, client)
	books, targets := observedBooks(t), caseTargets(t, client, own)
	objects := slices.DeleteFunc(slices.Clone(targets), func(r event.Ref) bool { return r.Name == "" || !r.IsPod() && !r.IsNode() })
	before := looks(t, client, objects)
	states := map[event.RunState]int{}
	for i, book := range books {
		for j, target := range targets {
			run := begin(t, x, book, target, i*len(targets)+j)
			run.Mode = event.ModeObserve
			run = drive(t.Context(), x, book, run, 60, time.Time{})
			states[run.State]++
		}
	}
	if states[event.RunObserved] < len(books) {
		t.Errorf("runs are %v", states)
	}
	stored, dry := writes(t, plane(t).AuditLog, user)
	if len(stored) > 0 || dry < 20 {
		t.Errorf("%d dry runs, and stored were %q", dry, stored)
	}
	if d := cmp.Diff(before, looks(t, client, objects)); d != "" {
		t.Errorf("the objects are not as before: %s", d)
	}
	t.Logf("%d playbooks, %d objects of findings, runs %v: %d writes stored, %d dry runs", len(books), len(targets), states, len(stored), dry)
}

// observer is a client of a service account that may do everything.
func observer(t *testing.T, client kubernetes.Interface) *kube.Client {
	t.Helper()
	c := responder(t, client, nil)
	who, err := c.Who(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	as(t, who) // cluster-admin
	return c
}

// observedBooks are the shipped playbooks, and one for each kind of action.
func observedBooks(t *testing.T) (all []*respond.Playbook) {
	t.Helper()
	paths, err := filepath.Glob("../../playbooks/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.yaml") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		book, err := playbook(t, string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, book)
	}
	shipped := len(all)
	for _, k := range action.Kinds() {
		with := "{}"
		if k.Example != nil {
			data, err := json.Marshal(k.Example())
			if err != nil {
				t.Fatal(err)
			}
			with = string(data)
		}
		undo := ""
		if k.Reversible {
			undo = ", undo_after: 1h"
		}
		if k.Class == action.Effect {
			undo += ", approve: {need: 1}"
		}
		// What destroys needs evidence first.
		book, err := playbook(t, fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: try}
spec:
  when: 'true'
  mode: act
  steps:
    - {name: keep, action: pod.logs, on_failure: continue}
    - {name: try, action: %s, with: %s%s}
`, k.Name, with, undo))
		if err != nil {
			t.Errorf("no playbook with %s as in its example: %v", k.Name, err)
			continue
		}
		all = append(all, book)
	}
	if shipped < 5 {
		t.Errorf("%d playbooks are shipped", shipped)
	}
	return all
}

// caseTargets are what the cases' findings are about, each once, as real objects:
// pods of protected namespaces are one there, all others are in ours.
func caseTargets(t *testing.T, client kubernetes.Interface, own string) (targets []event.Ref) {
	t.Helper()
	paths, err := filepath.Glob("../../playbooks/*_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	made, known, findings := map[string]bool{}, map[string]bool{}, 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Cases []struct {
				Findings []struct{ Subject event.Ref }
			}
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range file.Cases {
			for _, f := range c.Findings {
				ref := f.Subject
				switch {
				case ref.IsNode():
					ref.Name = plane(t).Nodes[len(plane(t).Nodes)-1]
				case ref.IsPod() && slices.Contains(guard.ProtectedNamespaces(), ref.Namespace):
					ref.Namespace, ref.Name = "kube-system", "observed-"+own
				case ref.IsPod():
					ref.Namespace = own
				}
				if key := ref.Namespace + "/" + ref.Name; ref.IsPod() && ref.Name != "" && !made[key] {
					made[key] = true
					barePod(t, client, ref.Namespace, ref.Name, nil)
				}
				ref.UID, ref.Node, ref.ContainerID = "", "", ""
				if findings++; !known[ref.String()] {
					known[ref.String()] = true
					targets = append(targets, ref)
				}
			}
		}
	}
	if findings < 20 || len(targets) < 5 {
		t.Errorf("the cases have %d findings about %d objects", findings, len(targets))
	}
	return targets
}
