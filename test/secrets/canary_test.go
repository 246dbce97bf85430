package secrets

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// canary is one planted token. No part of it is real.
type canary struct {
	kind string
	// bare is the token, text the token as it gives itself away in running
	// text, arg as the argument of a command.
	bare, text string
	args       []string
}

// mark stands in every token, and nowhere else.
const mark = "cAnArYtOkEn"

// kinds are twelve kinds of secrets; n makes each token another.
func kinds(n int) []canary {
	id := fmt.Sprintf("%s%08d", mark, n)
	form := func(kind, bare string) canary {
		return canary{kind, bare, "says " + bare + " here", []string{"tool", bare}}
	}
	named := func(kind, bare, text string, args ...string) canary { return canary{kind, bare, text, args} }
	return []canary{
		form("jwt", "eyJ"+"hbGciOiJSUzI1NiJ9.eyJzdWIi"+id+".c2ln"+id),
		form("github", "ghp"+"_"+id+"abcdefghijklmnopqr"),
		form("slack", "xoxb"+"-1234567890-"+id),
		form("vault", "hvs"+".CAESI"+id+"abcdefgh"),
		form("google", "GOCSPX"+"-"+id+"abcdefgh"),
		form("pem", "-----BEGIN RSA "+"PRIVATE KEY-----\nMII"+id+"\nAb"+id+"+/=\n-----END RSA "+"PRIVATE KEY-----"),
		named("aws secret", id+"/K7MDENG+bPx/"+id, "aws_secret_access_key="+id+"/K7MDENG+bPx/"+id, "aws", "--secret-key", id+"/K7MDENG+bPx/"+id),
		named("password", "p"+id+"!", "--password=p"+id+"!", "mysql", "-u", "root", "-pp"+id+"!"),
		named("bearer", id+"abcdefgh", "Authorization: Bearer "+id+"abcdefgh", "curl", "-H", "Authorization: Bearer "+id+"abcdefgh"),
		named("basic", base64.StdEncoding.EncodeToString([]byte("user:"+id)), "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+id)),
			"curl", "-u", "user:"+id),
		named("url", id, "postgres://user:"+id+"@db.example/x", "psql", "postgres://user:"+id+"@db.example/x"),
		named("docker", base64.StdEncoding.EncodeToString([]byte("robot:"+id)), `{"auths":{"registry.example":{"auth":"`+base64.StdEncoding.EncodeToString([]byte("robot:"+id))+`"}}}`,
			"docker", "login", "--password", id),
	}
}

// needles are the forms in which the mark can stand in what was written: as it
// is (escaping for a URL does not change it), in base64 at any of its three
// places, in base64 of that, and once more.
func needles() []string {
	list, last := []string{mark}, []string{mark}
	for range 3 {
		var next []string
		for _, n := range last {
			next = append(next, coded(n)...)
		}
		list, last = append(list, next...), next
	}
	return list
}

// coded are the characters of base64 that a text gives wherever it stands.
func coded(text string) []string {
	var list []string
	for shift := range 3 {
		code := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		code = strings.TrimRight(code, "=")
		from := (shift*8 + 5) / 6 // characters that hold bits of what stands before
		list = append(list, code[from:len(code)-1])
	}
	return list
}

