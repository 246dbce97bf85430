package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/chromium"
)

// pageBook asks for one person.
const pageBook = `---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: ask-page}
spec:
  when: finding.source == "falco" && target.namespace in ["paged", "paged-plain"]
  mode: ask
  approve: {need: 1, within: 30m}
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 2h, at_end: restore}
`

// page: who may decide in one namespace signs in to the page with the token of a
// service account, sees the incident come, approves, sees the quarantine, and
// undoes it; with JavaScript and without. Who may only look can't.
func (l *loop) page() {
	t := l.t
	var first event.Run
	t.Run("with JavaScript", func(t *testing.T) { first = l.on(t).decide("paged", true, first) })
	t.Run("without", func(t *testing.T) { l.on(t).decide("paged-plain", false, first) })
}

// somebody is a service account with a role in a namespace, by its token.
func (l *loop) somebody(namespace, name, role string) string {
	t := l.t
	accounts := l.admin.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := l.admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Who decides in one namespace sees all incidents: one can be about many.
	if role == "approver" {
		_, err := l.admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: namespace + "-sees"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "viewer"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: namespace}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the rights of "+name, func(ctx context.Context) error {
		review, err := l.admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + namespace + ":" + name,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: map[bool]string{false: namespace}[role == "approver"], Verb: "list", Group: "firebreak.io", Resource: "incidents"},
			},
		}, metav1.CreateOptions{})
		if err == nil && !review.Status.Allowed {
			err = errors.New("not yet")
		}
		return err
	})
	token, err := accounts.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// decide is the whole way in one namespace; other is a run that nobody of it may
