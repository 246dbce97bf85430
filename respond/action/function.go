package action

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Function is a receiver of the operator's config that a step calls to have
// something done.
type Function struct {
	URL string
	// Secret signs each request as it does those of webhooks; empty sends no
	// signature.
	Secret []byte
	// Client is how it is reached: with a client certificate if there is one,
	// to addresses that it may be at, and without following redirects.
	Client *http.Client
}

// JobTemplate is a Job of the operator's config that a step runs.
type JobTemplate struct {
	// Namespace is where it runs. The admission policy lets it only where the
	// namespace has the label [JobsLabel] with the value true.
	Namespace string
	// Spec is a batch/v1 JobSpec as JSON.
	Spec json.RawMessage
}

// noteNoFunctions is the note of what was planned without the config.
const noteNoFunctions = "the operator's config was not read: whether it has this is not known, and nothing is called or run"

// JobsLabel is a label of namespaces in which Firebreak may run Jobs.
const JobsLabel = event.AnnotationPrefix + "functions"

// The bounds of what is given to a function. It comes of events: it is data for
// whoever gets it, never part of a command or a template.
const (
	maxValues = 32
	maxValue  = 4 << 10
)

// checkValues says what is wrong with values that are given to a function.
func checkValues(kind string, values map[string]string) error {
	if len(values) > maxValues {
		return fmt.Errorf("%s: %d values: %d are the most", kind, len(values), maxValues)
	}
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if !name.MatchString(k) {
			return fmt.Errorf("%s: value %q: a name is of letters, digits and _", kind, cut(k, maxText))
		}
		if len(values[k]) > maxValue {
			return fmt.Errorf("%s: value %s is over %d bytes", kind, k, maxValue)
		}
	}
	return nil
}
