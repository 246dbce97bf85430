package kube

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	saysNotFound = `404 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
	saysAway     = `503 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"ServiceUnavailable","code":503}`
	saysBroken   = `500 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"conversion webhook failed","code":500}`
	saysGroup    = `200 {"kind":"APIGroup","apiVersion":"v1","name":"cilium.io","versions":[{"groupVersion":"cilium.io/v2","version":"v2"}]}`
	saysList     = `200 {"kind":"APIResourceList","apiVersion":"v1","groupVersion":"cilium.io/v2","resources":[{"name":"ciliumnetworkpolicies"}]}`
	saysNone     = `200 {"kind":"CiliumNetworkPolicyList","apiVersion":"cilium.io/v2","items":[]}`
	saysPods     = `200 {"kind":"PodList","apiVersion":"v1","items":[]}`
)

// inMemory is an API server that answers paths so, all else with 404, in memory: what
// is asked of it takes no time but what the test lets pass.
type inMemory struct {
	answers map[string]string
	asked   atomic.Int64
	hangs   string
}

func (m *inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.asked.Add(1)
	if m.hangs != "" && strings.HasPrefix(r.URL.Path, m.hangs) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer, ok := m.answers[r.URL.Path]
	if !ok {
		answer = saysNotFound
	}
	if answer == "" {
		return nil, errors.New("connection refused")
	}
	status, body, _ := strings.Cut(answer, " ")
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(map[string]int{"200": 200, "404": 404, "500": 500, "503": 503}[status])
	_, _ = w.WriteString(body)
	return w.Result(), nil
}

func (m *inMemory) client(t *testing.T) *Cache {
	t.Helper()
	c, err := newClient(&rest.Config{Host: "http://in.memory", Transport: m}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return NewCache(c)
}

// TestForeignHoldsNobodyUp: what others broke is waited for, since it may only be new,
// and then is an error that everybody can go on with.
func TestForeignHoldsNobodyUp(t *testing.T) {
	const version, objects = "/apis/cilium.io/v2", "/apis/cilium.io/v2/ciliumnetworkpolicies"
	for name, c := range map[string]struct {
		answers map[string]string
		hangs   string
		want    error
	}{
		"names are taken":      {map[string]string{"/apis/cilium.io": saysGroup}, "", ErrUnserved},
		"backend is down":      {map[string]string{"/apis/cilium.io": saysGroup, version: saysAway}, "", ErrUnanswered},
		"backend hangs":        {map[string]string{"/apis/cilium.io": saysGroup}, version, ErrUnanswered},
		"objects hang":         {map[string]string{"/apis/cilium.io": saysGroup, version: saysList}, objects, ErrUnanswered},
		"conversion is broken": {map[string]string{"/apis/cilium.io": saysGroup, version: saysList, objects: saysBroken}, "", ErrUnanswered},
		"objects are absent":   {map[string]string{"/apis/cilium.io": saysGroup, version: saysList}, "", ErrUnserved},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &inMemory{answers: c.answers, hangs: c.hangs}
				client := m.client(t)
				read := func() error {
					if _, err := client.Serves(t.Context(), "cilium.io", "v2", "ciliumnetworkpolicies"); err != nil {
						return err
					}
					_, err := client.List(t.Context(), "cilium.io", "v2", "ciliumnetworkpolicies", "", "")
					return err
				}
				began := time.Now()
				err := read()
				for time.Since(began) < 2*settles && errors.Is(err, ErrBusy) {
					if Unread(err) {
						t.Fatal("may be new, and is given up:", err)
					}
					<-time.After(time.Second)
					err = read()
				}
				if took := time.Since(began); !errors.Is(err, c.want) || !Unread(err) || took < settles {
					t.Fatalf("after %s: %v", took, err)
				}
				// It is not asked each time, but for which kinds there are, and not waited for.
				began, asked := time.Now(), m.asked.Load()
				if err := read(); !errors.Is(err, c.want) || !time.Now().Equal(began) || m.asked.Load() > asked+1 {
					t.Errorf("at once after: %v, after %s and %d requests", err, time.Since(began), m.asked.Load()-asked)
				}
				m.hangs, m.answers = "", map[string]string{"/apis/cilium.io": saysGroup, version: saysList, objects: saysNone}
				<-time.After(recall)
				if err := read(); err != nil {
					t.Error("it is mended, and not read:", err)
				}
			})
		})
	}
}

// TestStartingServerIsNoBrokenDefinition: an API server that was away says for a moment
// that it has none of what others brought, however long they were not answered for.
func TestStartingServerIsNoBrokenDefinition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &inMemory{answers: map[string]string{"/apis/cilium.io": "", "/apis/cilium.io/v2": "", "/api/v1/pods": ""}}
		client := m.client(t)
		ask := func() error {
			_, _ = client.Pods(t.Context(), "", "")
			_, err := client.Serves(t.Context(), "cilium.io", "v2", "ciliumnetworkpolicies")
			return err
		}
		for range 5 {
			if err := ask(); !errors.Is(err, ErrBusy) || Unread(err) {
				t.Fatal("while it is away:", err)
			}
			<-time.After(settles)
		}
		_ = ask()
		m.answers = map[string]string{"/apis/cilium.io": saysGroup, "/api/v1/pods": saysPods}
		for range settles / time.Second {
			if err := ask(); !errors.Is(err, ErrBusy) || Unread(err) {
				t.Fatal("while it starts:", err)
			}
			<-time.After(time.Second)
		}
		if err := ask(); !errors.Is(err, ErrUnserved) {
			t.Error("long after it began:", err)
		}
	})
}

// TestForeignWritesEnd: a write that nobody behind the API server takes ends in an error
// to go on with, and an answer that refuses stays what it is.
func TestForeignWritesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const objects = "/apis/cilium.io/v2/namespaces/shop/ciliumnetworkpolicies"
		m := &inMemory{answers: map[string]string{objects: saysBroken}}
		client := m.client(t)
		write := func() error {
			_, _, err := client.Apply(t.Context(), event.Write{
				Verb: "create", Group: "cilium.io", Version: "v2", Resource: "ciliumnetworkpolicies", Namespace: "shop", Name: "p",
				Body: []byte(`{"apiVersion":"cilium.io/v2","kind":"CiliumNetworkPolicy","metadata":{"namespace":"shop","name":"p"}}`),
			}, ApplyOptions{})
			return err
		}
		if err := write(); !errors.Is(err, ErrBusy) {
			t.Error("at first:", err)
		}
		<-time.After(settles)
		if err := write(); !errors.Is(err, ErrUnanswered) {
			t.Error("then:", err)
		}
		m.answers = nil
		<-time.After(recall)
		if err := write(); !errors.Is(err, ErrNotFound) || Unread(err) {
			t.Error("refused:", err)
		}
	})
}

// TestManySilent: what comes on top of those that are timed holds nobody up at all.
func TestManySilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := (&inMemory{answers: map[string]string{}}).client(t)
		var err error
		for i := range maxSilent + 1 {
			_, err = client.List(t.Context(), "cilium.io", "v2", "ciliumnetworkpolicies", "n"+strconv.Itoa(i), "")
		}
		if !errors.Is(err, ErrUnserved) || len(client.silent.of) != maxSilent {
			t.Errorf("%d are timed: %v", len(client.silent.of), err)
		}
	})
}

// TestBuiltInIsNotForeign: what Kubernetes ships is never gone on without.
func TestBuiltInIsNotForeign(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/pods": false, "/apis/apps/v1/deployments": false, "/apis/networking.k8s.io/v1/networkpolicies": false,
		"/apis/apiregistration.k8s.io/v1/apiservices": false, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": false,
		"/apis/rbac.authorization.k8s.io/v1/roles": false, "/version": false,
		"/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies": true, "/apis/cilium.io": true, "/apis/metrics.k8s.io/v1beta1": true,
	} {
		if foreignPath(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
