package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:   "audit",
		Doc:    "Kubernetes audit events: the EventLists that the API server's webhook posts, the records that AKS and others post, or log files.",
		Source: event.SourceAudit,
		Config: func() any { return &AuditConfig{HTTPConfig: HTTPConfig{MaxBody: 16 << 20}, Stages: StagesAll} },
		Open: func(d Deps, config any) (Source, error) {
			return openAuditPosted(d, config, auditInput(), Endpoint{Name: "audit", Source: event.SourceAudit})
		},
		Decode: decodeAudits,
		Scan:   auditInput().scan,
	})
}

func decodeAudits(data []byte, o Origin) ([]event.Event, []event.Rejected) {
	in := auditInput()
	in.room = maxInflated
	return in.decode(data, o)
}

// openAuditPosted opens an endpoint whose bodies are read as in says.
func openAuditPosted(d Deps, config any, in input, e Endpoint) (Source, error) {
	c := config.(*AuditConfig)
	stages := c.Stages
	in.open = auditOpener{c.TrustedProxies}.open
	s, err := openPosted(d, config, e, nil)
	if err != nil {
		return Source{}, err
	}
	s.Endpoints[0].Decode = func(req *http.Request, body []byte, o Origin, g func([]event.Event) error) ([]event.Rejected, error) {
		return in.decodeTo(body, o, func(events []event.Event) error {
			return g(stages.keep(req.Context(), d.Metrics, events))
		})
	}
	return s, nil
}

// auditEvent makes an event of one audit event, audit.k8s.io/v1 or the older
// v1beta1 (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/).
//
// Every stage of a request that the audit policy lets through becomes an
// event of its own: nothing is dropped here. Rules look at fields.stage.
// RequestReceived has no outcome, as nothing was decided yet. A long-running
// request (watch, exec) usually gives ResponseStarted and, when it ends,
// ResponseComplete, both with the same fields.audit_id; Time is when the
// request was received, so both have the same.
//
// The id is over the whole event but for kind and apiVersion, which an event
// has in a log file and may lack in an EventList. An audit id alone is no
// identity, since clients may choose it.
//
// The cloud is what envelopes said of where it is from; it may be nil. Trusted
// are the proxies that may say whom a request is from; see [clientAddress].
func auditEvent(tree map[string]any, id string, o Origin, cloud map[string]any, trusted []netip.Prefix) (event.Event, error) {
	top, fault := newShape(tree)
	if err := isAudit(top); err != nil {
		return event.Event{}, err
	}
	e := event.Event{
		ID: id, Source: event.SourceAudit, From: o.From, Cluster: o.Cluster,
		Severity: event.SeverityInfo, Trust: event.TrustAudit,
		Verb: top.str("verb"), Actor: auditActor(top, trusted), Object: auditObject(top),
	}
	auditFields(&e, top)
	if cloud != nil {
		e.Fields["cloud"] = cloud
		if name, ok := cloud["cluster"].(string); ok && e.Cluster == "" {
			e.Cluster = name
		}
	}
	if *fault != nil {
		return event.Event{}, *fault
	}
	e.Class = apiClass(e.Object)
	for _, name := range []string{"requestReceivedTimestamp", "stageTimestamp", "timestamp"} {
		if e.Time = top.time(name); !e.Time.IsZero() {
			break
		}
	}
	if e.Time.IsZero() {
		e.Tags = append(e.Tags, TagTime)
	}
	stamp(&e, e.Time, o)
	finish(&e)
	return e, nil
}

