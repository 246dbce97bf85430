//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// The settings of a responder.
const (
	kubeVar  = "FIREBREAK_TORTURE_KUBECONFIG"
	booksVar = "FIREBREAK_TORTURE_BOOKS"
)

// holdFor is how long the playbooks of these tests hold.
const holdFor = 3 * time.Second

// runBooks act at once on one rule, and ask people on another.
const runBooks = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: contain}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - name: label
      action: pod.label
      with: {labels: {suspect: "yes"}}
      undo_after: 3s
      timeout: 5s
    - name: isolate
      action: pod.quarantine
      undo_after: 3s
      at_end: restore
      timeout: 5s
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: ask}
spec:
  when: finding.rule == "ask"
  mode: ask
  steps:
    - name: label
      action: pod.label
      with: {labels: {suspect: "yes"}}
      undo_after: 3s
      timeout: 5s
`

// responder is a responder as the service runs it, with nothing but its store and its cluster, both of
// which it reaches through the tests.
func responder() error {
	ctx := context.Background()
	data, err := os.ReadFile(os.Getenv(booksVar))
	if err != nil {
		return err
	}
	docs, err := conf.Documents("books.yaml", data)
	if err != nil {
		return err
	}
	var books []*respond.Playbook
	for _, doc := range docs {
		book, err := respond.ParsePlaybook(doc)
		if err != nil {
			return err
		}
		books = append(books, book)
	}
	client, err := kube.New(kube.Options{Kubeconfig: os.Getenv(kubeVar), QPS: 500, Burst: 1000})
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cluster := kube.NewCache(client)
	for {
		b, err := bus.Open(ctx, bus.Options{URL: os.Getenv(urlVar), Replicas: 1, Name: "respond", Logger: logger})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			shortly(time.Second)
			continue
		}
		control := respond.NewControl(b, event.ModeAct)
		worker, err := respond.NewWorker(ctx, respond.WorkerOptions{
			Bus: b, Books: books, Control: control, Telemetry: telemetry.Nop(), Logger: logger,
			Reconcile: 2 * time.Second, Orphan: 10 * time.Second,
			Executor: &respond.Executor{
				Deps: action.Deps{Cluster: cluster, Logger: logger}, Recent: kube.Recent{Cache: cluster},
				Guards: guard.New(guard.Options{Control: control, Cluster: kube.Recent{Cache: cluster}}),
			},
		})
		if err != nil {
			return err
		}
		return errors.Join(worker.Run(ctx), errors.New("it ended by itself"))
	}
}
