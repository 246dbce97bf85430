package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// pagers takes what a pager is told.
type pagers struct {
	mu  sync.Mutex
	all []paged
}

type paged struct {
	Action  string `json:"event_action"`
	Dedup   string `json:"dedup_key"`
	Payload struct {
		Summary string         `json:"summary"`
		Details map[string]any `json:"custom_details"`
	} `json:"payload"`
}

// ServeHTTP takes an event.
func (p *pagers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var one paged
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, one)
	w.WriteHeader(http.StatusAccepted)
}

// of are the events about an incident.
func (p *pagers) of(incident string) (actions []string, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.all {
		if strings.Contains(one.Dedup, incident) {
			actions = append(actions, one.Action)
			text += fmt.Sprintln(one.Payload.Summary, one.Payload.Details)
		}
	}
	return actions, text
}

// pagedBy gives the service a pager that all is routed to.
func (l *loop) pagedBy() {
	l.pager = &pagers{}
	server := httptest.NewServer(l.pager)
	l.t.Cleanup(server.Close)
	l.write("pager-key", "0123456789abcdef0123456789abcdef")
	path := filepath.Join(l.dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("config.yaml", string(text)+fmt.Sprintf(`  notify:
    receivers:
      - {name: oncall, kind: pagerduty, with: {url: %q, allow_private: true, routing_key: {file: pager-key}}}
    routes:
      - {to: [oncall]}
`, server.URL+"/v2/enqueue"))
}

// give binds a role that Firebreak ships to a person, in a namespace or, without
// one, everywhere, and waits until the cluster knows. Who may already is given
// nothing.
func (l *loop) give(user, role, namespace, verb, resource string) {
	t := l.t
	t.Helper()
	if l.allows(t.Context(), user, namespace, verb, resource) {
		return
	}
	text, err := os.ReadFile("../../deploy/base/people.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "---\n") {
		if !strings.Contains(document, "name: "+role+"\n") {
			continue
		}
		made, ok := rights(t, document).(*rbacv1.ClusterRole)
		if !ok {
			t.Fatalf("%s is no role", role)
		}
		if _, err := l.admin.RbacV1().ClusterRoles().Create(t.Context(), made, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	meta := metav1.ObjectMeta{Name: user + "-" + role}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	who := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}
	if namespace == "" {
		_, err = l.admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: who}, metav1.CreateOptions{})
	} else {
		_, err = l.admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: who}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, user+" may "+verb, func(ctx context.Context) error {
		if !l.allows(ctx, user, namespace, verb, resource) {
			return errors.New("not yet")
		}
		return nil
	})
}

// glass: who has that right breaks the glass, with a reason, and nobody else; it
// is paged, shown in Slack, and reviewed by another. Who sees to the incident says
// so, and the pager is told.
func (l *loop) glass() {
	t := l.t
	const ns = "burning"
	l.makeNamespace(ns)
	pod := barePod(t, l.admin, ns, "suspect", nil)
	before := marks(t, pod.ObjectMeta)
	alice, bob, mallory := l.token("alice"), l.token("bob"), l.token("mallory")
	l.give("alice", "firebreak-approver", ns, "start", "playbooks")
	l.give("alice", "firebreak-reviewer", "", "update", "reviews")
	var run event.Run
	l.answer(alice, &run, "start", "ask-first", "--target", "pods/"+ns+"/suspect", "--reason", "it burns", "-o", "json")
	run = l.process.run(bob, "ask-first", "suspect", event.RunAwaiting)

	why := []string{"--reason", "nobody else is awake", "--yes"}
	l.refused(mallory, [][]string{
		append([]string{"mallory may not", "break-glass", run.ID}, why...),
		{"mallory may not list incidents.firebreak.io", "incidents", "ack", run.Incident.ID},
		{"mallory may not list reviews.firebreak.io", "reviews"},
	})
	l.refused(alice, [][]string{
		append([]string{"alice may not break-glass playbooks.firebreak.io ask-first in namespace " + ns, "break-glass", run.ID}, why...),
		{"your vote does not count", "approve", run.ID, "--yes"}, // she has started it
	})
	l.refused(bob, [][]string{
		append([]string{"bob may not break-glass playbooks.firebreak.io ask-first in namespace " + ns, "break-glass", run.ID}, why...),
		{"bob may not approve playbooks.firebreak.io ask-first in namespace " + ns, "approve", run.ID, "--yes"},
		{"say why: --reason", "break-glass", run.ID, "--yes"},
		{"bob may not acknowledge incidents.firebreak.io", "incidents", "ack", run.Incident.ID},
	})
	if held := getPod(t, l.admin, ns, "suspect"); held.Labels["firebreak.io/hold"] != "" {
		t.Fatalf("labels are %v before anybody decided", held.Labels)
	}

	l.give("bob", "firebreak-break-glass", ns, "break-glass", "playbooks")
	l.must(bob, append([]string{"break-glass", run.ID}, why...)...)
	run = l.process.run(bob, "ask-first", "suspect", event.RunHolding)
	if isolated(run).BrokenBy != "bob" {
		t.Errorf("the step is %+v", isolated(run))
	}
	if held := getPod(t, l.admin, ns, "suspect"); held.Labels["firebreak.io/hold"] == "" {
		t.Errorf("labels are %v", held.Labels)
	}
	eventually(t, "people are paged", func(context.Context) error {
		if actions, text := l.pager.of(run.Incident.ID); !slices.Contains(actions, "trigger") || !strings.Contains(text, "bob broke the glass") || !strings.Contains(text, "nobody else is awake") {
			return fmt.Errorf("%q: %s", actions, text)
		}
		return nil
	})
	l.card(t, "suspect", func(m workspace.Message) bool { return strings.Contains(m.Shows(), "THE GLASS WAS BROKEN by bob") })
	l.reviewed(run)
	l.acknowledged(run.Incident.ID)

	l.must(alice, "undo", run.ID, "--yes", "--reason", "it is out")
	l.process.run(bob, "ask-first", "suspect", event.RunClosed)
	if after := marks(t, getPod(t, l.admin, ns, "suspect").ObjectMeta); after != before {
		t.Errorf("after the undo\n%s\nwant\n%s", after, before)
	}
}

