package ingest

import (
	"reflect"
	"strings"
	"testing"
)

// ofAnn is a request of CN=ann, O=dev, as a CertificateSigningRequest holds it.
const ofAnn = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlHYk1FOENBUUF3SERFTU1Bb0dBMVVFQ2d3RFpHVjJNUXd3Q2dZRFZRUUREQU5oYm00d0tqQUZCZ01yWlhBRApJUUJoeURnSGM5ZkdHQXFEZFJmeWdkSlRSS25xdVdyVGtkbHVCZ2U5cjFadXJLQUFNQVVHQXl0bGNBTkJBTGtsCkJpY3RBTExCemdnU1F6bmNoenpwYnQ2L2JuTkhPOEE1d0tKZVZRUFZFVWVkYndPdUNsSzN1a1QwTVptTGdwMnYKS0VPbXZtYzdYN1ZJQnEwZllRUT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="

func TestRequestedIdentity(t *testing.T) {
	body := func(request any) map[string]any { return map[string]any{"spec": map[string]any{"request": request}} }
	if got, want := requestedIdentity("certificatesigningrequests/", body(ofAnn)), (map[string]any{"user": "ann", "groups": []any{"dev"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, request := range []any{"", nil, 7, "x", "AAAA", ofAnn[:100], strings.Repeat("A", 1<<20), "LS0tLS1CRUdJTiBYLS0tLS0KQUFBQQotLS0tLUVORCBYLS0tLS0K"} {
		if got := requestedIdentity("certificatesigningrequests/", body(request)); got != nil {
			t.Errorf("%.40v is %v", request, got)
		}
	}
	if got := requestedIdentity("pods/", body(ofAnn)); got != nil {
		t.Errorf("of a pod it is %v", got)
	}
}

// TestCertificateRequestsKeepTheirSubject: the request goes, whom it is for stays.
func TestCertificateRequestsKeepTheirSubject(t *testing.T) {
	line := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"1","stage":"ResponseComplete","verb":"create","user":{"username":"pat"},` +
		`"objectRef":{"resource":"certificatesigningrequests","apiGroup":"certificates.k8s.io","name":"c"},"requestObject":{"spec":{"request":"` + ofAnn + `","signerName":"kubernetes.io/kube-apiserver-client"}},` +
		`"requestReceivedTimestamp":"2026-03-01T10:00:00Z","stageTimestamp":"2026-03-01T10:00:00Z"}`
	var got []Item
	if _, err := Scan("audit", "x", strings.NewReader(line), Origin{}, func(it Item) error { got = append(got, it); return nil }); err != nil || len(got) != 1 || got[0].Event == nil {
		t.Fatalf("%v, %v", got, err)
	}
	fields := got[0].Event.Fields
	if want := (map[string]any{"user": "ann", "groups": []any{"dev"}}); !reflect.DeepEqual(fields["certificate"], want) {
		t.Errorf("the subject is %v", fields["certificate"])
	}
	request, _ := fields["request"].(map[string]any)
	spec, _ := request["spec"].(map[string]any)
	if spec["request"] != Redacted {
		t.Errorf("the request is %v", spec["request"])
	}
}

func FuzzRequestedIdentity(f *testing.F) {
	f.Add(ofAnn)
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		got := requestedIdentity("certificatesigningrequests/", map[string]any{"spec": map[string]any{"request": text}})
		if got != nil && len(got) != 2 {
			t.Errorf("%q is %v", text, got)
		}
	})
}
