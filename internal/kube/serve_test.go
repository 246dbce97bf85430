package kube

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestServesNeverTakesSilenceForNo: that a cluster lacks a kind decides by which
// means something is denied, so only an API server that surely lacks it says no.
func TestServesNeverTakesSilenceForNo(t *testing.T) {
	const (
		notFound = `404 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
		away     = `503 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"ServiceUnavailable","code":503}`
		refused  = `403 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
		list     = `200 {"kind":"APIResourceList","apiVersion":"v1","groupVersion":"cilium.io/v2","resources":[{"name":"ciliumnetworkpolicies"}]}`
		empty    = `200 {"kind":"APIResourceList","apiVersion":"v1","groupVersion":"cilium.io/v2","resources":[]}`
		group    = `200 {"kind":"APIGroup","apiVersion":"v1","name":"cilium.io","versions":[{"groupVersion":"cilium.io/v2","version":"v2"}]}`
		other    = `200 {"kind":"APIGroup","apiVersion":"v1","name":"cilium.io","versions":[{"groupVersion":"cilium.io/v2alpha1","version":"v2alpha1"}]}`
	)
	for name, tt := range map[string]struct {
		version, group string
		want           bool
		err            error
		failed         bool
	}{
		"served":                       {version: list, want: true},
		"version without the kind":     {version: empty},
		"no such group":                {version: notFound, group: notFound},
		"another version alone":        {version: notFound, group: other},
		"the group has what is absent": {version: notFound, group: group, err: ErrBusy, failed: true},
		"the group can't be asked":     {version: notFound, group: away, failed: true},
		"the group may not be asked":   {version: notFound, group: refused, err: ErrForbidden, failed: true},
		"no answer":                    {version: away, failed: true},
		"may not ask":                  {version: refused, err: ErrForbidden, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := map[string]string{"/apis/cilium.io/v2": tt.version, "/apis/cilium.io": tt.group}[r.URL.Path]
				status, body, _ := strings.Cut(answer, " ")
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(map[string]int{"200": 200, "403": 403, "404": 404, "503": 503}[status])
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(h.Close)
			c := NewCache(clientOf(t, h.URL))
			for range 2 {
				got, err := c.Serves(t.Context(), "cilium.io", "v2", "ciliumnetworkpolicies")
				if got != tt.want || (err != nil) != tt.failed || tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("Serves gives %v, %v", got, err)
				}
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for path, want := range map[string][]string{"cilium.io": {"v2", "v2alpha1"}, "istio.io": nil} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path != "/apis/cilium.io" {
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
				return
			}
			_, _ = w.Write([]byte(`{"kind":"APIGroup","apiVersion":"v1","name":"cilium.io","versions":[{"groupVersion":"cilium.io/v2","version":"v2"},{"groupVersion":"cilium.io/v2alpha1","version":"v2alpha1"}]}`))
		}))
		t.Cleanup(h.Close)
		c := NewCache(clientOf(t, h.URL))
		for range 2 {
			if got, err := c.Versions(t.Context(), path); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", path, got, err)
			}
		}
	}
}
