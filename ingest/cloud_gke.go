package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// fromLogEntry turns Google's LogEntry of a request to the API server into the
// API server's own audit event, with what it says of the cluster. The method is
// io.k8s.core.v1.pods.exec.create, the resource
// core/v1/namespaces/NS/pods/POD/exec.
//
// What Google leaves out stays out: the stages before the last, groups, and the
// query of the URL with the command of an exec in it.
func fromLogEntry(entry map[string]any) (tree, cloud map[string]any, err error) {
	top, fault := newShape(entry)
	payload := top.object("protoPayload")
	service, method := payload.str("serviceName"), payload.str("methodName")
	switch {
	case *fault != nil:
		return nil, nil, *fault
	case service != "k8s.io" && !(service == "" && strings.HasPrefix(method, "io.k8s.")):
		return nil, nil, fmt.Errorf("serviceName is %s: not an audit event of a cluster", clip(service, 64))
	case method == "":
		return nil, nil, errors.New("no methodName: not an audit event")
	}
	verb, ref, uri := gkeRequest(method, payload.str("resourceName"))
	if text := payload.str("requestURI"); text != "" {
		uri = text
	}
	tree = map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": verb, "requestURI": uri, "objectRef": ref,
		"stage": gkeStage(top.object("operation")), "auditID": gkeID(top),
		"userAgent": payload.object("requestMetadata").str("callerSuppliedUserAgent"),
	}
	gkeActor(tree, payload)
	gkeOutcome(tree, payload, top.object("labels"), verb)
	for _, at := range []string{top.str("timestamp"), payload.object("requestMetadata").object("requestAttributes").str("time"), top.str("receiveTimestamp")} {
		if at != "" {
			tree["requestReceivedTimestamp"] = at
			break
		}
	}
	for from, to := range map[string]string{"request": "requestObject", "response": "responseObject"} {
		if body, ok := payload.m[from].(map[string]any); ok {
			tree[to] = gkeBody(body)
		}
	}
	return tree, gkeCloud(top), *fault
}

func gkeID(top shape) string {
	if id := top.object("operation").str("id"); id != "" {
		return id
	}
	return top.str("insertId")
}

// gkeStage: a request that lasts has an entry when it begins and one when it
// ends; all others have one that is both.
func gkeStage(operation shape) string {
	if operation.m["first"] == true && operation.m["last"] != true {
		return "ResponseStarted"
	}
	return "ResponseComplete"
}

// gkeActor: the principal is who asked. An authority that differs is whom they
// acted as; alone it is all that is known of somebody without a name.
func gkeActor(tree map[string]any, payload shape) {
	who, meta := payload.object("authenticationInfo"), payload.object("requestMetadata")
	user, as := who.str("principalEmail"), who.str("authoritySelector")
	if user == "" {
		user = who.str("principalSubject")
	}
	if user == "" {
		user, as = as, ""
	}
	tree["user"] = map[string]any{"username": user}
	if as != "" && as != user {
		tree["impersonatedUser"] = map[string]any{"username": as}
	}
	address := meta.str("callerIp")
	if address == "" {
		address = meta.str("callerIP")
	}
	if address != "" {
		tree["sourceIPs"] = []any{address}
	}
}

// gkeOutcome gives the decision and the code of HTTP.
func gkeOutcome(tree map[string]any, payload, labels shape, verb string) {
	notes := map[string]any{}
	for name, v := range labels.m {
		if text, ok := v.(string); ok {
			notes[name] = text
		}
	}
	if _, said := notes["authorization.k8s.io/decision"]; !said {
		infos, _ := payload.m["authorizationInfo"].([]any)
		for _, info := range infos {
			m, _ := info.(map[string]any)
			notes["authorization.k8s.io/decision"] = "allow"
			if m["granted"] != true {
				notes["authorization.k8s.io/decision"] = "forbid"
				break
			}
		}
	}
	tree["annotations"] = notes
	status := payload.object("status")
	code := httpCode(status.integer("code"))
	if code == 0 && status.m != nil {
		code = 200
		if verb == "create" {
			code = 201
		}
	}
	response := map[string]any{"code": code}
	if code >= 400 {
		response["status"] = "Failure"
	}
	tree["responseStatus"] = response
}

// httpCode translates a code of google.rpc.Code as its definition says
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
// From 100 on it is one of HTTP already.
func httpCode(code int64) int64 {
	codes := [...]int64{0, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401}
	if code >= 0 && code < int64(len(codes)) {
		return codes[code]
	}
	return code
}

