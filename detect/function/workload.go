package function

import (
	"cmp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:  conf.Func{Name: "pod_spec", Signature: new(func(any) any), Fn: func(a ...any) (any, error) { return podSpec(a[0]), nil }},
		Usage: "pod_spec(object) mapping or nil",
		Doc:   "The pod spec of a Pod, of a workload with a template, of a CronJob, or of a patch of one of them, as in pod_spec(fields.request); of a JSON patch when it replaces the whole of it.",
		// The object of an audit event's request.
		Example: `pod_spec({"kind": "Deployment", "spec": {"template": {"spec": {"hostPID": true}}}}).hostPID == true`,
	})
	register(Function{
		Func:    conf.Func{Name: "containers", Signature: new(func(any) []any), Fn: func(a ...any) (any, error) { return containers(a[0]), nil }},
		Usage:   "containers(object) list",
		Doc:     "All containers of an object's pod spec: those, the init containers and the ephemeral ones.",
		Example: `any(containers({"spec": {"initContainers": [{"name": "a"}]}}), {.name == "a"})`,
	})
}

// podSpec is the pod spec of a Pod, of a workload with a template, of a
// CronJob, or of a patch of one of them; else nil. Of a JSON patch it is the
// last value that holds a whole pod spec.
func podSpec(object any) any {
	if ops, ok := object.([]any); ok {
		return patchedSpec(ops)
	}
	spec := at(object, "spec")
	for _, path := range [][]string{
		{"template", "spec"}, {"jobTemplate", "spec", "template", "spec"},
	} {
		if inner := at(spec, path...); inner != nil {
			return inner
		}
	}
	if inner := at(object, "template", "spec"); inner != nil { // PodTemplate
		return inner
	}
	return spec
}

// patchedSpec is the pod spec of the last operation of a JSON patch (RFC 6902)
// whose path leads to one or to what holds one: "", /spec, /spec/template,
// /spec/template/spec and their kin below /spec/jobTemplate.
func patchedSpec(ops []any) any {
	for _, op := range slices.Backward(ops) {
		what, _ := at(op, "op").(string)
		path, _ := at(op, "path").(string)
		value, isObject := at(op, "value").(map[string]any)
		if !isObject || what != "add" && what != "replace" {
			continue
		}
		path = cmp.Or(path, "/")
		if held := strings.TrimPrefix(path, "/spec/jobTemplate"); held != path {
			path = cmp.Or(held, "/")
		}
		switch path {
		case "/":
			return podSpec(value)
		case "/spec":
			return podSpec(map[string]any{"spec": value})
		case "/spec/template":
			return at(value, "spec")
		case "/spec/template/spec":
			return value
		}
	}
	return nil
}

// containers are all containers of an object's pod spec: those, the init
// containers and the ephemeral ones.
func containers(object any) []any {
	spec := podSpec(object)
	var all []any
	for _, name := range []string{"containers", "initContainers", "ephemeralContainers"} {
		list, _ := at(spec, name).([]any)
		all = append(all, list...)
	}
	return all
}

func at(v any, path ...string) any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}
