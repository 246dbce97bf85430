package falco

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TestFields: fields of the plugin's newer versions mean what they say.
func TestFields(t *testing.T) {
	pod := map[string]any{"spec": map[string]any{
		"hostNetwork":         true,
		"containers":          []any{map[string]any{"name": "a", "image": "x/a:1"}},
		"initContainers":      []any{map[string]any{"name": "b", "image": "y/b:2", "securityContext": map[string]any{"privileged": true, "runAsGroup": int64(7)}}},
		"ephemeralContainers": []any{map[string]any{"name": "c"}},
	}}
	binding := map[string]any{"subjects": []any{map[string]any{"kind": "User", "name": "eve"}, map[string]any{"kind": "Group", "name": "staff"}}}
	for condition, want := range map[string]bool{
		"ka.req.pod.initContainers.privileged intersects (true)":            true,
		"ka.req.pod.ephemeralContainers.privileged intersects (true)":       false,
		"ka.req.pod.containers.privileged intersects (true)":                true, // of all three lists
		"ka.req.pod.initContainers.image.repository intersects (y/b)":       true,
		"ka.req.pod.initContainers.image.repository intersects (x/a)":       false,
		"ka.req.pod.ephemeralContainers.name intersects (c)":                true,
		"ka.req.pod.initContainers.run_as_group intersects (7)":             true,
		"ka.req.container.host_network = true":                              true,
		"ka.sourceips intersects (192.0.2.9)":                               true,
		"ka.sourceips intersects (192.0.2.8)":                               false,
		"ka.req.binding.subjects.user_names intersects (eve)":               true,
		"ka.req.binding.subjects.group_names intersects (eve)":              false,
		`ka.security.pod.violations contains "baseline"`:                    true,
		`ka.validations.admission.policy.failure contains "host namespace"`: false,
	} {
		result := Import([]foreign.File{{Name: "f.yaml", Data: []byte("- rule: R\n  source: k8s_audit\n  priority: INFO\n  desc: d\n  output: o\n  condition: >-\n    " + condition)}})
		if len(result.Problems) > 0 || len(result.Documents) != 1 {
			t.Errorf("%s: %v", condition, result.Problems)
			continue
		}
		docs, err := conf.Documents("f.yaml", []byte(result.Documents[0].YAML()))
		if err != nil {
			t.Fatal(err)
		}
		set, err := detect.NewRuleSet(docs)
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		request := pod
		if strings.Contains(condition, "binding") {
			request = binding
		}
		e := event.Event{Source: event.SourceAudit, Fields: event.Fields{
			"request": request, "source_ips": []any{"10.0.0.1", "192.0.2.9"},
			"annotations": map[string]any{"pod-security.kubernetes.io/audit-violations": `would violate PodSecurity "baseline:latest"`},
		}}
		found, _, err := detect.NewEngine(set, detect.EngineOptions{}).Fold(&e, event.Address{})
		if err != nil || (len(found) > 0) != want {
			t.Errorf("%s: found %d, want %t (%v)", condition, len(found), want, err)
		}
	}
}
