package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// KubernetesEvents is the kind that writes Kubernetes Events, and the name of
// the one receiver of it, which is there without being configured.
const KubernetesEvents = "kubernetes-event"

func init() {
	register(Kind{
		Name: KubernetesEvents,
		Doc: "Writes Kubernetes Events, for steps of notify.event. There is one, under this name, without being configured. " +
			"An Event has one name a step, so it is written once.",
		Config: func() any { return new(EventsConfig) },
		New: made(KubernetesEvents, func(d Deps, _ EventsConfig) (Notifier, error) {
			return kubernetesEvents{d.Cluster}, nil
		}),
	})
}

// EventsConfig are the parameters of the kind kubernetes-event: there are none.
type EventsConfig struct{}

type kubernetesEvents struct{ cluster Cluster }

// Send creates the Event; one that is there already is this one.
func (k kubernetesEvents) Send(ctx context.Context, m Message) error {
	if k.cluster == nil {
		return errors.New("there is no cluster")
	}
	var w event.Write
	if err := json.Unmarshal(m.Body, &w); err != nil {
		return &Refused{fmt.Errorf("it is no Event: %w", err)}
	}
	if w.Verb != "create" || w.Group != "events.k8s.io" || w.Resource != "events" {
		return &Refused{errors.New("it is no Event")}
	}
	_, _, err := k.cluster.Apply(ctx, w, kube.ApplyOptions{})
	switch {
	case err == nil, errors.Is(err, kube.ErrExists):
		return nil
	case errors.Is(err, kube.ErrNotFound):
		return &Refused{err} // its namespace is gone
	}
	return err
}

// Events is the receiver that writes Events to a cluster, nil for none. Events
// are for who looks on, and matter for an hour, as long as the API server keeps
// them.
func Events(c Cluster) *Receiver {
	return &Receiver{
		Name: KubernetesEvents, Kind: KubernetesEvents, Notifier: kubernetesEvents{c},
		Limits: Limits{Parallel: 8, Rate: 1200, Burst: 200, Expire: time.Hour},
	}
}