// reviewed: a broken glass is reviewed by another, with what they found.
func (l *loop) reviewed(run event.Run) {
	t := l.t
	t.Helper()
	alice, bob := l.token("alice"), l.token("bob")
	var all approve.Reviews
	mine := func() respond.Review {
		t.Helper()
		l.answer(alice, &all, "reviews", "-o", "json")
		at := slices.IndexFunc(all.Reviews, func(r respond.Review) bool { return r.Run == run.ID })
		if at < 0 {
			t.Fatalf("no review of %s in %+v", run.ID, all.Reviews)
		}
		return all.Reviews[at]
	}
	review := mine()
	if !review.Open() || review.By != "bob" || review.Reason != "nobody else is awake" {
		t.Errorf("the review is %+v", review)
	}
	l.refused(bob, [][]string{{"bob may not list reviews.firebreak.io", "reviews"}})
	l.give("bob", "firebreak-reviewer", "", "update", "reviews")
	l.refused(bob, [][]string{{"who broke the glass can't review it", "reviews", "close", review.ID, "--note", "all well"}})
	l.refused(alice, [][]string{{"what was found has to be said", "reviews", "close", review.ID}})
	l.must(alice, "reviews", "close", review.ID, "--note", "it did burn")
	if review = mine(); review.Open() {
		t.Errorf("the review is %+v", review)
	}
	l.refused(alice, [][]string{{"", "reviews", "close", review.ID, "--note", "again"}})
}

// acknowledged: who may says that they see to an incident, once, and the pager is
// told under the key of the page.
func (l *loop) acknowledged(incident string) {
	t := l.t
	t.Helper()
	alice, bob := l.token("alice"), l.token("bob")
	l.give("bob", "firebreak-responder", "", "acknowledge", "incidents")
	l.must(bob, "incidents", "ack", incident, "--reason", "on it")
	eventually(t, "the incident says who sees to it", func(context.Context) error {
		var s struct{ Incident event.Incident }
		if l.answer(bob, &s, "incidents", "show", incident, "-o", "json"); s.Incident.AcknowledgedBy != "bob" {
			return fmt.Errorf("it says %q", s.Incident.AcknowledgedBy)
		}
		return nil
	})
	l.refused(bob, [][]string{{"bob sees to it already", "incidents", "ack", incident}})
	l.refused(alice, [][]string{{"alice may not acknowledge incidents.firebreak.io", "incidents", "ack", incident}})
	eventually(t, "the pager is told", func(context.Context) error {
		if actions, _ := l.pager.of(incident); !slices.Contains(actions, "acknowledge") {
			return fmt.Errorf("it was told %q", actions)
		}
		return nil
	})
}

// allows says whether the cluster lets somebody do something.
func (l *loop) allows(ctx context.Context, user, namespace, verb, resource string) bool {
	l.t.Helper()
	review, err := l.admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: "firebreak.io", Resource: resource,
		}},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed
}
