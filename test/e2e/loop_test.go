package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// Tests that have a control plane of their own, or mostly wait, run beside one
// another after all others.
func TestLoop(t *testing.T) {
	t.Parallel()
	l := newLoop(t)
	t.Run("exec becomes a finding", func(t *testing.T) { l.on(t).exec() })
	t.Run("operated by people", func(t *testing.T) { l.on(t).operate() })
	t.Run("models and verdicts", func(t *testing.T) { l.on(t).models() })
	t.Run("alert becomes a quarantine that can be undone", func(t *testing.T) { l.on(t).quarantine() })
	t.Run("ask waits for who may approve", func(t *testing.T) { l.on(t).approve() })
	t.Run("two approve in Slack", func(t *testing.T) { l.on(t).slack() })
	t.Run("started, kept, judged, undone and proved by hand", func(t *testing.T) { l.on(t).commands() })
	t.Run("the glass is broken, and reviewed by another", func(t *testing.T) { l.on(t).glass() })
	t.Run("decided in the page", func(t *testing.T) { l.on(t).page() })
	t.Run("identity, group, image and address by hand", func(t *testing.T) { l.on(t).things() })
	t.Run("who is locked out decides nothing", func(t *testing.T) { l.on(t).barred() })
	t.Run("killed between storing and acting", func(t *testing.T) { l.on(t).killed() })
	t.Run("one verb fewer", func(t *testing.T) { l.on(t).forbidden() })
	t.Run("fifty alerts at once", func(t *testing.T) { l.on(t).fifty() })
	t.Run("store lost", func(t *testing.T) { l.on(t).lost() }) // the last: nothing is known of the others after it
}

