package action

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The keys that Firebreak writes to objects: the hold is a label and an
// annotation of pods, the others annotations. HeldKey is a label by which the
// objects of the others are found, with the value HeldYes.
const (
	HoldKey  = event.AnnotationPrefix + "hold"
	HeldKey  = event.AnnotationPrefix + "held"
	HeldYes  = "yes"
	LabelKey = event.AnnotationPrefix + "label"
)

// HoldQuarantine is the value of the hold label.
const HoldQuarantine = "quarantine"

// Holder is one run step that holds an object.
type Holder struct {
	// Until is when the hold ends; zero has no end of its own.
	Until time.Time `json:"until,omitzero"`
	// Digest is that of the plan.
	Digest string `json:"digest,omitempty"`
	// Cut says that the pod's own node is kept out, too.
	Cut bool `json:"cut,omitempty"`
	// Action is the kind of step, where the record does not say it by itself.
	Action string `json:"action,omitempty"`
}

// Holders are the steps (RUN/STEP) that hold an object. The last one that
// leaves restores it.
type Holders map[string]Holder

// others lists the holders except key, sorted.
func (h Holders) others(key string) []string {
	var keys []string
	for k := range h {
		if k != key {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// cut says whether any of them keeps the pod's own node out.
func (h Holders) cut() bool {
	for _, x := range h {
		if x.Cut {
			return true
		}
	}
	return false
}

// with is the set and key in it.
func (h Holders) with(key string, x Holder) Holders {
	c := maps.Clone(h)
	if c == nil {
		c = Holders{}
	}
	c[key] = x
	return c
}

// without is the set and key not in it.
func (h Holders) without(key string) Holders {
	c := maps.Clone(h)
	delete(c, key)
	return c
}

// until is the set with another end for key.
func (h Holders) until(key string, end time.Time) Holders {
	x := h[key]
	x.Until = end
	return h.with(key, x)
}

// quarantineRecord is the annotation of a quarantined pod: what it takes to
// end the hold with nothing but the cluster.
type quarantineRecord struct {
	// Labels are the pod's own that were taken off.
	Labels map[string]string `json:"labels"`
	Runs   Holders           `json:"runs"`
}

// parseQuarantine reads the record of a pod. Whoever may patch the pod may
// have changed it, so labels that no API server would take make it an error.
func parseQuarantine(annotations map[string]string) (rec quarantineRecord, found bool, err error) {
	text, found := annotations[HoldKey]
	if !found {
		return rec, false, nil
	}
	if err := json.Unmarshal([]byte(text), &rec); err != nil {
		return quarantineRecord{}, true, fmt.Errorf("decode annotation %s: %w", HoldKey, err)
	}
	for k, v := range rec.Labels {
		if err := checkLabel(k, v); err != nil {
			return quarantineRecord{}, true, fmt.Errorf("annotation %s: %w", HoldKey, err)
		}
	}
	return rec, true, nil
}

// checkLabel says what is wrong with a label.
func checkLabel(key, value string) error {
	if problems := content.IsLabelKey(key); len(problems) > 0 {
		return fmt.Errorf("label %q: %s", key, problems[0])
	}
	if problems := content.IsLabelValue(value); len(problems) > 0 {
		return fmt.Errorf("label %s: value %q: %s", key, value, problems[0])
	}
	return nil
}

// heldOtherwise says whether an object has a record of holds besides the one of
// this annotation, so that the label stays by which it is found.
func heldOtherwise(annotations map[string]string, except string) bool {
	for _, key := range []string{LabelKey, FieldsKey} {
		if _, ok := annotations[key]; ok && key != except {
			return true
		}
	}
	return false
}
