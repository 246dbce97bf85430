package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Plan is what an action would do: a list of writes and nothing else. It is
// made before anybody is asked, and the executor accepts only what it lists.
type Plan struct {
	Action string `json:"action"`
	// Backend is what carries it out, where an action has a choice of several
	// (networkpolicy, cilium); those fail apart from one another.
	Backend string `json:"backend,omitempty"`
	Target  Ref    `json:"target"`
	// Also are the other objects that are changed, each with its UID: the pods
	// of a node that is drained, the workload of a pod. Guards judge them as they
	// do the target, and a conditional write is about the target or one of them.
	Also []Ref `json:"also,omitempty"`
	// Denies are the identities that it takes rights from: while it stands they
	// decide nothing here either.
	Denies []Identity `json:"denies,omitempty"`
	// Summary is one line for people.
	Summary string `json:"summary"`
	// Writes are sent in order. None means that there is nothing to do.
	Writes []Write `json:"writes,omitempty"`
	// Before is the pre-image that the undo needs, in the action's own form.
	Before json.RawMessage `json:"before,omitempty"`
	// Notes say what is lost, what is not covered, and what leaks.
	Notes      []string `json:"notes,omitempty"`
	Reversible bool     `json:"reversible"`
	// Loss is what the target's surroundings would lose, where a cluster could
	// be asked.
	Loss *Loss `json:"loss,omitempty"`
}

// Loss is what an effect would cost the workload that its target belongs to,
// as it was when the plan was made.
type Loss struct {
	// Endpoints are the Services that would lose the pod as a ready endpoint.
	Endpoints []string `json:"endpoints,omitempty"`
	// Workload is the controller, with Ready pods of Wanted before, and
	// ReadyAfter until a replacement is ready.
	Workload   string `json:"workload,omitempty"`
	Wanted     int    `json:"wanted,omitempty"`
	Ready      int    `json:"ready,omitempty"`
	ReadyAfter int    `json:"ready_after,omitempty"`
	// Replaced says that the controller makes another pod by itself.
	Replaced bool `json:"replaced,omitempty"`
	// Budgets are the PodDisruptionBudgets that count the pod, each with how
	// many disruptions they still allow before.
	Budgets []Headroom `json:"budgets,omitempty"`
	// Of a node: Nodes take new pods before, NodesAfter then; Pods run on it.
	Nodes      int `json:"nodes,omitempty"`
	NodesAfter int `json:"nodes_after,omitempty"`
	Pods       int `json:"pods,omitempty"`
	// Unknown says what of this could not be read, and why.
	Unknown []string `json:"unknown,omitempty"`
}

// Headroom is how many more pods a PodDisruptionBudget lets go.
type Headroom struct {
	Budget  string `json:"budget"`
	Allowed int    `json:"allowed"`
}

// Write is one request that changes the world, as exact as the API takes it.
type Write struct {
	// Verb is create (left alone when an equal object of ours exists), patch
	// (a JSON merge patch), apply (server-side apply, never forced) or delete;
	// post is an HTTP request to a webhook.
	Verb     string `json:"verb"`
	Group    string `json:"group,omitempty"`
	Version  string `json:"version,omitempty"`
	Resource string `json:"resource,omitempty"`
	// Subresource is eviction, scale, ephemeralcontainers, token, exec and so
	// on; of a proxy it is proxy and the path behind it: proxy/checkpoint/a/b/c.
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name"`
	// Manager is the field manager; empty is Firebreak's.
	Manager string `json:"manager,omitempty"`
	// UID and ResourceVersion make a patch or delete conditional. Both are
	// captured when the plan is made.
	UID             string          `json:"uid,omitempty"`
	ResourceVersion string          `json:"resource_version,omitempty"`
	Body            json.RawMessage `json:"body,omitempty"`
}

// Dry says whether the API server can try the write without an effect. It can't
// where it only hands the request on: to a container, a kubelet or a webhook.
func (w Write) Dry() bool {
	first, _, _ := strings.Cut(w.Subresource, "/")
	return w.Verb != "post" && !slices.Contains([]string{"exec", "attach", "portforward", "proxy"}, first)
}

