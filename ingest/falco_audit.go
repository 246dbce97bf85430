package ingest

import (
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// isK8sAudit says that an alert came of Falco's k8saudit plugin, when it does
// not name its source.
func isK8sAudit(f event.Fields) bool {
	return known(f, "evt.source") == "" && known(f, "ka.verb", "ka.uri", "ka.auditid") != ""
}

// falcoAudit fills what a rule over audit events says: the ka.* fields of
// Falco's k8saudit plugin. The event was made by the API server but came by
// way of Falco, so its trust is that of Falco without the runtime.
func falcoAudit(e *event.Event) {
	f := e.Fields
	e.Trust = event.TrustName
	e.Verb = known(f, "ka.verb")
	e.Object = event.Ref{
		Group:       known(f, "ka.target.apigroup"),
		Resource:    known(f, "ka.target.resource"),
		Subresource: known(f, "ka.target.subresource"),
		Namespace:   known(f, "ka.target.namespace"),
		Name:        known(f, "ka.target.name"),
	}
	if e.Object.Name == "" && e.Object.Resource == "pods" {
		e.Object.Name = known(f, "ka.target.pod.name")
	}
	e.Object.Kind = kindOf(e.Object.Resource)
	first, _, _ := strings.Cut(known(f, "ka.sourceips"), ",")
	e.Actor = event.Actor{
		User:         known(f, "ka.user.name"),
		Impersonated: known(f, "ka.impuser.name"),
		Address:      address(strings.Trim(first, "() ")),
		UserAgent:    known(f, "ka.useragent"),
	}
	e.Actor.ServiceAccount = serviceAccount(e.Actor.User)
	e.Class = apiClass(e.Object)
	e.Outcome = apiOutcome(known(f, "ka.auth.decision"), falcoCode(f["ka.response.code"]))
}

func falcoCode(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case string:
		n, _ := strconv.ParseInt(v, 10, 32)
		return n
	}
	return 0
}