// isAudit tells an audit event from other objects. Kind and version are left
// out in lists and by some exporters; then something that says who did what
// must be there.
func isAudit(top shape) error {
	top.unclash("kind", "apiVersion", "auditID", "stage", "verb", "requestURI", "user", "impersonatedUser", "sourceIPs",
		"objectRef", "responseStatus", "requestObject", "responseObject", "annotations", "requestReceivedTimestamp", "stageTimestamp")
	kind, version := top.str("kind"), top.str("apiVersion")
	verb, uri := top.str("verb"), top.str("requestURI")
	user := top.object("user")
	user.unclash("username", "groups", "uid")
	top.object("impersonatedUser").unclash("username", "groups", "uid")
	top.object("objectRef").unclash("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "subresource")
	top.object("responseStatus").unclash("code", "status")
	switch {
	case *top.err != nil:
		return *top.err
	case kind != "" && kind != "Event":
		return fmt.Errorf("kind is %s, not Event: not an audit event", clip(kind, 64))
	case version != "" && !strings.HasPrefix(version, "audit.k8s.io/"):
		return fmt.Errorf("apiVersion is %s: not an audit event", clip(version, 64))
	case verb == "" && uri == "" && user.str("username") == "":
		return errors.New("no verb, requestURI or user: not an audit event")
	case kind == "" && (verb == "" || top.str("auditID") == ""):
		return errors.New("neither kind nor verb and auditID: not an audit event")
	}
	return *top.err
}

func auditActor(top shape, trusted []netip.Prefix) event.Actor {
	user, as := top.object("user"), top.object("impersonatedUser")
	a := event.Actor{
		User:         user.str("username"),
		Groups:       user.strs("groups"),
		Impersonated: as.str("username"),
		UserAgent:    top.str("userAgent"),
	}
	a.ServiceAccount = serviceAccount(a.User)
	a.Address = clientAddress(top.strs("sourceIPs"), trusted)
	return a
}

// clientAddress is where a request came from, as far as it may be believed. The
// API server lists what X-Forwarded-For says, then X-Real-Ip, then whom it saw
// itself (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/).
// All but the last are headers, which any client can send with somebody else's
// address in them. So it is the last, and one before it only where all behind
// that are trusted proxies. What is no address stays as it is.
func clientAddress(sources []string, trusted []netip.Prefix) string {
	if len(sources) == 0 {
		return ""
	}
	peer := sources[len(sources)-1]
	if client := logline.Client(peer, sources[:len(sources)-1], trusted); client != "" {
		return client
	}
	return address(peer)
}

func auditObject(top shape) event.Ref {
	ref := top.object("objectRef")
	r := event.Ref{
		Group:       ref.str("apiGroup"),
		Resource:    ref.str("resource"),
		Subresource: ref.str("subresource"),
		Namespace:   ref.str("namespace"),
		Name:        ref.str("name"),
		UID:         ref.str("uid"),
	}
	r.Kind = kindOf(r.Resource)
	if r.Subresource != "" || top.m["verb"] != "create" {
		return r
	}
	// The name of what is created stands in the object that the server gave
	// back, or in the one that was sent.
	for _, body := range []string{"responseObject", "requestObject"} {
		object, _ := top.m[body].(map[string]any)
		meta, _ := object["metadata"].(map[string]any)
		if name, ok := meta["name"].(string); ok && (r.Name == "" || r.Name == name) && object["kind"] != "Status" {
			r.Name = name
			if uid, ok := meta["uid"].(string); ok && r.UID == "" && body == "responseObject" {
				r.UID = uid
			}
		}
	}
	return r
}

// kindOf names the kinds that Firebreak acts on.
func kindOf(resource string) string {
	switch resource {
	case "pods":
		return "Pod"
	case "nodes":
		return "Node"
	}
	return ""
}

func apiClass(r event.Ref) string {
	if r.Resource == "pods" {
		switch r.Subresource {
		case "exec", "attach", "portforward":
			return event.ClassAPIExec
		}
	}
	return event.ClassAPI
}

func apiOutcome(decision string, code int64) event.Outcome {
	if decision == "forbid" || code == 401 || code == 403 {
		return event.OutcomeDenied
	}
	return event.OutcomeAllowed
}

// serviceAccount is NAMESPACE/NAME of a service account's user name.
func serviceAccount(user string) string {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	if !ok {
		return ""
	}
	namespace, name, ok := strings.Cut(rest, ":")
	if !ok || namespace == "" || name == "" || strings.Contains(name, ":") {
		return ""
	}
	return namespace + "/" + name
}

// address is an IP address without port and zone in its canonical form, or
// the text as it is.
func address(text string) string {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return text
}

// execQuery takes command and container out of the query of an exec request.
func execQuery(uri string) (command []any, container string) {
	_, query, ok := strings.Cut(uri, "?")
	if !ok || len(query) > maxField {
		return nil, ""
	}
	values, _ := url.ParseQuery(query)
	for _, arg := range values["command"] {
		command = append(command, arg)
	}
	return command, values.Get("container")
}
