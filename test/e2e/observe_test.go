package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/command"
)

const observeBooks = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: contain}
spec:
  when: finding.source == "falco"
  mode: act
  approve: {by: [group/oncall], need: 2, within: 10m}
  steps:
    - parallel:
        - {name: isolate, action: pod.quarantine, undo_after: 1h, approve: {by: [group/oncall], need: 2, within: 10m}}
        - {name: cordon, action: node.cordon, target: node(target.node), undo_after: 1h}
    - name: tell
      action: notify.event
      with: {reason: Contained, note: "contained for ${finding.rule}"}
    - {name: page, action: notify.page, with: {to: [oncall], note: "look at ${target.name}"}, on_failure: continue} # a replay knows no receivers
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: call}
spec:
  when: finding.rule == "container-escape"
  mode: ask
  approve: {by: [group/oncall], need: 1, within: 10m}
  steps:
    - {name: edge, action: function.webhook, with: {function: edge, values: {pod: "${target.name}"}}, on_failure: continue}
    - {name: snapshot, action: function.job, with: {job: collect}}
`

// calling adds the functions that playbooks call to the config of a service.
func (l *loop) calling() {
	l.t.Helper()
	l.write("job.yaml", "template: {spec: {restartPolicy: Never, containers: [{name: collect, image: collect}]}}\n")
	path := filepath.Join(l.dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("config.yaml", string(text)+`  functions:
    hosts: [edge.example]
    webhooks: [{name: edge, url: "https://edge.example/block"}]
    jobs: [{name: collect, namespace: default, template: job.yaml}]
