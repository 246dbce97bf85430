package ingest

import (
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxResponse is how large a response may be to be kept; rules are about
// requests.
const maxResponse = 4 << 10

// auditFields fills the fields: uri, level, stage, stage_time, code, reason,
// audit_id, source_ips, user_uid, user_extra, impersonated_groups,
// annotations, command (a list, of exec requests), request, response (when it
// is small), credentials (words in the data of a ConfigMap that speak of
// credentials; the data itself is taken out), and certificate (user and groups
// whom a CertificateSigningRequest asks to be).
func auditFields(e *event.Event, top shape) {
	status := top.object("responseStatus")
	user, as := top.object("user"), top.object("impersonatedUser")
	notes := top.object("annotations")
	e.Fields = event.Fields{}
	setDefault(e.Fields, "uri", redactQuery(top.str("requestURI")))
	setDefault(e.Fields, "level", top.str("level"))
	setDefault(e.Fields, "stage", top.str("stage"))
	setDefault(e.Fields, "audit_id", top.str("auditID"))
	code := status.integer("code")
	if code != 0 {
		e.Fields["code"] = code
	}
	setDefault(e.Fields, "stage_time", top.str("stageTimestamp"))
	e.HTTP = auditHTTP(top, code)
	setDefault(e.Fields, "reason", status.str("reason"))
	setDefault(e.Fields, "user_uid", user.str("uid"))
	for name, v := range map[string]any{
		"annotations": top.m["annotations"], "source_ips": top.m["sourceIPs"],
		"user_extra": user.m["extra"], "impersonated_groups": as.m["groups"],
	} {
		if v != nil {
			e.Fields[name] = v
		}
	}
	if e.Fields["stage"] != "RequestReceived" {
		e.Outcome = apiOutcome(notes.str("authorization.k8s.io/decision"), code)
	}
	if apiClass(e.Object) == event.ClassAPIExec {
		command, container := execQuery(top.str("requestURI"))
		if command != nil {
			e.Fields["command"] = command
		}
		e.Object.Container = container
	}
	auditBodies(e, top.m["requestObject"], top.m["responseObject"])
}

// auditHTTP is the request as one of HTTP: how it ended, and, once it has, how
// long it took. Of what goes on for long, a watch or an exec, that is its whole
// life.
func auditHTTP(top shape, code int64) (h event.HTTP) {
	if code >= 100 && code <= 599 {
		h.Status = int(code)
	}
	begin, end := top.time("requestReceivedTimestamp"), top.time("stageTimestamp")
	if top.str("stage") == "ResponseComplete" && !begin.IsZero() && end.After(begin) {
		h.Duration = end.Sub(begin).Seconds()
	}
	return h
}

// auditBodies keeps what may be kept of the request and the response.
func auditBodies(e *event.Event, request, response any) {
	resource := strings.ToLower(e.Object.Resource + "/" + e.Object.Subresource)
	if words := credentialWords(resource, request); words != nil {
		e.Fields["credentials"] = words
	}
	if who := requestedIdentity(resource, request); who != nil {
		e.Fields["certificate"] = who
	}
	request, response = stripBody(resource, request), stripBody(resource, response)
	if request != nil {
		e.Fields["request"] = request
	}
	if response == nil {
		return
	}
	if sizeOf(response) > maxResponse {
		e.Cut = append(e.Cut, "fields.response")
		return
	}
	e.Fields["response"] = response
}

// stripBody takes out what is secret by its kind: nothing is kept of the
// bodies of token reviews and tokens, and of Secrets and ConfigMaps only what
// names them. The kind stands in the request's resource, and in the body
// itself (a list or an apply may hold others).
func stripBody(resource string, v any) any {
	switch resource {
	case "tokenreviews/", "serviceaccounts/token", "selfsubjectreviews/":
		return nil
	case "secrets/", "configmaps/":
		m, ok := v.(map[string]any)
		if !ok || m["items"] != nil {
			return nil
		}
		return nameOnly(m)
	}
	return strip(v)
}

// strip walks a body for objects that are secret by their kind, and for
// managedFields and the last applied configuration, which repeat the object.
func strip(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	case map[string]any:
		switch v["kind"] {
		case "Secret", "SecretList", "ConfigMap", "ConfigMapList":
			return nameOnly(v)
		case "TokenReview", "TokenRequest":
			return nil
		}
		delete(v, "managedFields")
		if notes, ok := v["annotations"].(map[string]any); ok {
			for name := range notes {
				if strings.HasSuffix(name, "last-applied-configuration") || name == "objectset.rio.cattle.io/applied" {
					delete(notes, name)
				}
			}
		}
		for name := range v {
			v[name] = strip(v[name])
		}
	}
	return v
}

// nameOnly keeps of a Secret or ConfigMap its kind, type, name and labels, and
// the names of its data without the values.
func nameOnly(m map[string]any) map[string]any {
	kept := map[string]any{}
	for _, name := range []string{"kind", "apiVersion", "type", "immutable"} {
		switch m[name].(type) {
		case string, bool:
			kept[name] = m[name]
		}
	}
	if meta, ok := m["metadata"].(map[string]any); ok {
		few := map[string]any{}
		for _, name := range []string{"name", "generateName", "namespace", "uid", "labels", "ownerReferences"} {
			if meta[name] != nil {
				few[name] = meta[name]
			}
		}
		// A service account token names its account in an annotation.
		if notes, ok := meta["annotations"].(map[string]any); ok {
			if name, ok := notes["kubernetes.io/service-account.name"].(string); ok {
				few["annotations"] = map[string]any{"kubernetes.io/service-account.name": name}
			}
		}
		kept["metadata"] = few
	}
	for _, part := range []string{"data", "stringData", "binaryData"} {
		data, ok := m[part].(map[string]any)
		if !ok {
			continue
		}
		empty := make(map[string]any, len(data))
		for name := range data {
			empty[name] = ""
		}
		kept[part] = empty
	}
	return kept
}

// credentialWords finds in a ConfigMap the words that speak of credentials,
// so that a rule can tell what redaction takes away.
func credentialWords(resource string, body any) []any {
	m, ok := body.(map[string]any)
	if !ok || resource != "configmaps/" && m["kind"] != "ConfigMap" {
		return nil
	}
	var found []any
	for _, word := range []string{
		"aws_access_key_id", "aws-access-key-id", "aws_s3_access_key_id", "aws-s3-access-key-id",
		"aws_secret_access_key", "password", "passphrase", "private key", "private_key", "client_secret", "token",
	} {
		if slices.ContainsFunc([]any{m["data"], m["stringData"], m["binaryData"]}, func(v any) bool { return mentions(v, word) }) {
			found = append(found, word)
		}
	}
	return found
}

func mentions(v any, word string) bool {
	data, _ := v.(map[string]any)
	for name, v := range data {
		text, _ := v.(string)
		if strings.Contains(strings.ToLower(name), word) || strings.Contains(strings.ToLower(text), word) {
			return true
		}
	}
	return false
}
