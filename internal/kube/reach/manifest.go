package reach

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// MaxManifest bounds what [Decode] takes, in bytes.
const MaxManifest = 256 << 20

// maxLists bounds lists in lists.
const maxLists = 4

// Decode reads the objects of a cluster from YAML documents or JSON, as kubectl
// get -o yaml writes them, lists among them. Kinds that say nothing about who
// reaches whom are passed over; a document that can't be read is an error.
func Decode(manifest []byte) (State, error) {
	var s State
	if len(manifest) > MaxManifest {
		return s, fmt.Errorf("manifest is longer than %d bytes", MaxManifest)
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, fmt.Errorf("read document %d: %w", n, err)
		}
		text, err := sigsyaml.YAMLToJSON(document)
		if err == nil {
			err = s.add(text, maxLists)
		}
		if err != nil {
			return s, fmt.Errorf("read document %d: %w", n, err)
		}
	}
}

// add puts one object, as JSON, into the state; lists are taken apart.
func (s *State) add(text json.RawMessage, depth int) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if string(text) == "null" {
		return nil
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return err
	}
	if strings.HasSuffix(head.Kind, "List") {
		if depth == 0 {
			return errors.New("lists are nested too deeply")
		}
		for i, item := range head.Items {
			if err := s.add(item, depth-1); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		return nil
	}
	group, _, hasGroup := strings.Cut(head.APIVersion, "/")
	if !hasGroup {
		group = ""
	}
	switch group + "/" + head.Kind {
	case "/Pod":
		return into(text, &s.Pods, func(p *corev1.Pod) *string { return &p.Namespace })
	case "/Namespace":
		return into(text, &s.Namespaces, nil)
	case "/Node":
		return into(text, &s.Nodes, nil)
	case "networking.k8s.io/NetworkPolicy":
		return into(text, &s.NetworkPolicies, func(n *networkingv1.NetworkPolicy) *string { return &n.Namespace })
	}
	if i := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.Kind == head.Kind && sameGroup(k.Group, group) }); i >= 0 {
		k := Kinds()[i]
		o := Object{Group: k.Group, Version: k.Version, Kind: k.Kind, Name: head.Metadata.Name, Body: text}
		if k.Namespaced {
			if o.Namespace = head.Metadata.Namespace; o.Namespace == "" {
				o.Namespace = corev1.NamespaceDefault
			}
		}
		s.Objects = append(s.Objects, o)
	}
	return nil
}

// sameGroup knows that Calico's objects have two.
func sameGroup(want, got string) bool {
	return want == got || want == "crd.projectcalico.org" && got == "projectcalico.org"
}

func into[T any](text json.RawMessage, list *[]T, namespace func(*T) *string) error {
	var x T
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	if namespace != nil && *namespace(&x) == "" {
		*namespace(&x) = corev1.NamespaceDefault
	}
	*list = append(*list, x)
	return nil
}
