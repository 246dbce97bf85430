package action

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

const podAnnotate = "pod.annotate"

func init() {
	register(Kind{
		Name: podAnnotate,
		Doc: "Sets annotations on a pod, for people and for what reads them. " +
			"The end of the hold puts back what was there, where the value is still Firebreak's.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Targets:    []string{"pods"},
		Fields:     []string{"/metadata/annotations"},
		Config:     func() any { return new(AnnotateConfig) },
		Example:    func() any { return &AnnotateConfig{Annotations: map[string]string{"security.example/case": "4711"}} },
		Check:      func(config any) error { return checked(podAnnotate, config, AnnotateConfig.check) },
		Needs:      []Permission{{Resource: "pods", Verbs: []string{"get", "list", "patch"}}},
		Admits:     []Admit{{Resource: "pods", Operation: "UPDATE", Expression: admitAnnotations}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[AnnotateConfig](podAnnotate, config)
			if err != nil {
				return nil, err
			}
			notes := maps.Clone(c.Annotations)
			return fields{Deps: d, action: podAnnotate, at: []Resource{{"", "v1", "pods"}}, want: annotations(notes)}, c.check()
		},
	})
}

// AnnotateConfig are the parameters of pod.annotate.
type AnnotateConfig struct {
	// Annotations are the keys and values to set. Keys of Firebreak's own prefix
	// and those that the cluster itself reads (kubernetes.io, k8s.io) are
	// refused.
	Annotations map[string]string `yaml:"annotations" json:"annotations"`
}

// maxAnnotation bounds one value: the API server takes 256 KiB of all together.
const maxAnnotation = 4 << 10

func (c AnnotateConfig) check() error {
	if len(c.Annotations) == 0 {
		return fmt.Errorf("%s: no annotations", podAnnotate)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Annotations)) {
		if err := checkLabel(k, ""); err != nil {
			return fmt.Errorf("%s: %w", podAnnotate, err)
		}
		domain, _, _ := strings.Cut(k, "/")
		switch {
		case strings.HasPrefix(k, event.AnnotationPrefix):
			return fmt.Errorf("%s: annotation %s: the prefix is Firebreak's own", podAnnotate, k)
		case strings.Contains(k, "/") && (strings.HasSuffix("."+domain, ".kubernetes.io") || strings.HasSuffix("."+domain, ".k8s.io")):
			return fmt.Errorf("%s: annotation %s: the cluster itself reads it", podAnnotate, k)
		case len(c.Annotations[k]) > maxAnnotation:
			return fmt.Errorf("%s: annotation %s has more than %d bytes", podAnnotate, k, maxAnnotation)
		}
	}
	return nil
}

// PolicyKeys are the annotations.
func (c AnnotateConfig) PolicyKeys() (labels, annotations []string) {
	return nil, slices.Sorted(maps.Keys(c.Annotations))
}

// annotations are the fields of those annotations.
func annotations(notes map[string]string) func(context.Context, Request, *unstructured.Unstructured) ([]field, string, []string, error) {
	return func(_ context.Context, r Request, _ *unstructured.Unstructured) ([]field, string, []string, error) {
		var list []field
		keys := slices.Sorted(maps.Keys(notes))
		for _, k := range keys {
			list = append(list, field{Path: []string{"metadata", "annotations", k}, Value: notes[k]})
		}
		return list, fmt.Sprintf("annotate %s: set %s", r.Target, strings.Join(keys, ", ")), nil, nil
	}
}
