package crd

import (
	"strings"
	"testing"

	apiextensions "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Each name leads to the definition of that name.
func TestManifest(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads modules if the cache is cold")
	}
	for _, name := range Names() {
		text, err := Manifest(t.Context(), name)
		if err != nil {
			t.Error(err)
			continue
		}
		var found struct {
			apiextensions.TypeMeta   `json:",inline"`
			apiextensions.ObjectMeta `json:"metadata"`
		}
		if err := yaml.Unmarshal(text, &found); err != nil || found.Kind != "CustomResourceDefinition" || found.Name != name {
			t.Errorf("%s: %s %s %v", name, found.Kind, found.Name, err)
		}
	}
	if _, err := Manifest(t.Context(), "pods.example.com"); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Error(err)
	}
}

// What is not the module that was chosen is not used.
func TestForeignModule(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads a module if the cache is cold")
	}
	m := networkPolicy
	m.sum = adminPolicy.sum
	if _, err := m.download(t.Context()); err == nil || !strings.Contains(err.Error(), "its hash is") {
		t.Error(err)
	}
}
