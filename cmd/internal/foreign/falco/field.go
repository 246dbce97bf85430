package falco

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
)

// field is what a field of Falco's is in an event.
type field struct {
	expr string
	list bool
	// loose are values of a type that only the event knows.
	loose bool
}

const (
	podSpec    = "pod_spec(fields.request)"
	containers = "containers(fields.request)"
)

// under is all that is at a path below a value.
func under(value, path string) field {
	return field{expr: fmt.Sprintf("pluck(%s, %s)", value, foreign.Literal(path)), list: true}
}

func image(part string) field {
	return field{expr: fmt.Sprintf("map(pluck(%s, \"image\"), {%s})", containers, part), list: true}
}

// fields of the k8saudit plugin
// (https://falco.org/docs/reference/plugins/kubernetes-audit/).
var fields = map[string]field{
	"ka.auditid":                 {expr: "fields.audit_id", loose: true},
	"ka.stage":                   {expr: "fields.stage", loose: true},
	"ka.verb":                    {expr: "verb"},
	"ka.uri":                     {expr: "fields.uri", loose: true},
	"ka.user.name":               {expr: "actor.user"},
	"ka.user.groups":             {expr: "actor.groups", list: true},
	"ka.impuser.name":            {expr: "actor.impersonated"},
	"ka.useragent":               {expr: "actor.user_agent"},
	"ka.sourceips":               {expr: "fields.source_ips", list: true},
	"ka.target.name":             {expr: "object.name"},
	"ka.target.namespace":        {expr: "object.namespace"},
	"ka.target.resource":         {expr: "object.resource"},
	"ka.target.subresource":      {expr: "object.subresource"},
	"ka.target.pod.name":         {expr: "object.name"},
	"ka.resp.name":               {expr: "object.name"},
	"ka.response.code":           {expr: "fields.code", loose: true},
	"ka.response.reason":         {expr: "fields.reason", loose: true},
	"ka.auth.decision":           {expr: `fields.annotations["authorization.k8s.io/decision"]`, loose: true},
	"ka.auth.reason":             {expr: `fields.annotations["authorization.k8s.io/reason"]`, loose: true},
	"ka.auth.openshift.decision": {expr: `fields.annotations["authorization.k8s.io/decision"]`, loose: true},
	"ka.cluster.name":            {expr: "cluster"},
	"ka.security.pod.violations": {expr: `fields.annotations["pod-security.kubernetes.io/audit-violations"]`, loose: true},
	"ka.validations.admission.policy.failure": {expr: `fields.annotations["validation.policy.admission.k8s.io/validation_failure"]`, loose: true},

	"ka.req.binding.role":                          {expr: "fields.request.roleRef.name", loose: true},
	"ka.req.binding.subjects":                      under("fields.request", "subjects.name"),
	"ka.req.binding.subject.has_name":              under("fields.request", "subjects.name"),
	"ka.req.binding.subjects.user_names":           subjects("User"),
	"ka.req.binding.subjects.group_names":          subjects("Group"),
	"ka.req.binding.subjects.serviceaccount_names": subjects("ServiceAccount"),
	"ka.req.role.rules":                            under("fields.request", "rules"),
	"ka.req.role.rules.verbs":                      under("fields.request", "rules.verbs"),
	"ka.req.role.rules.resources":                  under("fields.request", "rules.resources"),
	"ka.req.role.rules.apigroups":                  under("fields.request", "rules.apiGroups"),
	"ka.req.role.rules.nonresourceurls":            under("fields.request", "rules.nonResourceURLs"),
	"ka.req.configmap.name":                        {expr: "object.name"},
	// Falco sees the whole as text: what is looked for is in a key or a value.
	"ka.req.configmap.obj": {expr: "concat(keys(fields.request.data), values(fields.request.data))", list: true},
	"ka.req.service.type":  {expr: "fields.request.spec.type", loose: true},
	"ka.req.service.ports": under("fields.request", "spec.ports.port"),

	"ka.req.pod.host_ipc":                    {expr: podSpec + ".hostIPC", loose: true},
	"ka.req.pod.host_network":                {expr: podSpec + ".hostNetwork", loose: true},
	"ka.req.pod.host_pid":                    {expr: podSpec + ".hostPID", loose: true},
	"ka.req.pod.run_as_user":                 {expr: podSpec + ".securityContext.runAsUser", loose: true},
	"ka.req.pod.run_as_group":                {expr: podSpec + ".securityContext.runAsGroup", loose: true},
	"ka.req.pod.fs_group":                    {expr: podSpec + ".securityContext.fsGroup", loose: true},
	"ka.req.pod.supplemental_groups":         under(podSpec, "securityContext.supplementalGroups"),
	"ka.req.pod.volumes.hostpath":            under(podSpec, "volumes.hostPath.path"),
	"ka.req.volume.hostpath":                 under(podSpec, "volumes.hostPath.path"),
	"ka.req.container.host_network":          {expr: podSpec + ".hostNetwork", loose: true},
	"ka.req.pod.volumes.flexvolume_driver":   under(podSpec, "volumes.flexVolume.driver"),
	"ka.req.pod.containers.image":            image("#"),
	"ka.req.container.image":                 image("#"),
	"ka.req.pod.containers.image.repository": image("image_ref(#).written"),
	"ka.req.container.image.repository":      image("image_ref(#).written"),
	"ka.req.container.privileged":            under(containers, "securityContext.privileged"),
}

