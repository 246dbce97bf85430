package kube

import (
	"context"
	"errors"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// PausedAnnotation pauses Firebreak when it is on its ConfigMap, whatever else
// is down; the value says why, and "false" or an empty one is none.
const PausedAnnotation = event.AnnotationPrefix + "paused"

// Switch reads the annotation of one ConfigMap. It may be used concurrently.
type Switch struct {
	client          *Client
	namespace, name string

	mu     sync.Mutex
	at     time.Time
	paused bool
	why    string
	err    error
}

const (
	// switchFor is how old what is known of the annotation may be. With what
	// comes after it stays well under the second that a pause may take.
	switchFor = 250 * time.Millisecond
	// switchWait is how long the API server has to answer.
	switchWait = 2 * time.Second
)

// NewSwitch reads the annotation of a ConfigMap.
func NewSwitch(c *Client, namespace, name string) *Switch {
	return &Switch{client: c, namespace: namespace, name: name}
}

// Paused says whether the annotation is there, and its value. A ConfigMap that
// does not exist pauses nothing; an error says that it can't be told, which
// counts as paused.
func (s *Switch) Paused(ctx context.Context) (paused bool, why string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < switchFor {
		return s.paused, s.why, s.err
	}
	bounded, cancel := context.WithTimeout(ctx, switchWait)
	defer cancel()
	at := time.Now() // the answer is as old as the question
	value, err := s.read(bounded)
	if ctx.Err() != nil {
		return false, "", ctx.Err() // which says nothing to others
	}
	s.at, s.err = at, err
	if err != nil {
		s.at = time.Now() // nobody waits for the same silence again at once
	}
	s.paused, s.why = value != "" && value != "false", value
	return s.paused, s.why, s.err
}

func (s *Switch) read(ctx context.Context) (string, error) {
	found, err := s.client.typed.CoreV1().ConfigMaps(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	err = request{"get", "", "configmaps", s.namespace, s.name}.fail(err)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	const most = 200 // it is shown with every step that waits
	value := found.Annotations[PausedAnnotation]
	return value[:min(len(value), most)], nil
}
