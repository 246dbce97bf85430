package kube

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
)

// server answers every request with one status and keeps what was asked.
type server struct {
	asked        int
	status       int
	answer       string
	method, path string
	header       http.Header
	body         string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a cut body shows in the test
	s.asked++
	s.method, s.path, s.header, s.body = r.Method, r.URL.RequestURI(), r.Header, string(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.answer)
}

func client(t *testing.T, s *server) *Client {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return clientOf(t, h.URL)
}

// clientOf is a client of an API server at this address.
func clientOf(t *testing.T, address string) *Client {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	path := t.TempDir() + "/config"
	config := `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"` + address +
		`"}}],"users":[{"name":"u","user":{"token":"of the file"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`
	if err := writeFile(path, config); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Kubeconfig: path, Token: "given"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const podAnswer = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop","uid":"u1","resourceVersion":"8"}}`

func podWrite(verb string) event.Write {
	return event.Write{Verb: verb, Version: "v1", Resource: "pods", Namespace: "shop", Name: "p", UID: "u1", ResourceVersion: "7",
		Body: []byte(`{"metadata":{"labels":{"a":null}}}`)}
}

func TestApplyIsConditional(t *testing.T) {
	s := &server{status: 200, answer: podAnswer}
	c := client(t, s)
	uid, rv, err := c.Apply(t.Context(), podWrite("patch"), ApplyOptions{})
	if err != nil || uid != "u1" || rv != "8" {
		t.Fatal(uid, rv, err)
	}
	if s.method != "PATCH" || s.path != "/api/v1/namespaces/shop/pods/p?fieldManager=firebreak" || s.header.Get("Content-Type") != "application/merge-patch+json" {
		t.Error(s.method, s.path, s.header)
	}
	if s.header.Get("Authorization") != "Bearer given" || s.header.Get("User-Agent") != "firebreak" {
		t.Error(s.header)
	}
	if d := cmp.Diff(`{"metadata":{"labels":{"a":null},"resourceVersion":"7","uid":"u1"}}`, s.body); d != "" {
		t.Error(d)
	}
	if _, _, err := c.Apply(t.Context(), podWrite("delete"), ApplyOptions{DryRun: true}); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Preconditions map[string]string
		DryRun        []string
	}
	if err := json.Unmarshal([]byte(s.body), &sent); err != nil {
		t.Fatal(err)
	}
	if s.method != "DELETE" || sent.Preconditions["uid"] != "u1" || sent.Preconditions["resourceVersion"] != "7" || len(sent.DryRun) != 1 {
		t.Errorf("%s %s", s.method, s.body)
	}
}

