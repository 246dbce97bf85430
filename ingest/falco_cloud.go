package ingest

import (
	"net/netip"

	"github.com/firebreak-io/firebreak/internal/event"
)

// falcoCloud fills who did what from where by the fields of the plugins that read
// clouds' and platforms' audit logs: cloudtrail, gcpaudit, okta, github and
// azure's. Where a plugin has a name and a key of the same person, it is the
// one that its console shows.
//
// https://github.com/falcosecurity/plugins/tree/main/plugins
func falcoCloud(e *event.Event) {
	f := e.Fields
	if e.Actor.User == "" {
		e.Actor.User = known(f, "ct.user", "ct.user.arn", "ct.user.principalid", "ct.user.accountid", "gcp.user", "okta.actor.alternateID", "okta.actor.name", "okta.actor.ID",
			"github.user", "azure.identity", "azure.user", "box.user", "salesforce.username", "keycloak.username", "keycloak.user_id", "gitlab.author_name", "gitlab.user")
	}
	e.Actor.Address = falcoAddress(f, "ct.srcip", "gcp.callerIP", "okta.client.ip", "azure.callerip", "keycloak.ip_address", "gitlab.ip_address", "ct.request.sourceipaddress")
	e.Actor.UserAgent = known(f, "ct.useragent", "gcp.userAgent", "okta.useragent.raw")
	if verb := known(f, "ct.name", "gcp.methodName", "okta.evt.type", "github.action", "github.type", "azure.operationname", "keycloak.type"); verb != "" {
		e.Verb = verb
	}
}

// falcoAddress is the first of the fields that has an IP address: a call of a
// cloud by itself has the name of a service there.
func falcoAddress(f event.Fields, names ...string) string {
	for _, name := range names {
		if a, err := netip.ParseAddr(address(known(f, name))); err == nil {
			return a.Unmap().String()
		}
	}
	return ""
}