`)
}

// TestObserveWritesNothing runs a service in mode observe, with Slack and a pager,
// and a replay that plans in the cluster, against a real API server: from the
// alert to the record its audit log has dry runs, and no write that is stored;
// the plans say what would be lost and what the API server answers.
func TestObserveWritesNothing(t *testing.T) {
	client := admin(t)
	c := responder(t, client, func(all []kube.Permission) []kube.Permission { return append(all, kube.IndexPermissions()...) })
	user, err := c.Who(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := prepare(t, "observe", observeBooks)
	p.kubeconfig(plane(t).Server, plane(t).CA, c.REST().BearerToken)
	viewer := viewer(t, client)
	suspect, refused := observed(t, client), refusing(t, client)
	marked := func() string { return marks(t, getPod(t, client, suspect.Namespace, suspect.Name).ObjectMeta) }
	before := marked()
	left := leftOver(t, client)
	l := loop{process: p, admin: client, plane: plane(t)}
	l.talk()
	l.pagedBy()
	l.calling()
	p.start()
	t.Cleanup(p.stop)
	for _, pod := range []corev1.Pod{suspect, refused} {
		if err := p.alert(t.Context(), "Terminal shell in container", pod.Namespace, pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID)); err != nil {
			t.Fatal(err)
		}
	}
	run := p.run(viewer, "contain", suspect.Name, event.RunObserved)
	foretold(t, suspect, run.Steps)
	if len(run.Would) != 1 || run.Would[0].Need != 2 || !slices.Equal(run.Would[0].Steps, []string{"isolate"}) {
		t.Errorf("it would have asked %+v", run.Would)
	}
	denied := p.run(viewer, "contain", refused.Name, event.RunObserved)
	if notes := strings.Join(denied.Steps[0].Plan.Notes, "\n"); !strings.Contains(notes, "dry run: the API server refuses it") || !strings.Contains(notes, "not in this namespace") {
		t.Errorf("the plan that admission refuses says\n%s", notes)
	}
	shown := l.must(viewer, "runs", "show", run.ID)
	for _, want := range []string{"PodDisruptionBudget " + suspect.Namespace + "/web lets 1 more go", "dry run: the API server takes", "would ask 2 people of group/oncall about isolate", "budget says pass: 0 of 1000 pods"} {
		if !strings.Contains(shown, want) {
			t.Errorf("shown is\n%s\nwant %q in it", shown, want)
		}
	}
	t.Logf("runs show:\n%s", shown)
	l.planned(viewer, run)
	replayed(t, p, suspect)
	l.replayedAlike(viewer, suspect)

	if after := marked(); after != before {
		t.Errorf("the pod was changed: before %s, after %s", before, after)
	}
	if now := getPod(t, client, left.Namespace, left.Name); marks(t, now.ObjectMeta) != marks(t, left.ObjectMeta) {
		t.Errorf("what was left behind is %s, was %s", marks(t, now.ObjectMeta), marks(t, left.ObjectMeta))
	}
	stored, dry := writes(t, plane(t).AuditLog, user)
	if len(stored) > 0 || dry < 6 {
		t.Errorf("%d dry runs, and stored were %q", dry, stored)
	}
	t.Logf("writes of %s in the audit log: %d stored, %d dry runs", user, len(stored), dry)
}

// leftOver makes what a Firebreak left behind whose store was lost: a pod whose
// hold is over, and a policy that holds nothing.
func leftOver(t *testing.T, client kubernetes.Interface) (pod *corev1.Pod) {
	t.Helper()
	root, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	held, empty := namespace(t, client), namespace(t, client)
	q := build(t, "pod.quarantine", root, nil)
	r := request(lonely(t, client, held, "left"))
	r.Key, r.Until = event.HashID("lost", held)+"/isolate", time.Now().UTC().Add(-time.Hour)
	do(t, q, r)
	policy, err := client.NetworkingV1().NetworkPolicies(held).Get(t.Context(), action.HoldPolicyName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	policy.ObjectMeta = metav1.ObjectMeta{Name: policy.Name, Labels: policy.Labels, Annotations: policy.Annotations}
	if _, err := client.NetworkingV1().NetworkPolicies(empty).Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return getPod(t, client, held, "left")
}

// foretold looks at the plans of a pod and of its node.
func foretold(t *testing.T, pod corev1.Pod, steps []event.Step) {
	t.Helper()
	isolate, cordon := steps[0].Plan, steps[1].Plan
	if isolate == nil || cordon == nil || isolate.Loss == nil || cordon.Loss == nil {
		t.Fatalf("planned is %+v", steps)
	}
	l := isolate.Loss
	if !slices.Equal(l.Endpoints, []string{pod.Namespace + "/web"}) || l.Workload != "Deployment "+pod.Namespace+"/web" || l.Wanted != 3 || l.Ready != 3 || l.ReadyAfter != 2 ||
		!l.Replaced || len(l.Budgets) != 1 || l.Budgets[0] != (event.Headroom{Budget: pod.Namespace + "/web", Allowed: 1}) || len(l.Unknown) > 0 {
		t.Errorf("lost would be %+v", l)
	}
	if n := cordon.Loss; n.Nodes < 2 || n.NodesAfter != n.Nodes-1 || n.Pods < 1 || len(n.Unknown) > 0 {
		t.Errorf("lost with the node would be %+v", n)
	}
	for _, p := range []*event.Plan{isolate, cordon} {
		if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.HasPrefix(n, "dry run: the API server takes") }) {
			t.Errorf("notes of %s are %q", p.Action, p.Notes)
		}
	}
}

// replayed plans a recorded alert in the cluster as it is.
func replayed(t *testing.T, p *process, pod corev1.Pod) {
	t.Helper()
	path := command.Path(t)
	alert, err := json.Marshal(map[string]any{
		"priority": "Critical", "rule": "Terminal shell in container", "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano),
		"output": "shell", "output_fields": map[string]any{"k8s.ns.name": pod.Namespace, "k8s.pod.name": pod.Name, "container.id": containerID(pod.Status.ContainerStatuses[0].ContainerID)},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "replay", "--live", "--kubeconfig", filepath.Join(p.dir, "kubeconfig"), "--no-shipped",
		"--rules", filepath.Join("..", "..", "detect", "rules"), "--playbooks", filepath.Join(p.dir, "playbooks.yaml"), "--falco", p.write("alert.json", string(alert)+"\n"), "-o", "ndjson")
	out, err := cmd.Output()
	if err != nil {
		var e *exec.ExitError
		if errors.As(err, &e) {
			err = fmt.Errorf("%w: %s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var r struct {
			Type  string
			Steps []struct {
				Name    string
				Plan    *event.Plan
				Verdict string
				Guards  []event.Verdict
			}
			Asks []struct{ Need int }
		}
		if json.Unmarshal([]byte(line), &r) != nil || r.Type != "run" {
			continue
		}
		var steps []event.Step
		for _, s := range r.Steps {
			steps = append(steps, event.Step{Name: s.Name, Plan: s.Plan})
		}
		foretold(t, pod, steps)
		if len(r.Asks) != 1 || r.Asks[0].Need != 2 || len(r.Steps[0].Guards) < 10 || r.Steps[0].Plan.Target.UID != string(pod.UID) {
			t.Errorf("replayed is %s", line)
		}
		return
	}
	t.Errorf("no run in\n%s", out)
}

// shippedAlerts are of a kind for each playbook that is shipped and is about pods of
// which Falco tells.
var shippedAlerts = []string{"Terminal shell in container", "Detect release_agent File Container Escapes", "Drop and execute new binary in container"}

// foreseen is what a plan comes to, whoever made it.
type foreseen struct {
	Step, Action, Summary string
	Writes, Guards        []string
}

// replayedAlike: a replay in the cluster with the service's config plans what the
// service does, of each kind of playbook.
func (l *loop) replayedAlike(viewer string, pod corev1.Pod) {
	t := l.t
	t.Helper()
	var lines strings.Builder
	for _, rule := range shippedAlerts {
		body, err := json.Marshal(map[string]any{
			"hostname": "node-1", "priority": "Critical", "rule": rule, "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano), "output": rule, "tags": []string{"container"},
			"output_fields": map[string]any{
				"container.id": containerID(pod.Status.ContainerStatuses[0].ContainerID), "evt.time": time.Now().UnixNano(), "k8s.ns.name": pod.Namespace, "k8s.pod.name": pod.Name,
				"proc.cmdline": "sh -i", "proc.name": "sh", "proc.tty": 34816, "user.name": "root",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", body)
		if _, err := l.process.call(t.Context(), http.MethodPost, "/v1/falco", l.process.token, json.RawMessage(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]foreseen{}
	for _, book := range []string{"contain", "contain-terminal-shell", "contain-container-escape", "contain-malicious-program", "call"} {
		run := l.run(viewer, book, pod.Name, event.RunObserved)
		for i, s := range run.Steps {
			want[book] = append(want[book], foresee(s.Name, s.Action, run.Steps[i].Plan, s.Verdicts))
		}
	}
	cmd := exec.CommandContext(t.Context(), command.Path(t), "replay", "--live", "--kubeconfig", filepath.Join(l.dir, "kubeconfig"), "--config", filepath.Join(l.dir, "config.yaml"),
		"--playbooks", filepath.Join(l.dir, "playbooks.yaml"), "--falco", l.write("alerts.json", lines.String()), "-o", "ndjson")
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, faults.String())
	}
	got := map[string][]foreseen{}
	for line := range strings.Lines(string(out)) {
		var r struct {
			Type, Playbook string
			Steps          []struct {
				Name, Action string
				Plan         *event.Plan
				Guards       []event.Verdict
			}
		}
		if json.Unmarshal([]byte(line), &r) != nil || r.Type != "run" {
			continue
		}
		for _, s := range r.Steps {
			got[r.Playbook] = append(got[r.Playbook], foresee(s.Name, s.Action, s.Plan, s.Guards))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a replay plans otherwise than the service (-service +replay):\n%s", d)
	}
}

// foresee is what a plan comes to.
func foresee(name, action string, p *event.Plan, guards []event.Verdict) foreseen {
	f := foreseen{Step: name, Action: action}
	if p != nil {
		f.Summary = p.Summary
		for _, w := range p.Writes {
			f.Writes = append(f.Writes, strings.Join([]string{w.Verb, w.Resource, w.Namespace}, " "))
		}
	}
	for _, g := range guards {
		f.Guards = append(f.Guards, g.Guard+" "+string(g.Decision))
	}
	return f
}

// writes are what a user changed, by the API server's audit log, and how many
// writes were dry runs. Reviews are questions, which are asked by create.
func writes(t *testing.T, path, user string) (stored []string, dry int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	seen := 0
	for lines.Scan() {
		var e struct {
			Verb, Stage, RequestURI string
			User                    struct{ Username string }
			ObjectRef               struct{ Resource string }
			RequestObject           struct{ DryRun []string }
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.User.Username != user || e.Stage != "ResponseComplete" {
			continue // the last line may be half written
		}
		seen++
		if slices.Contains([]string{"get", "list", "watch"}, e.Verb) || strings.HasSuffix(e.ObjectRef.Resource, "reviews") {
			continue
		}
		uri, err := url.Parse(e.RequestURI)
		// A delete has its options in its body.
		if err == nil && uri.Query().Get("dryRun") == "All" || e.Verb == "delete" && slices.Equal(e.RequestObject.DryRun, []string{"All"}) {
			dry++
			continue
		}
		stored = append(stored, e.Verb+" "+e.RequestURI)
	}
	if seen == 0 {
		t.Errorf("the audit log has nothing of %s", user)
	}
	return stored, dry
}

// observed is a pod of a Deployment behind a Service and a budget.
func observed(t *testing.T, client kubernetes.Interface) corev1.Pod {
	t.Helper()
	ns := namespace(t, client)
	webService(t, client, ns)
	webDeployment(t, client, ns, 3)
	least := intstr.FromInt32(2)
	_, err := client.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: selector},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods := ready(t, client, ns, "app=web", 3)
	eventually(t, "the budget and the ReplicaSet know their pods", func(ctx context.Context) error {
		b, err := client.PolicyV1().PodDisruptionBudgets(ns).Get(ctx, "web", metav1.GetOptions{})
		if err != nil || b.Status.DisruptionsAllowed != 1 {
			return fmt.Errorf("%d are allowed (%w)", b.Status.DisruptionsAllowed, err)
		}
		sets, err := client.AppsV1().ReplicaSets(ns).List(ctx, metav1.ListOptions{})
		if err != nil || len(sets.Items) != 1 || sets.Items[0].Status.ReadyReplicas != 3 {
			return fmt.Errorf("not ready yet (%w)", err)
		}
		return nil
	})
	return pods[0]
}

// refusing is a pod in a namespace where admission refuses to change any.
func refusing(t *testing.T, client kubernetes.Interface) corev1.Pod {
	t.Helper()
	ns := namespace(t, client)
	webDeployment(t, client, ns, 1)
	pod := ready(t, client, ns, "app=web", 1)[0]
	api := client.AdmissionregistrationV1()
	fail := admissionv1.Fail
	_, err := api.ValidatingAdmissionPolicies().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				}}},
			},
			Validations: []admissionv1.Validation{{Expression: "false", Message: "not in this namespace"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unbind(t, ns, api.ValidatingAdmissionPolicies().Delete)
	_, err = api.ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: ns, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unbind(t, ns, api.ValidatingAdmissionPolicyBindings().Delete)
	eventually(t, "the policy refuses", func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(ns).Patch(ctx, pod.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), "not in this namespace") {
			return fmt.Errorf("not yet (%w)", err)
		}
		return nil
	})
	return pod
}

// viewer is the token of an account that may look at runs.
func viewer(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	return tokenFor(t, client, rbacv1.PolicyRule{APIGroups: []string{"firebreak.io"}, Resources: []string{"runs", "incidents"}, Verbs: []string{"get", "list"}})
}

// tokenFor is the token of an account that may do this, in all namespaces.
func tokenFor(t *testing.T, client kubernetes.Interface, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	home := namespace(t, client)
	_, err := client.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: home}, Rules: rules}, metav1.CreateOptions{})
	if err == nil {
		_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: home}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: home},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: home, Name: "default"}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	unbind(t, home, client.RbacV1().ClusterRoles().Delete)
	unbind(t, home, client.RbacV1().ClusterRoleBindings().Delete)
	token, err := client.CoreV1().ServiceAccounts(home).CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// kubeconfig is by which the process reaches the cluster.
func (s *process) kubeconfig(server, ca, token string) {
	s.t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: server, CertificateAuthority: ca}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token}
	c.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	if err := clientcmd.WriteToFile(*c, s.dir+"/kubeconfig"); err != nil {
		s.t.Fatal(err)
	}
}

// TestDryRun: what the API server would add to a write is told, and nothing is
// stored.
func TestDryRun(t *testing.T) {
	client := admin(t)
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	ns := namespace(t, client)
	says, err := c.DryRun(t.Context(), event.Write{
		Verb: "create", Version: "v1", Resource: "services", Namespace: ns, Name: "dry",
		Body: json.RawMessage(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"dry","namespace":"` + ns + `"},"spec":{"clusterIP":"None","ports":[{"port":80,"protocol":"TCP","targetPort":80}]}}`),
	})
	if err != nil || !slices.Contains(says, `spec.type is "ClusterIP"`) || !slices.Contains(says, `spec.sessionAffinity is "None"`) {
		t.Errorf("said %q (%v)", says, err)
	}
	if _, err := client.CoreV1().Services(ns).Get(t.Context(), "dry", metav1.GetOptions{}); err == nil {
		t.Error("it was stored")
	}
}
