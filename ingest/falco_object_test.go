package ingest

import "testing"

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