// exec: a real exec through the API server comes back by the audit webhook.
func (l *loop) exec() {
	t := l.t
	pods := l.shop("execed", 1)
	intruder, err := kube.New(kube.Options{Kubeconfig: l.plane.Users["mallory"].Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	if err := intruder.Exec(t.Context(), kube.ExecRequest{Namespace: "execed", Pod: pods[0].Name, Container: "web", Command: []string{"true"}, Stdout: io.Discard}); err != nil {
		t.Fatal(err)
	}
	key := "pod/execed/" + pods[0].Name + "/" + string(pods[0].UID)
	eventually(t, "incident of the exec", func(ctx context.Context) error {
		var incidents []event.Incident
		if _, err := l.call(ctx, http.MethodGet, "/v1/incidents", l.token("bob"), nil, &incidents); err != nil {
			return err
		}
		for _, in := range incidents {
			if slices.Contains(in.Keys, key) && slices.Contains(in.Keys, "actor/mallory") && slices.Contains(in.Rules, "pod-exec") {
				return nil
			}
		}
		return fmt.Errorf("none of %d incidents: %+v", len(incidents), incidents)
	})
}

// quarantine: labels stripped and saved, a replacement up, the Service without
// the suspect, the policy there; and after the undo all as it was.
func (l *loop) quarantine() {
	t := l.t
	pods := stay(t, l.admin, l.shop("shop", 3))
	suspect := pods[0]
	before := marks(t, suspect.ObjectMeta)
	if err := l.alert(t.Context(), "Terminal shell in container", "shop", suspect.Name, containerID(suspect.Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	run := l.process.run(l.token("bob"), "quarantine-shell", suspect.Name, event.RunHolding)
	if r := run.Steps[0].Receipt; r == nil || r.Result != event.ResultUnverified {
		t.Errorf("receipt %+v, want %s", r, event.ResultUnverified)
	}
	held := getPod(t, l.admin, "shop", suspect.Name)
	if held.UID != suspect.UID || held.Labels["app"] != "" || held.Labels["pod-template-hash"] != "" || held.Labels["firebreak.io/hold"] == "" {
		t.Errorf("labels of the suspect are %v", held.Labels)
	}
	if !strings.Contains(held.Annotations["firebreak.io/hold"], run.ID) || !strings.Contains(held.Annotations["firebreak.io/hold"], `"app":"web"`) {
		t.Errorf("annotation is %q", held.Annotations["firebreak.io/hold"])
	}
	others := ready(t, l.admin, "shop", "app=web", 3)
	if slices.Contains(names(others), suspect.Name) {
		t.Error("the suspect still counts")
	}
	endpoints(t, l.admin, "shop", names(others)...)
	policy, err := l.admin.NetworkingV1().NetworkPolicies("shop").Get(t.Context(), "firebreak-hold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(policy.Spec.PolicyTypes) != 2 || len(policy.Spec.Ingress)+len(policy.Spec.Egress) != 0 || len(policy.Spec.PodSelector.MatchExpressions) != 1 {
		t.Errorf("policy is %+v", policy.Spec)
	}
	l.told("shop", suspect.Name)

	if _, err := l.call(t.Context(), http.MethodPost, "/v1/runs/"+run.ID+"/undo", l.token("alice"), map[string]string{"reason": "false alarm"}, nil); err != nil {
		t.Fatal(err)
	}
	l.process.run(l.token("bob"), "quarantine-shell", suspect.Name, event.RunClosed)
	if after := marks(t, getPod(t, l.admin, "shop", suspect.Name).ObjectMeta); after != before {
		t.Errorf("after the undo\n%s\nwant\n%s", after, before)
	}
	again := ready(t, l.admin, "shop", "app=web", 3)
	if !slices.Contains(names(again), suspect.Name) {
		t.Error("the ReplicaSet did not adopt the pod again")
	}
	endpoints(t, l.admin, "shop", names(again)...)
	eventually(t, "the policy is gone", func(ctx context.Context) error {
		list, err := l.admin.NetworkingV1().NetworkPolicies("shop").List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) > 0 {
			return fmt.Errorf("%d policies (%w)", len(list.Items), err)
		}
		return nil
	})
}

// told checks that the pod has its Kubernetes Event.
func (l *loop) told(ns, pod string) {
	l.t.Helper()
	eventually(l.t, "event on "+pod, func(ctx context.Context) error {
		list, err := l.admin.EventsV1().Events(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.Name == pod && e.Reason == "Contained" {
				return nil
			}
		}
		return errors.New("there is none")
	})
}

// approve: RBAC of the cluster says who may, and nothing happens before.
func (l *loop) approve() {
	t := l.t
	// It needs no Slack, which says how things stand when it is back.
	l.away.Store(true)
	defer l.away.Store(false)
	pods := l.shop("asked", 2)
	suspect := pods[0]
	if err := l.alert(t.Context(), "Terminal shell in container", "asked", suspect.Name, containerID(suspect.Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	run := l.process.run(l.token("bob"), "ask-first", suspect.Name, event.RunAwaiting)
	vote := func(token, digest string) int {
		status, _ := l.call(t.Context(), http.MethodPost, "/v1/runs/"+run.ID+"/approve", token, map[string]string{"digest": digest}, nil)
		return status
	}
	for _, tt := range []struct {
		who, token, digest string
		want               int
	}{
		{"nobody", "", run.Approval.Digest, http.StatusUnauthorized},
		{"an unknown token", "no-such-token", run.Approval.Digest, http.StatusUnauthorized},
		{"one without the right", l.token("bob"), run.Approval.Digest, http.StatusForbidden},
		{"another plan", l.token("alice"), "0123", http.StatusConflict},
	} {
		if got := vote(tt.token, tt.digest); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.who, got, tt.want)
		}
	}
	if pod := getPod(t, l.admin, "asked", suspect.Name); pod.Labels["app"] != "web" {
		t.Fatalf("labels are %v before anybody approved", pod.Labels)
	}
	if got := vote(l.token("alice"), run.Approval.Digest); got != http.StatusAccepted {
		t.Fatalf("alice: status %d", got)
	}
	run = l.process.run(l.token("bob"), "ask-first", suspect.Name, event.RunHolding)
	if v := run.Approval.Votes; len(v) != 1 || v[0].User != "alice" || v[0].Refused != "" {
		t.Errorf("votes are %+v", v)
	}
	if pod := getPod(t, l.admin, "asked", suspect.Name); pod.Labels["app"] != "" {
		t.Errorf("labels are %v", pod.Labels)
	}
	l.away.Store(false)
	l.card(t, suspect.Name, func(m workspace.Message) bool {
		_, undo := m.Button("restore")
		return undo && strings.Contains(m.Shows(), "Playbook ask-first on pods/asked/"+suspect.Name+" holds")
	})
}

// killed: the process is killed as soon as the alert is stored, a little later
// each time; after a restart every pod is contained, by one write.
func (l *loop) killed() {
	t := l.t
	const n = 8
	pods := l.shop("killed", n)
	for i, pod := range pods {
		if err := l.alert(t.Context(), "Terminal shell in container", "killed", pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID)); err != nil {
			t.Fatal(err)
		}
		pass(t, time.Duration(i)*5*time.Millisecond)
		l.kill()
		l.start()
	}
	for _, pod := range pods {
		l.process.run(l.token("bob"), "quarantine-shell", pod.Name, event.RunHolding)
		if held := getPod(t, l.admin, "killed", pod.Name); held.Labels["app"] != "" || held.UID != pod.UID {
			t.Errorf("%s has labels %v", pod.Name, held.Labels)
		}
	}
	taken, cut := l.patches("killed")
	for _, pod := range pods {
		// A request that the kill cut off is logged as 504, whether it landed or
		// not; all others of the same run are refused with 409 if it did.
		if n := taken[pod.Name]; n > 1 || n == 0 && cut[pod.Name] == 0 {
			t.Errorf("%s was written %d times, and %d requests were cut off", pod.Name, n, cut[pod.Name])
		}
	}
}

func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// patches counts Firebreak's patches of each pod, as the API server's own audit
// log has them: those that were taken, and those whose client was gone before
// the answer.
func (l *loop) patches(namespace string) (taken, cut map[string]int) {
	l.t.Helper()
	f, err := os.Open(l.plane.AuditLog)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	taken, cut = map[string]int{}, map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e struct {
			Verb, Stage, RequestURI string
			User                    struct{ Username string }
			ObjectRef               struct{ Resource, Namespace, Name, Subresource string }
			Response                struct{ Code int } `json:"responseStatus"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || strings.Contains(e.RequestURI, "dryRun=All") {
			continue // the last line may be half written; a dry run writes nothing
		}
		if e.User.Username != l.user || e.Verb != "patch" || e.ObjectRef.Resource != "pods" || e.ObjectRef.Namespace != namespace ||
			e.Stage != "ResponseComplete" {
			continue
		}
		switch {
		case e.Response.Code == http.StatusOK:
			taken[e.ObjectRef.Name]++
		case e.Response.Code >= http.StatusInternalServerError:
			cut[e.ObjectRef.Name]++
		}
	}
	return taken, cut
}

// forbidden: with one verb taken out of the role that firebreak rbac prints,
// the step fails and says which permission is missing; the pod is as it was.
func (l *loop) forbidden() {
	t := l.t
	pods := l.shop("forbidden", 1)
	roles := l.admin.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), kube.RoleName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole := role.DeepCopy()
	for i, r := range role.Rules {
		if slices.Contains(r.Resources, "pods") {
			role.Rules[i].Verbs = slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return v == "patch" })
		}
	}
	if role, err = roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		whole.ResourceVersion = role.ResourceVersion
		if _, err := roles.Update(t.Context(), whole, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
		l.may(true)
	}()
	l.may(false)
	if err := l.alert(t.Context(), "Terminal shell in container", "forbidden", pods[0].Name, containerID(pods[0].Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	run := l.process.run(l.token("bob"), "quarantine-shell", pods[0].Name, event.RunFailed, event.RunNeedsHuman)
	if want := "missing permission: patch pods in namespace forbidden (see firebreak rbac)"; !strings.Contains(run.Steps[0].Error, want) {
		t.Errorf("error is %q, want %q in it", run.Steps[0].Error, want)
	}
	if pod := getPod(t, l.admin, "forbidden", pods[0].Name); pod.Labels["app"] != "web" || pod.Labels["firebreak.io/hold"] != "" {
		t.Errorf("labels are %v", pod.Labels)
	}
}

// may waits until the authoriser knows whether Firebreak may patch pods.
func (l *loop) may(patch bool) {
	l.t.Helper()
	eventually(l.t, "role change", func(ctx context.Context) error {
		review, err := l.admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: l.user, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: "forbidden", Verb: "patch", Resource: "pods",
			}},
		}, metav1.CreateOptions{})
		if err == nil && review.Status.Allowed != patch {
			err = errors.New("not yet")
		}
		return err
	})
}

// fifty: as many alerts at the same time, each for a pod of its own.
func (l *loop) fifty() {
	t := l.t
	const n = 50
	pods := l.shop("storm", n)
	before := l.requests()
	began := time.Now()
	failed := make(chan error, n)
	for _, pod := range pods {
		go func() {
			failed <- l.alert(t.Context(), "Terminal shell in container", "storm", pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID))
		}()
	}
	for range n {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are held", func(ctx context.Context) error {
		list, err := l.admin.CoreV1().Pods("storm").List(ctx, metav1.ListOptions{LabelSelector: "firebreak.io/hold"})
		if err != nil || len(list.Items) != n {
			return fmt.Errorf("%d of %d (%w)", len(list.Items), n, err)
		}
		return nil
	})
	took := time.Since(began)
	var asked []string
	for what, count := range l.requests() {
		if count -= before[what]; count >= n/10 {
			asked = append(asked, fmt.Sprintf("%s %d", what, count))
		}
	}
	slices.Sort(asked)
	t.Logf("%d alerts contained %s after the first was sent; requests of everybody: %s", n, took.Round(time.Millisecond), strings.Join(asked, ", "))
}

// requests counts what the API server was asked, by verb and resource, by
// everybody.
func (l *loop) requests() map[string]int {
	l.t.Helper()
	text, err := l.admin.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	all := map[string]int{}
	for _, m := range requestTotal.FindAllStringSubmatch(string(text), -1) {
		labels := map[string]string{}
		for _, pair := range labelPair.FindAllStringSubmatch(m[1], -1) {
			labels[pair[1]] = pair[2]
		}
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			l.t.Fatal(err)
		}
		what := labels["verb"] + " " + labels["resource"]
		if labels["subresource"] != "" {
			what += "/" + labels["subresource"]
		}
		all[what] += int(n)
	}
	return all
}

var (
	requestTotal = regexp.MustCompile(`(?m)^apiserver_request_total\{([^}]*)\} (\S+)$`)
	labelPair    = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
)