// TestDryDeleteSaysSoInItsAddress: who reads the audit log sees that nothing went.
func TestDryDeleteSaysSoInItsAddress(t *testing.T) {
	for want, w := range map[string]event.Write{
		"/api/v1/namespaces/shop/pods/p": podWrite("delete"),
		"/api/v1/nodes/n":                {Verb: "delete", Version: "v1", Resource: "nodes", Name: "n", UID: "u1", ResourceVersion: "7"},
		"/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/p": {
			Verb: "delete", Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: "shop", Name: "p", UID: "u1", ResourceVersion: "7",
		},
	} {
		s := &server{status: 200, answer: podAnswer}
		c := client(t, s)
		w.Body = nil
		if _, _, err := c.Apply(t.Context(), w, ApplyOptions{DryRun: true}); err != nil {
			t.Fatal(err)
		}
		if s.method != "DELETE" || s.path != want+"?dryRun=All" || !strings.Contains(s.body, `"dryRun":["All"]`) {
			t.Errorf("tried by %s %s %s", s.method, s.path, s.body)
		}
		if _, _, err := c.Apply(t.Context(), w, ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		if path, _, _ := strings.Cut(s.path, "?"); s.method != "DELETE" || path != want || strings.Contains(s.path+s.body, "dryRun") {
			t.Errorf("done by %s %s %s", s.method, s.path, s.body)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	s := &server{status: 200, answer: podAnswer}
	c := client(t, s)
	bad := map[string]func(*event.Write){
		"no uid":             func(w *event.Write) { w.UID = "" },
		"no resourceVersion": func(w *event.Write) { w.ResourceVersion = "" },
		"no uid, delete":     func(w *event.Write) { w.Verb, w.UID = "delete", "" },
		"no version, delete": func(w *event.Write) { w.Verb, w.ResourceVersion = "delete", "" },
		"no name":            func(w *event.Write) { w.Name = "" },
		"no resource":        func(w *event.Write) { w.Resource = "" },
		"verb":               func(w *event.Write) { w.Verb = "post" },
		"no JSON":            func(w *event.Write) { w.Body = []byte("{") },
		"body null":          func(w *event.Write) { w.Body = []byte("null") },
		"body a list":        func(w *event.Write) { w.Body = []byte("[]") },
		"metadata a string":  func(w *event.Write) { w.Body = []byte(`{"metadata":"x"}`) },
		"create another name": func(w *event.Write) {
			w.Verb, w.Body = "create", []byte(`{"metadata":{"name":"q","namespace":"shop"}}`)
		},
		"create elsewhere": func(w *event.Write) { w.Verb, w.Body = "create", []byte(`{"metadata":{"name":"p","namespace":"x"}}`) },
	}
	for name, change := range bad {
		w := podWrite("patch")
		change(&w)
		if _, _, err := c.Apply(t.Context(), w, ApplyOptions{}); err == nil {
			t.Errorf("%s: sent %s %s", name, s.method, s.body)
		}
	}
	if s.method != "" {
		t.Error("something was sent")
	}
}

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		status int
		answer string
		want   error
		text   string
	}{
		"missing": {404, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`, ErrNotFound, "patch pods shop/p: not found"},
		"changed": {409, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"the object has been modified"}`, ErrConflict, "patch pods shop/p: changed meanwhile"},
		"another UID": {409, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"Precondition failed: UID in precondition: a, UID in object meta: b"}`,
			ErrUIDMismatch, "patch pods shop/p: is another object of the same name: changed meanwhile"},
		"another UID, invalid": {422, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"details":{"causes":[{"reason":"FieldValueInvalid","field":"metadata.uid"}]}}`,
			ErrUIDMismatch, "patch pods shop/p: is another object of the same name: changed meanwhile"},
		"no permission": {403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods \"p\" is forbidden: User \"x\" cannot patch resource \"pods\" in API group \"\" in the namespace \"shop\""}`,
			ErrForbidden, "patch pods shop/p: missing permission: patch pods in namespace shop (see firebreak rbac)"},
		"admission": {403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods \"p\" is forbidden: policy says no"}`,
			ErrForbidden, `patch pods shop/p: forbidden by admission: pods "p" is forbidden: policy says no`},
		"admission policy": {422, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"pods \"p\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' denied request: no"}`,
			ErrForbidden, `patch pods shop/p: forbidden by admission: pods "p" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' denied request: no`},
		"too much to do": {429, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","code":429,"message":"a budget"}`, ErrBusy, "patch pods shop/p: can't be done now: a budget"},
		"credential":     {401, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401,"message":"Unauthorized"}`, ErrUnauthenticated, "patch pods shop/p: not authenticated: Unauthorized"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := client(t, &server{status: tt.status, answer: tt.answer}).Apply(t.Context(), podWrite("patch"), ApplyOptions{})
			if !errors.Is(err, tt.want) {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.text, err.Error()); d != "" {
				t.Error(d)
			}
		})
	}
	if !errors.Is(ErrUIDMismatch, ErrConflict) {
		t.Error("a UID mismatch is a conflict")
	}
}

func TestReviewTokenSaysNothingOfIt(t *testing.T) {
	s := &server{status: 201, answer: `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":false,"error":"bad token s3cret"}}`}
	c := client(t, s)
	_, err := c.ReviewToken(t.Context(), "s3cret")
	if !errors.Is(err, ErrUnauthenticated) || err.Error() != "create tokenreviews: not authenticated" {
		t.Error(err)
	}
	s.method = ""
	if _, err := c.ReviewToken(t.Context(), " "); !errors.Is(err, ErrUnauthenticated) || s.method != "" {
		t.Error("an empty token was sent", err)
	}
	if ok, _, err := c.Allowed(t.Context(), User{}, "approve", "firebreak.io", "playbooks", "x", "shop"); ok || err == nil || s.method != "" {
		t.Error("a user without a name was reviewed")
	}
}

// A review that says both allowed and denied is a no.
func TestAllowedIsAClearYes(t *testing.T) {
	for answer, want := range map[string]bool{
		`"allowed":true`: true, `"allowed":false`: false, `"allowed":true,"denied":true`: false, `"reason":"x"`: false,
	} {
		s := &server{status: 201, answer: `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{` + answer + `}}`}
		ok, _, err := client(t, s).Allowed(t.Context(), User{Name: "ann"}, "approve", "firebreak.io", "playbooks", "x", "shop")
		if ok != want || err != nil {
			t.Errorf("%s: %v %v", answer, ok, err)
		}
	}
}
