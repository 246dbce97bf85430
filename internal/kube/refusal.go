package kube

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// maxRefusal bounds what is told of a refusal, in bytes.
const maxRefusal = 500

// Refusal is what a controller was told when it last could not make a pod of a
// name: it says so in an Event of the namespace, which the API server keeps for an
// hour. It is empty where no Event says so. Of what is refused to a ReplicaSet the
// pod has no name yet. The error is one of the package's; it takes list on events.
func (c *Client) Refusal(ctx context.Context, namespace, pod string) (string, error) {
	list, err := c.typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("reason", "FailedCreate").String()})
	if err != nil {
		return "", request{"list", "", "events", namespace, ""}.fail(err)
	}
	said, last := "", time.Time{}
	for i := range list.Items {
		e := &list.Items[i]
		if at := seen(e); strings.Contains(e.Message, " Pod "+pod+" ") && !at.Before(last) {
			said, last = e.Message, at
		}
	}
	if len(said) > maxRefusal {
		said = strings.ToValidUTF8(said[:maxRefusal], "") + "…"
	}
	return said, nil
}

// seen is when an Event was last seen.
func seen(e *corev1.Event) time.Time {
	at := e.CreationTimestamp.Time
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time} {
		if t.After(at) {
			at = t
		}
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at
}