// gkeRequest reads verb and object out of the method and the resource.
func gkeRequest(method, resource string) (verb string, ref map[string]any, uri string) {
	parts := strings.Split(method, ".")
	verb = parts[len(parts)-1]
	at := versionAt(parts)
	if at < 0 || at+2 >= len(parts) {
		// Not of a resource: io.k8s.readyz, or io.k8s.get of a path.
		if !isVerb(verb) {
			verb, resource = "get", "/"+strings.TrimPrefix(cmpOr(resource, verb), "/")
		}
		return verb, nil, "/" + strings.TrimPrefix(resource, "/")
	}
	r := event.Ref{Group: gkeGroup(parts[:at]), Resource: parts[at+1], Subresource: strings.Join(parts[at+2:len(parts)-1], "/")}
	version := parts[at]
	gkeResource(&r, &version, resource)
	ref = map[string]any{"apiVersion": version}
	for name, v := range map[string]string{
		"apiGroup": r.Group, "resource": r.Resource, "subresource": r.Subresource, "namespace": r.Namespace, "name": r.Name,
	} {
		if v != "" {
			ref[name] = v
		}
	}
	return verb, ref, gkeURI(r, version)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isVerb(s string) bool {
	switch s {
	case "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post", "put", "head", "options", "connect":
		return true
	}
	return false
}

// versionAt finds v1, v1beta1, v2alpha3 among the parts of a method.
func versionAt(parts []string) int {
	for i, p := range parts {
		if len(p) >= 2 && p[0] == 'v' && p[1] >= '0' && p[1] <= '9' {
			return i
		}
	}
	return -1
}

// gkeGroup is the API group of a method, which stands there the other way
// round: io.k8s.networking. The group without a name is core, and some have a
// name of one part.
func gkeGroup(parts []string) string {
	turned := slices.Clone(parts)
	slices.Reverse(turned)
	group := strings.Join(turned, ".")
	switch short := strings.TrimSuffix(group, ".k8s.io"); short {
	case "core", "k8s.io":
		return ""
	case "apps", "batch", "autoscaling", "policy", "extensions":
		return short
	case "rbac":
		return "rbac.authorization.k8s.io"
	}
	return group
}

// gkeResource reads GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE, of
// which the end may be missing. It is surer of the group than the method is.
func gkeResource(r *event.Ref, version *string, resource string) {
	parts := strings.Split(strings.Trim(resource, "/"), "/")
	if len(parts) < 3 || versionAt(parts[1:2]) != 0 {
		return
	}
	if r.Group = parts[0]; r.Group == "core" {
		r.Group = ""
	}
	*version = parts[1]
	parts = parts[2:]
	// A namespace is a resource too: namespaces/NS and namespaces/NS/finalize.
	if parts[0] == "namespaces" && len(parts) > 2 && r.Resource != "namespaces" {
		r.Namespace, parts = parts[1], parts[2:]
	}
	r.Resource = parts[0]
	if len(parts) > 1 {
		r.Name = parts[1]
	}
	if len(parts) > 2 {
		r.Subresource = strings.Join(parts[2:], "/")
	}
	if r.Resource == "namespaces" {
		r.Namespace = r.Name
	}
}

func gkeURI(r event.Ref, version string) string {
	path := "/api/" + version
	if r.Group != "" {
		path = "/apis/" + r.Group + "/" + version
	}
	if r.Namespace != "" && r.Resource != "namespaces" {
		path += "/namespaces/" + r.Namespace
	}
	for _, part := range []string{r.Resource, r.Name, r.Subresource} {
		if part != "" {
			path += "/" + part
		}
	}
	return path
}

// gkeBody names the kind where only the type says it: core.k8s.io/v1.Pod.
func gkeBody(body map[string]any) map[string]any {
	kind, _ := body["@type"].(string)
	if _, said := body["kind"]; !said && strings.Contains(kind, "k8s.io/") {
		body["kind"] = kind[strings.LastIndexByte(kind, '.')+1:]
	}
	delete(body, "@type")
	return body
}

func gkeCloud(top shape) map[string]any {
	labels := top.object("resource").object("labels")
	cloud := map[string]any{}
	for from, to := range map[string]string{"project_id": "project", "location": "location", "cluster_name": "cluster"} {
		if v := labels.str(from); v != "" {
			cloud[to] = v
		}
	}
	if len(cloud) == 0 {
		return nil
	}
	return cloud
}
