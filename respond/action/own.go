package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// What an object that Firebreak made says of itself, in annotations: the step
// that made it (RUN/STEP), the kind of action, the UID of what the step is
// about, and when it is to go.
const (
	RunKey    = event.AnnotationPrefix + "run"
	ActionKey = event.AnnotationPrefix + "action"
	TargetKey = event.AnnotationPrefix + "target"
	UntilKey  = event.AnnotationPrefix + "until"
)

// OwnName is what the object is called that a step makes: firebreak- and a hash
// of the effect key, so that doing it again finds it, and no two steps share it.
// part tells several objects of one step apart.
func OwnName(key, part string) string { return ownPrefix + event.HashID("object", key, part) }

const ownPrefix = "firebreak-"

// own is an object that a step makes for itself. It is never made over what is
// there, and taken away only while it is as it was made.
type own struct {
	Resource
	Kind, Namespace string
	// Part tells several objects of one step apart; mostly empty.
	Part string
	// Body are the fields besides apiVersion, kind and metadata.
	Body object
	// Labels are added to those that every object has, Annotations likewise.
	Labels, Annotations map[string]string
}

// write is the create of the object. The digest of a plan leaves out what the
// annotations say, so that it does not change with the time.
func (o own) write(action string, r Request) (event.Write, error) {
	labels := object{kube.ManagedByLabel: kube.ManagedBy, "app.kubernetes.io/name": "firebreak", HeldKey: HeldYes}
	for k, v := range o.Labels {
		labels[k] = v
	}
	notes := object{RunKey: r.Key, ActionKey: action, TargetKey: r.Target.UID}
	if !r.Until.IsZero() {
		notes[UntilKey] = r.Until.UTC().Format(time.RFC3339)
	}
	for k, v := range o.Annotations {
		notes[k] = v
	}
	meta := object{"name": OwnName(r.Key, o.Part), "labels": labels, "annotations": notes}
	if o.Namespace != "" {
		meta["namespace"] = o.Namespace
	}
	version := o.Version
	if o.Group != "" {
		version = o.Group + "/" + o.Version
	}
	body := maps.Clone(o.Body)
	if body == nil {
		body = object{}
	}
	body["apiVersion"], body["kind"], body["metadata"] = version, o.Kind, meta
	w := o.Resource.write("create", o.Namespace, OwnName(r.Key, o.Part))
	var err error
	w.Body, err = encode(body)
	return w, err
}

// makeOwn sends the create of an own object, or finds that it was sent before.
// What has the name and is not this step's is [ErrForeign].
func makeOwn(ctx context.Context, c Cluster, key string, w event.Write) error {
	_, _, err := c.Apply(ctx, w, kube.ApplyOptions{})
	if !errors.Is(err, kube.ErrExists) {
		return err
	}
	_, err = readOwn(ctx, c, key, w)
	return err
}

// readOwn reads the object that a step made by this write.
func readOwn(ctx context.Context, c Cluster, key string, w event.Write) (*unstructured.Unstructured, error) {
	found, err := c.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
	if err != nil {
		return nil, err
	}
	if !ownedBy(found, key) {
		return nil, fmt.Errorf("%s %s/%s %w", w.Resource, w.Namespace, w.Name, ErrForeign)
	}
	return found, nil
}

func ownedBy(o *unstructured.Unstructured, key string) bool {
	return strings.HasPrefix(o.GetName(), ownPrefix) && o.GetLabels()[kube.ManagedByLabel] == kube.ManagedBy && o.GetAnnotations()[RunKey] == key
}

// removeOwn takes an own object away. One that is gone is done; one that is not
// this step's stays. Who else changed it is given as an [ErrDiffers], unless
// people said that it is to end all the same.
func removeOwn(ctx context.Context, c Cluster, r Request, at Resource, namespace, name string) (notes []string, err error) {
	for range attempts {
		found, err := c.Get(ctx, at.Group, at.Version, at.Resource, namespace, name)
		if errors.Is(err, kube.ErrNotFound) || err == nil && found.GetDeletionTimestamp() != nil {
			return notes, nil
		}
		if err != nil {
			return nil, err
		}
		if !ownedBy(found, r.Key) {
			return []string{fmt.Sprintf("%s %s/%s is not this step's and stays", at.Resource, namespace, name)}, nil
		}
		if others := editors(found); len(others) > 0 {
			notes = []string{fmt.Sprintf("%s %s was changed by %s", at.Resource, name, strings.Join(others, ", "))}
			if !r.Over {
				return nil, differs(r.Target, notes)
			}
		}
		_, _, err = c.Apply(ctx, at.on("delete", found), kube.ApplyOptions{})
		if !lost(err) {
			return notes, err
		}
	}
	return nil, fmt.Errorf("delete %s %s/%s: %w", at.Resource, namespace, name, ErrConflict)
}

// editors are who besides Firebreak manages fields of an object, by what the API
// server has noted. What controllers say of it in its status does not count.
func editors(o *unstructured.Unstructured) []string {
	var names []string
	for _, m := range o.GetManagedFields() {
		if m.Manager != kube.FieldManager && m.Subresource == "" {
			names = append(names, m.Manager)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// differing says where an own object is not as it was made: fields that the body
// of its write has and that are another value now. What the API server added is
// no difference.
func differing(made, now any, at string) []string {
	if list, ok := made.([]any); ok {
		return differingList(list, now, at)
	}
	wanted, ok := made.(map[string]any)
	if !ok {
		// The API server leaves out a text that is empty.
		if !equalJSON(made, now) && !(made == "" && now == nil) {
			return []string{at}
		}
		return nil
	}
	found, _ := now.(map[string]any)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(wanted)) {
		out = append(out, differing(wanted[k], found[k], at+"/"+k)...)
	}
	return out
}

// differingList is differing for lists: element by element.
func differingList(made []any, now any, at string) []string {
	found, ok := now.([]any)
	if !ok && len(made) > 0 || len(found) != len(made) {
		return []string{at}
	}
	var out []string
	for i := range made {
		out = append(out, differing(made[i], found[i], fmt.Sprintf("%s/%d", at, i))...)
	}
	return out
}
