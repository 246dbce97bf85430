package ingest

import (
	"reflect"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The k8smeta plugin has the pod under names of its own; what the container
// runtime said comes first.
func TestFalcoMeta(t *testing.T) {
	for line, want := range map[string]string{
		`{"rule":"r","output":"o","priority":"Notice","output_fields":{"container.id":"3ad7b26ded6d","k8s.ns.name":null,"k8s.pod.name":"<NA>","k8smeta.ns.name":"shop","k8smeta.pod.name":"web-1","k8smeta.pod.uid":"u-1"}}`: "shop/web-1 u-1",
		`{"rule":"r","output":"o","priority":"Notice","output_fields":{"container.id":"3ad7b26ded6d","k8s.ns.name":"a","k8s.pod.name":"b","k8smeta.ns.name":"shop","k8smeta.pod.name":"web-1"}}`:                             "a/b ",
	} {
		_, items := scanAll(t, "falco", "alerts", []byte(line))
		if len(items) != 1 || items[0].Event == nil {
			t.Fatalf("%s: %+v", line, items)
		}
		if o := items[0].Event.Object; o.Namespace+"/"+o.Name+" "+o.UID != want || o.Resource != "pods" {
			t.Errorf("%s: object %+v, want %s", line, o, want)
		}
	}
}

// Plugins that read the audit logs of clouds and platforms name who it was.
func TestFalcoCloud(t *testing.T) {
	for fields, want := range map[string]event.Actor{
		`"cloudtrail","output_fields":{"ct.user":"alice","ct.user.arn":"arn:aws:iam::1:user/alice","ct.srcip":"203.0.113.9","ct.useragent":"aws-cli/2","ct.name":"ConsoleLogin"}`: {User: "alice", Address: "203.0.113.9", UserAgent: "aws-cli/2"},
		`"aws_cloudtrail","output_fields":{"ct.user":null,"ct.user.arn":"arn:aws:sts::1:assumed-role/r/s","ct.srcip":"ec2.amazonaws.com"}`:                                        {User: "arn:aws:sts::1:assumed-role/r/s"},
		`"okta","output_fields":{"okta.actor.alternateID":"bob@x.example","okta.actor.name":"Bob","okta.client.ip":"2001:db8::9"}`:                                                {User: "bob@x.example", Address: "2001:db8::9"},
		`"github","output_fields":{"github.user":"carol","github.repo":"x/y"}`:                                                                                                    {User: "carol"},
		`"gcp_auditlog","output_fields":{"gcp.user":"dan@x.example","gcp.callerIP":"203.0.113.9","gcp.userAgent":"gcloud"}`:                                                       {User: "dan@x.example", Address: "203.0.113.9", UserAgent: "gcloud"},
		`"cloudtrail","output_fields":{"ct.user":"<NA>","ct.srcip":null}`:                                                                                                         {},
		`"syscall","output_fields":{"user.name":"root","ct.user":"alice","ct.srcip":"203.0.113.9"}`:                                                                               {User: "root"},
	} {
		line := `{"rule":"r","output":"o","priority":"wArNiNg","source":` + fields + `}`
		_, items := scanAll(t, "falco", "alerts", []byte(line))
		if len(items) != 1 || items[0].Event == nil {
			t.Fatalf("%s: %+v", line, items)
		}
		if got := items[0].Event; !reflect.DeepEqual(got.Actor, want) || got.Severity != event.SeverityMedium {
			t.Errorf("%s: actor %+v of severity %s, want %+v", line, got.Actor, got.Severity, want)
		}
	}
}