func object(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// places are where a token can stand in an audit event. Each gives the members
// that an event gets beside the usual ones.
var places = []func(c canary) map[string]any{
	func(c canary) map[string]any { // a Secret that is made
		return object("verb", "create", "objectRef", object("resource", "secrets", "name", "s"), "requestObject", object("kind", "Secret",
			"metadata", object("name", "s", "annotations", object("kubectl.kubernetes.io/last-applied-configuration", c.bare)),
			"data", object("k", b64(c.bare)), "stringData", object("k", c.bare)))
	},
	func(c canary) map[string]any { // Secrets that are listed
		item := object("metadata", object("name", "s"), "data", object("k", b64(c.bare)))
		return object("verb", "list", "objectRef", object("resource", "secrets"), "responseObject", object("kind", "SecretList", "items", []any{item}))
	},
	func(c canary) map[string]any { // a Secret in a list of other things
		return object("verb", "create", "objectRef", object("resource", "things"), "requestObject",
			object("kind", "List", "items", []any{object("kind", "Secret", "data", object("k", b64(c.bare)))}))
	},
	func(c canary) map[string]any {
		return object("verb", "create", "objectRef", object("resource", "tokenreviews", "apiGroup", "authentication.k8s.io"),
			"requestObject", object("kind", "TokenReview", "spec", object("token", c.bare)), "responseObject", object("kind", "TokenReview", "spec", object("token", c.bare)))
	},
	func(c canary) map[string]any {
		return object("verb", "create", "objectRef", object("resource", "serviceaccounts", "subresource", "token", "name", "a"),
			"responseObject", object("kind", "TokenRequest", "status", object("token", c.bare, "expirationTimestamp", "2026-01-01T00:00:00Z")))
	},
	func(c canary) map[string]any { // the annotation that repeats what was applied
		spec := `{"spec":{"x":"` + strings.ReplaceAll(c.bare, "\n", `\n`) + `"}}`
		return object("verb", "patch", "objectRef", object("resource", "deployments"), "requestObject",
			object("metadata", object("annotations", object("kubectl.kubernetes.io/last-applied-configuration", spec))))
	},
	func(c canary) map[string]any { // a variable of a container, by its name and by its value
		env := []any{object("name", "DB_PASSWORD", "value", c.bare), object("name", "OPTIONS", "value", c.text)}
		return object("verb", "create", "objectRef", object("resource", "pods", "name", "p", "namespace", "n"), "requestObject",
			object("kind", "Pod", "spec", object("containers", []any{object("name", "c", "env", env, "command", anys(c.args), "args", []any{"-c", c.text})})))
	},
	func(c canary) map[string]any { // the arguments of an exec
		q := url.Values{"command": c.args, "container": {"c"}}
		return object("verb", "create", "requestURI", "/api/v1/namespaces/n/pods/p/exec?"+q.Encode(),
			"objectRef", object("resource", "pods", "subresource", "exec", "name", "p", "namespace", "n"))
	},
	func(c canary) map[string]any { // one argument that is a script
		q := url.Values{"command": {"sh", "-c", "run " + c.text}}
		return object("verb", "get", "requestURI", "/api/v1/namespaces/n/pods/p/exec?"+q.Encode(),
			"objectRef", object("resource", "pods", "subresource", "exec", "name", "p", "namespace", "n"))
	},
	func(c canary) map[string]any { // the query of a URL
		return object("verb", "get", "requestURI", "/api/v1/x?"+url.Values{"access_token": {c.bare}, "token": {c.bare}, "q": {c.text}}.Encode())
	},
	func(c canary) map[string]any { // what the client says of itself
		return object("verb", "get", "userAgent", "tool/1 "+c.text, "user", object("username", "u "+c.text, "extra", object("x", []any{c.text})),
			"impersonatedUser", object("username", c.text, "groups", []any{c.text}))
	},
	func(c canary) map[string]any { // messages of the server and of plugins
		return object("verb", "update", "responseStatus", object("code", 500, "reason", c.text, "message", c.text),
			"annotations", object("plugin.example/said", c.text), "responseObject", object("kind", "Status", "message", c.text))
	},
	func(c canary) map[string]any {
		return object("verb", "create", "objectRef", object("resource", "configmaps", "name", "c"),
			"requestObject", object("kind", "ConfigMap", "data", object("key.pem", c.bare, "app.ini", c.text)))
	},
	func(c canary) map[string]any { // a JSON patch
		return object("verb", "patch", "objectRef", object("resource", "deployments"), "requestObject", []any{
			object("op", "replace", "path", "/spec/template/spec/containers/0/env/0/value", "value", c.bare),
			object("op", "add", "path", "/spec/template/spec/containers/0/env/-", "value", object("name", "API_TOKEN", "value", c.bare)),
		})
	},
	func(c canary) map[string]any { // an object of somebody's own
		return object("verb", "create", "objectRef", object("resource", "things"), "requestObject",
			object("spec", object("password", c.bare, "clientSecret", c.bare, "connection", c.text, "tokens", object("token", c.bare))))
	},
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// auditEvent is the n-th event with its token, in the place for it.
func auditEvent(n int) (string, canary) {
	all := kinds(n)
	c := all[n%len(all)]
	e := object("kind", "Event", "apiVersion", "audit.k8s.io/v1", "level", "RequestResponse", "stage", "ResponseComplete",
		"auditID", fmt.Sprint("id-", n), "user", object("username", "eve"), "requestReceivedTimestamp", "2026-03-01T12:00:00.000000Z")
	for name, v := range places[n/len(all)%len(places)](c) {
		e[name] = v
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // the test's own maps
	}
	return string(text), c
}