// see.
func (l *loop) decide(namespace string, script bool, other event.Run) event.Run {
	t := l.t
	b := l.tab(script)
	l.makeNamespace(namespace)
	decider, watcher := l.somebody(namespace, "decider", "approver"), l.somebody(namespace, "watcher", "viewer")
	// No controller takes it away or makes another.
	suspect := lonely(t, l.admin, namespace, "suspect-of-"+namespace)
	before := marks(t, suspect.ObjectMeta)
	name := "system:serviceaccount:" + namespace + ":decider"
	b.do(chromedp.Navigate(l.api+"/console/"), chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", decider), chromedp.Submit("#token"),
		chromedp.WaitVisible(fmt.Sprintf(`//*[@class="who"]//bdi[contains(text(), %q)]`, name), chromedp.BySearch))
	if script {
		b.do(chromedp.WaitVisible("html[data-connected]"))
	}
	if err := l.alert(t.Context(), "Terminal shell in container", namespace, suspect.Name, containerID(suspect.Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	// It comes to the list by itself where scripts run; else who loads it again sees it.
	row := `//tr[.//a/bdi[contains(text(), "ask-page")]]`
	b.sees(script, row)
	b.do(chromedp.Click(row+"/th/a", chromedp.BySearch), chromedp.WaitVisible("#h-timeline"))
	link := fmt.Sprintf(`//li/a[starts-with(@href, "/console/runs/")][./bdi[contains(text(), "ask-page")]][./bdi[contains(text(), %q)]]`, suspect.Name)
	b.sees(script, link)
	b.do(chromedp.Click(link, chromedp.BySearch), chromedp.WaitVisible("#h-steps"))
	b.sees(script, `//*[@id="h-question"]`)
	run := l.process.run(l.token("bob"), "ask-page", suspect.Name, event.RunAwaiting)
	l.watch(watcher, run, other)
	if now := marks(t, getPod(t, l.admin, namespace, suspect.Name).ObjectMeta); now != before {
		t.Fatalf("before anybody approved it is\n%s", now)
	}
	b.do(chromedp.SendKeys("#reason-"+run.ID, "seen in the page"), chromedp.Click("#s-question button.yes"), chromedp.WaitVisible("#said"))
	if said := b.text("#said"); said != "Your yes counts." {
		t.Errorf("the page says %q", said)
	}
	b.sees(script, `//*[@id="s-steps"]//*[contains(text(), ", then restore")]`)
	b.sees(script, `//*[@id="s-what"]//*[contains(text(), "holding")]`)
	held := getPod(t, l.admin, namespace, suspect.Name)
	if held.UID != suspect.UID || held.Labels["firebreak.io/hold"] == "" {
		t.Errorf("the pod has labels %v", held.Labels)
	}
	run = l.process.run(l.token("bob"), "ask-page", suspect.Name, event.RunHolding)
	if v := run.Approval.Votes; len(v) != 1 || v[0].User != name || v[0].Reason != "seen in the page" {
		t.Errorf("the record has the votes %+v", v)
	}
	if text := b.text("#s-picture"); !strings.Contains(text, namespace+"/"+suspect.Name) {
		t.Errorf("the picture: %s", text)
	}
	b.do(chromedp.SendKeys(`#s-end form[action$="/undo"] textarea`, "a drill"), chromedp.Click(`#s-end form[action$="/undo"] button.no`), chromedp.WaitVisible("#said"))
	b.sees(script, `//*[@id="s-what"]//*[contains(text(), "closed")]`)
	eventually(t, "the pod is as it was", func(context.Context) error {
		if after := marks(t, getPod(t, l.admin, namespace, suspect.Name).ObjectMeta); after != before {
			return fmt.Errorf("it is\n%s\nwant\n%s", after, before)
		}
		return nil
	})
	b.do(chromedp.Click(".who button"), chromedp.WaitVisible("#token"))
	return run
}

// watch: who may only look sees the run, has no button, and a form that is sent
// all the same is refused.
func (l *loop) watch(token string, run, other event.Run) {
	t := l.t
	v, status, text := l.signIn(token, "/console/runs/"+run.ID)
	if status != http.StatusOK || !strings.Contains(text, "You may not approve the playbook ask-page in namespace "+run.Target.Namespace) || strings.Contains(text, `class="yes"`) {
		t.Fatalf("%d %s", status, text)
	}
	status, text = v.post("/console/runs/"+run.ID+"/approve", url.Values{"digest": {run.Approval.Digest}})
	if status != http.StatusForbidden || !strings.Contains(text, "may not approve playbooks.firebreak.io ask-page in namespace "+run.Target.Namespace) {
		t.Errorf("%d %s", status, text)
	}
	// What is of another namespace is not shown.
	if other.ID == "" {
		return
	}
	if status, _ := v.get("/console/runs/" + other.ID); status != http.StatusForbidden {
		t.Errorf("a run of another namespace: %d", status)
	}
}

// tab is a tab of a headless browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func (l *loop) tab(script bool) *tab {
	t := l.t
	t.Helper()
	ctx := chromium.Open(t, chromedp.WindowSize(1280, 1600))
	b := &tab{t, ctx}
	b.do(emulation.SetScriptExecutionDisabled(!script))
	return b
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		var now string
		_ = chromedp.Run(b.ctx, chromedp.OuterHTML("main", &now)) // it is for the message
		b.t.Fatalf("%v; the page is %s", err, now)
	}
}

func (b *tab) text(of string) (text string) {
	b.t.Helper()
	b.do(chromedp.Text(of, &text))
	return strings.TrimSpace(text)
}

// sees waits until something is on the page: it comes by itself where scripts
// run, and by loading the page again where not.
func (b *tab) sees(script bool, what string) {
	b.t.Helper()
	if script {
		b.do(chromedp.WaitVisible(what, chromedp.BySearch))
		return
	}
	eventually(b.t, "the page shows "+what, func(ctx context.Context) error {
		var found bool
		err := chromedp.Run(b.ctx, chromedp.Reload(), chromedp.WaitReady("footer"),
			chromedp.Evaluate(fmt.Sprintf(`document.evaluate(%q, document, null, XPathResult.BOOLEAN_TYPE).booleanValue`, what), &found))
		if err == nil && !found {
			err = errors.New("not yet")
		}
		return err
	})
}
