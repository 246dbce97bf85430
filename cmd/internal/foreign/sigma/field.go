package sigma

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// kind is how the values of a field are compared.
type kind int

const (
	text kind = iota
	number
	// loose are values of a type that only the event knows.
	loose
	list
)

// field is what a name of Sigma's is in an event.
type field struct {
	expr string
	kind kind
}

// logsource is one kind of logs.
type logsource struct {
	source string
	// where is true of its events alone; it may be empty.
	where  string
	fields map[string]field
	// other makes a field of a name that is not in the table.
	other func(name string) (field, bool)
	// keywords is the field that plain words are looked for in.
	keywords string
	message  string
}

var auditFields = map[string]field{
	"verb":                      {"verb", text},
	"apigroup":                  {"object.group", text},
	"resource":                  {"object.resource", text},
	"subresource":               {"object.subresource", text},
	"namespace":                 {"object.namespace", text},
	"name":                      {"object.name", text},
	"username":                  {"actor.user", text},
	"user":                      {"actor.user", text},
	"groups":                    {"actor.groups", list},
	"sourceips":                 {"fields.source_ips", list},
	"useragent":                 {"actor.user_agent", text},
	"hostpath":                  {`pluck(pod_spec(fields.request), "volumes.hostPath.path")`, list},
	"capabilities":              {`pluck(containers(fields.request), "securityContext.capabilities.add")`, list},
	"objectref.apigroup":        {"object.group", text},
	"objectref.resource":        {"object.resource", text},
	"objectref.subresource":     {"object.subresource", text},
	"objectref.namespace":       {"object.namespace", text},
	"objectref.name":            {"object.name", text},
	"objectref.uid":             {"object.uid", text},
	"user.username":             {"actor.user", text},
	"user.groups":               {"actor.groups", list},
	"impersonateduser.username": {"actor.impersonated", text},
	"requesturi":                {"fields.uri", loose},
	"responsestatus.code":       {"fields.code", loose},
	"responsestatus.reason":     {"fields.reason", loose},
	"stage":                     {"fields.stage", loose},
	"level":                     {"fields.level", loose},
	"auditid":                   {"fields.audit_id", loose},
}

// auditField is what stands in the objects of a request and its answer.
func auditField(name string) (field, bool) {
	for prefix, expr := range map[string]string{"requestobject.": "fields.request", "responseobject.": "fields.response"} {
		if strings.HasPrefix(strings.ToLower(name), prefix) {
			return field{fmt.Sprintf("pluck(%s, %s)", expr, foreign.Literal(name[len(prefix):])), list}, true
		}
	}
	if rest, ok := strings.CutPrefix(name, "annotations."); ok {
		return field{fmt.Sprintf("fields.annotations[%s]", foreign.Literal(rest)), loose}, true
	}
	return field{}, false
}

var webFields = map[string]field{
	"cs-method":    {"http.method", text},
	"cs-uri":       {"http.path", text},
	"cs-uri-stem":  {"http.path", text},
	"cs-uri-query": {"http.path", text},
	"c-uri-query":  {"http.path", text},
	"c-uri-stem":   {"http.path", text},
	"c-uri":        {"http.path", text},
	// Sigma writes an extension without its dot.
	"c-uri-extension": {`trimPrefix(path_ext(http.path), ".")`, text},
	"cs-host":         {"fields.host", loose},
	"cs-referer":      {"fields.referer", loose},
	"cs-referrer":     {"fields.referer", loose},
	"c-ip":            {"actor.address", text},
	"src_ip":          {"actor.address", text},
	"cs-username":     {"actor.user", text},
	"cs-user-agent":   {"actor.user_agent", text},
	"c-useragent":     {"actor.user_agent", text},
	"sc-status":       {"http.status", number},
	"sc-bytes":        {"http.bytes", number},
}

var processFields = map[string]field{
	"commandline":       {"actor.process", text},
	"image":             {`fields["proc.exepath"]`, loose},
	"originalfilename":  {`fields["proc.name"]`, loose},
	"parentimage":       {`fields["proc.pexepath"]`, loose},
	"parentcommandline": {`fields["proc.pcmdline"]`, loose},
	"currentdirectory":  {`fields["proc.cwd"]`, loose},
	"user":              {`fields["user.name"]`, loose},
}

// sourceOf finds the logs that a rule is for.
func sourceOf(v conf.Value) (*logsource, *conf.Error) {
	product, service, category := v.Get("product").Text(), v.Get("service").Text(), v.Get("category").Text()
	switch {
	case product == "kubernetes" && (service == "audit" || service == "" && (category == "application" || category == "audit")):
		return &logsource{
			source: "audit", fields: auditFields, other: auditField,
			message: "${actor.user} did ${verb} on ${object.resource} ${object.namespace}/${object.name} from ${actor.address}",
		}, nil
	case category == "webserver" || category == "proxy" || service == "nginx" || service == "apache":
		return &logsource{
			source: "log", where: `class == "http.request"`, fields: webFields, keywords: "message",
			message: "${http.method} ${http.path} from ${actor.address} was answered ${http.status}",
		}, nil
	case product == "linux" && (service == "sshd" || service == "auth" || service == "sudo" || service == "syslog"):
		return &logsource{source: "log", fields: map[string]field{"message": {"message", text}}, keywords: "message", message: "${message}"}, nil
	case product == "linux" && category == "process_creation":
		return &logsource{
			source: "falco", where: `class == "process.exec"`, fields: processFields,
			message: "${actor.process} ran in ${object.namespace}/${object.name}",
		}, nil
	}
	at := v
	if v.IsZero() {
		at = conf.Value{}
	}
	return nil, at.Errorf("no events of Firebreak are those of product %q, service %q, category %q", product, service, category)
}

// field finds what a name is.
func (l *logsource) field(name string) (field, error) {
	if f, ok := l.fields[strings.ToLower(name)]; ok {
		return f, nil
	}
	if l.other != nil {
		if f, ok := l.other(name); ok {
			return f, nil
		}
	}
	if l.source == "falco" && strings.Contains(name, ".") {
		return field{fmt.Sprintf("fields[%s]", foreign.Literal(name)), loose}, nil
	}
	return field{}, fmt.Errorf("no field of %s events is %q", l.source, name)
}