// AnnotationPrefix starts the keys of all labels and annotations that
// Firebreak writes.
const AnnotationPrefix = "firebreak.io/"

// Digest names what the plan does: SHA-256 over its action and writes, in
// hexadecimal. It leaves out the resourceVersion, Firebreak's own annotations
// (they carry times) and the taints by which controllers say how a node is (a
// patch of a list has to repeat them, and cordoning adds one), so that it stays
// the same while the deed stays the same. It returns an error when a body is not JSON.
func (p Plan) Digest() (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	if err := enc.Encode([]string{p.Action, p.Target.String(), p.Target.UID}); err != nil {
		return "", fmt.Errorf("digest plan: %w", err)
	}
	for _, w := range p.Writes {
		w.ResourceVersion = ""
		body, err := stableBody(w)
		if err != nil {
			return "", fmt.Errorf("digest plan: %s %s %s: %w", w.Verb, w.Resource, w.Name, err)
		}
		w.Body = body
		if err := enc.Encode(w); err != nil {
			return "", fmt.Errorf("digest plan: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// nodeTaint begins the keys of the taints that only Kubernetes itself sets, see
// https://kubernetes.io/docs/reference/labels-annotations-taints/.
const nodeTaint = "node.kubernetes.io/"

func stableBody(w Write) (json.RawMessage, error) {
	if len(w.Body) == 0 {
		return nil, nil
	}
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(w.Body))
	dec.UseNumber() // two numbers that are one float64 are two deeds
	if err := dec.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	if meta, ok := object["metadata"].(map[string]any); ok {
		delete(meta, "resourceVersion")
		if notes, ok := meta["annotations"].(map[string]any); ok {
			for k := range notes {
				if strings.HasPrefix(k, AnnotationPrefix) {
					delete(notes, k)
				}
			}
		}
	}
	if spec, ok := object["spec"].(map[string]any); ok && w.Group == "" && w.Resource == "nodes" {
		if taints, ok := spec["taints"].([]any); ok {
			spec["taints"] = slices.DeleteFunc(taints, func(t any) bool {
				taint, _ := t.(map[string]any)
				key, _ := taint["key"].(string)
				return strings.HasPrefix(key, nodeTaint)
			})
		}
	}
	return json.Marshal(object)
}

// Result says how far an effect is known to hold.
type Result string

// The results of a step.
const (
	// ResultApplied: the write was read back; nothing more is claimed.
	ResultApplied Result = "applied"
	// ResultUnverified: the write was read back, but whether it has the
	// effect that was meant is not known (a quarantine without evaluation).
	ResultUnverified Result = "applied-unverified"
	// ResultEnforced: it was tried, and has the effect that was meant.
	ResultEnforced Result = "enforced"
	// ResultVoid: it was tried, and has no effect although it was written (a
	// network plugin that enforces no policies).
	ResultVoid Result = "void"
	// ResultPartial: it has the effect only in part; the notes say where not.
	ResultPartial Result = "partial"
	// ResultNothing: the target was already as wanted.
	ResultNothing Result = "nothing-to-do"
	// ResultQueued: a message is stored, and is sent for as long as it matters;
	// its [Delivery] says how it fared.
	ResultQueued Result = "queued"
	// ResultSent: a message was taken by its receiver.
	ResultSent Result = "sent"
	// ResultUndone and ResultGone: the undo was read back, or its target no
	// longer exists.
	ResultUndone Result = "undone"
	ResultGone   Result = "target-gone"
)

// Receipt is what an action did.
type Receipt struct {
	// Key is RUN/STEP, the effect key that the object carries too.
	Key    string          `json:"key"`
	Result Result          `json:"result"`
	Before json.RawMessage `json:"before,omitempty"`
	Notes  []string        `json:"notes,omitempty"`
	// Output is what the action gives to later steps, which read it as
	// steps.NAME.output.KEY. It is bounded by the action.
	Output map[string]string `json:"output,omitempty"`
	Time   time.Time         `json:"time"`
}