// containerParts are the fields of containers below ka.req.pod.containers,
// initContainers and ephemeralContainers.
var containerParts = map[string]string{
	"name":                       "name",
	"image":                      "image",
	"command":                    "command",
	"args":                       "args",
	"host_port":                  "ports.hostPort",
	"privileged":                 "securityContext.privileged",
	"allow_privilege_escalation": "securityContext.allowPrivilegeEscalation",
	"read_only_fs":               "securityContext.readOnlyRootFilesystem",
	"run_as_user":                "securityContext.runAsUser",
	"run_as_group":               "securityContext.runAsGroup",
	"proc_mount":                 "securityContext.procMount",
	"add_capabilities":           "securityContext.capabilities.add",
}

// ofContainers is a field of one of the three lists of containers. That of the
// plain ones is of all three: older versions of the plugin had no others.
func ofContainers(name string) (field, bool) {
	rest, ok := strings.CutPrefix(name, "ka.req.pod.")
	list, part, has := strings.Cut(rest, ".")
	value := containers
	switch list {
	case "containers":
	case "initcontainers":
		value = "pluck(" + podSpec + `, "initContainers")`
	case "ephemeralcontainers":
		value = "pluck(" + podSpec + `, "ephemeralContainers")`
	default:
		ok = false
	}
	if !ok || !has {
		return field{}, false
	}
	if part == "image.repository" {
		return field{expr: "map(pluck(" + value + `, "image"), {image_ref(#).written})`, list: true}, true
	}
	path, ok := containerParts[part]
	return under(value, path), ok
}

// subjects are the names of a binding's subjects of a kind.
func subjects(kind string) field {
	return field{expr: `map(filter(pluck(fields.request, "subjects"), .kind == ` + foreign.Literal(kind) + `), string(.name ?? ""))`, list: true}
}

// pointers are what begins a JSON pointer into an audit event, and where it is.
var pointers = []struct{ begin, expr string }{
	{"/requestObject/", "fields.request"}, {"/responseObject/", "fields.response"}, {"/annotations/", "fields.annotations"},
}

var pointerFields = map[string]field{
	"/verb": {expr: "verb"}, "/stage": {expr: "fields.stage", loose: true}, "/requestURI": {expr: "fields.uri", loose: true},
	"/user/username": {expr: "actor.user"}, "/user/groups": {expr: "actor.groups", list: true}, "/userAgent": {expr: "actor.user_agent"},
	"/objectRef/name": {expr: "object.name"}, "/objectRef/namespace": {expr: "object.namespace"}, "/objectRef/resource": {expr: "object.resource"},
	"/objectRef/subresource": {expr: "object.subresource"}, "/responseStatus/code": {expr: "fields.code", loose: true},
	"/impersonatedUser/username": {expr: "actor.impersonated"}, "/auditID": {expr: "fields.audit_id", loose: true},
}

var argument = regexp.MustCompile(`^([a-z_0-9.]+)\[([^\]]*)\]$`)

// fieldOf finds what a field is, which may have an argument in brackets.
func fieldOf(name string) (field, error) {
	if f, ok := fields[strings.ToLower(name)]; ok {
		return f, nil
	}
	if f, ok := ofContainers(strings.ToLower(name)); ok {
		return f, nil
	}
	m := argument.FindStringSubmatch(name)
	if m == nil {
		return field{}, fmt.Errorf("field %q can't be said", name)
	}
	switch m[1] {
	case "ka.req.configmap.obj":
		return field{expr: fmt.Sprintf("fields.request.data[%s]", foreign.Literal(m[2])), loose: true}, nil
	case "ka.req.binding.subject.has_name", "ka.req.binding.subjects":
		return under("fields.request", "subjects.name"), nil
	case "jevt.value", "json.value":
		return pointer(m[2])
	}
	f, ok := fields[m[1]]
	if !ok {
		f, ok = ofContainers(strings.ToLower(m[1]))
	}
	if ok && f.list && m[2] != "" { // one of the list
		return field{expr: fmt.Sprintf("%s[%s]", f.expr, m[2]), loose: true}, checkIndex(m[2])
	}
	return field{}, fmt.Errorf("field %q can't be said", name)
}

var index = regexp.MustCompile(`^[0-9]{1,4}$`)

func checkIndex(s string) error {
	if !index.MatchString(s) {
		return fmt.Errorf("index %q is no number", s)
	}
	return nil
}

func pointer(p string) (field, error) {
	if f, ok := pointerFields[p]; ok {
		return f, nil
	}
	for _, at := range pointers {
		rest, ok := strings.CutPrefix(p, at.begin)
		if !ok {
			continue
		}
		expr := at.expr
		for part := range strings.SplitSeq(rest, "/") {
			part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
			if index.MatchString(part) {
				expr += "[" + part + "]"
			} else {
				expr += "[" + foreign.Literal(part) + "]"
			}
		}
		return field{expr: expr, loose: true}, nil
	}
	return field{}, fmt.Errorf("JSON pointer %q can't be said", p)
}
