package ingest

import (
	"regexp"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// redactInside replaces secrets in all strings of a list or a mapping, names
// too, and in place. A string under a name that says that it is a secret goes
// whole.
func redactInside(v any) {
	switch v := v.(type) {
	case []any:
		redactArgs(v)
		for i := range v {
			if text, ok := v[i].(string); !ok {
				redactInside(v[i])
			} else if clean := redactText(text); clean != text {
				v[i] = clean
			}
		}
	case map[string]any:
		redactMap(v)
	}
}

var secretName = regexp.MustCompile(`(?i)(?:^|[_./-])` + secretWord + `$|(?:password|passwd|passphrase|secret|token|` + keyWord + `)$|` +
	`^(?:set-)?cookie$|^authorization$|^_?auth$|^\.?dockerc(?:fg|onfigjson)$`)

// isSecretName says whether a name is one of a secret. Most names are told
// apart by the cheap test.
func isSecretName(name string) bool {
	if nameHints.in(name) == 0 {
		return false
	}
	for _, end := range nameEnds {
		if len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
			return secretName.MatchString(name)
		}
	}
	return false
}

// nameEnds are the ends of which each name of a secret has one.
var nameEnds = []string{
	"pass", "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential", "credentials", "key", "keyid", "key_id", "key-id",
	"cookie", "authorization", "auth", "cfg", "configjson",
}

var nameHints = newHints([][]string{append([]string{"cookie", "auth", "docker"}, wordHints...)})

func redactMap(m map[string]any) {
	hideVariable(m)
	hidePatch(m)
	hideBodies(m)
	for name, v := range m {
		if isSecretName(name) {
			v = hideValue(v)
			m[name] = v
		}
		if text, ok := v.(string); !ok {
			redactInside(v)
		} else if clean := redactText(text); clean != text {
			m[name] = clean
		}
		if clean := redactText(name); clean != name {
			m[clean] = m[name]
			delete(m, name)
		}
	}
}

// hideValue hides a secret by its name: a text, a number, or a list of such.
func hideValue(v any) any {
	switch v := v.(type) {
	case string:
		if v != "" && !boring(v) {
			return Redacted
		}
	case int64, float64:
		return Redacted
	case []any:
		for i := range v {
			v[i] = hideValue(v[i])
		}
	}
	return v
}

// hideVariable takes the value out of {name: DB_PASSWORD, value: …}, the
// shape of a container's environment.
func hideVariable(m map[string]any) {
	name, _ := m["name"].(string)
	if name == "" {
		name, _ = m["key"].(string)
	}
	value, _ := m["value"].(string)
	if value != "" && name != "" && isSecretName(name) && !boring(value) {
		m["value"] = Redacted
	}
}

// hidePatch takes the value out of an operation of a JSON patch whose path ends
// in what holds a secret: a variable's value, of which the path says no name,
// or a member that is named like one.
func hidePatch(m map[string]any) {
	path, _ := m["path"].(string)
	if _, op := m["op"].(string); !op || path == "" {
		return
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	if last == "value" && strings.Contains(path, "/env/") || isSecretName(last) ||
		strings.Contains(path, "/data/") || strings.Contains(path, "/stringData/") || strings.Contains(path, "last-applied-configuration") {
		m["value"] = hideAll(m["value"])
	}
}

// hideBodies takes out what is secret by the kind of an object of Kubernetes,
// where one stands in what is not an audit event itself: in the JSON of a log
// line, say, which may be an audit event, too.
func hideBodies(m map[string]any) {
	for name := range m {
		switch {
		case strings.EqualFold(name, "requestObject"), strings.EqualFold(name, "responseObject"), strings.HasSuffix(name, "last-applied-configuration"):
			m[name] = hideAll(m[name])
		}
	}
	switch m["kind"] {
	case "Secret", "SecretList", "ConfigMap", "ConfigMapList", "TokenReview", "TokenRequest":
	default:
		return
	}
	for _, name := range []string{"data", "stringData", "binaryData", "spec", "status", "items"} {
		values, ok := m[name].(map[string]any)
		if !ok {
			if m[name] != nil {
				m[name] = Redacted
			}
			continue
		}
		for key, v := range values {
			if v != "" {
				values[key] = hideAll(v)
			}
		}
	}
}

func hideAll(v any) any {
	if v == nil {
		return nil
	}
	return Redacted
}

// boring values of a secret's name carry none: rules look at them.
func boring(s string) bool {
	switch s {
	case "true", "false", "<NA>", "YES", "NO":
		return true
	}
	return false
}

// redactEvent takes secrets out of every text of an event.
func redactEvent(e *event.Event) {
	for _, s := range []*string{
		&e.Message, &e.Rule, &e.Actor.User, &e.Actor.Impersonated, &e.Actor.UserAgent, &e.Actor.Process,
		&e.Actor.Address, &e.HTTP.Path, &e.Object.Name, &e.Object.Image, &e.Verb, &e.Priority,
		&e.Object.Namespace, &e.Object.Resource, &e.Object.Subresource, &e.Object.Node, &e.Object.Container,
		&e.Object.Group, &e.Object.UID, &e.Object.ContainerID, &e.Object.Digest,
		&e.Object.Workload.Kind, &e.Object.Workload.Name, &e.Object.Workload.UID, &e.Actor.ServiceAccount, &e.HTTP.Method,
	} {
		*s = redactText(*s)
	}
	for i := range e.Actor.Groups {
		e.Actor.Groups[i] = redactText(e.Actor.Groups[i])
	}
	for i := range e.Tags {
		e.Tags[i] = redactText(e.Tags[i])
	}
	for name, v := range e.Object.Labels {
		e.Object.Labels[name] = redactText(v)
	}
	// What redaction itself says it took away is no secret.
	words, ours := e.Fields["credentials"]
	ours = ours && e.Source == event.SourceAudit
	if ours {
		delete(e.Fields, "credentials")
	}
	redactMap(e.Fields)
	if ours {
		e.Fields["credentials"] = words
	}
}
