package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/mailbox"
)

// hostileBook takes what an alert says into all that a playbook can put a value
// into.
const hostileBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: hostile}
spec:
  when: finding.rule == "hostile"
  mode: ask
  steps:
    - {name: mark, action: pod.label, with: {labels: {suspect: "${finding.actor.user}"}}, undo_after: 1h, on_failure: continue}
    - {name: note, action: pod.annotate, with: {annotations: {example.com/said: "${finding.explanation}"}}, undo_after: 1h}
    - {name: keep, action: pod.logs, on_failure: continue}
    - {name: exec, action: pod.exec, with: {command: [echo, "${finding.explanation}", "${finding.actor.user}"]}}
    - {name: job, action: function.job, with: {job: scan, env: {SAID: "${finding.explanation}"}, args: ["${finding.explanation}"]}}
    - {name: hook, action: notify.webhook, with: {webhook: ops}}
    - {name: event, action: notify.event, with: {reason: Hostile, note: "${finding.explanation}"}}
    - {name: page, action: notify.page, with: {to: [email], note: "${finding.explanation}"}}
`

const hostileRule = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: hostile}
spec:
  title: Somebody hostile
  severity: high
  source: falco
  when: rule == "Hostile"
  message: "${message}"
`

// TestHostileFields: an alert whose fields are shell, expressions, templates,
// markup and what moves a terminal goes the whole way, from the request to the
// record: it is carried as text, and nothing is run, expanded or shown of it.
func TestHostileFields(t *testing.T) {
	client := admin(t)
	m := &imported{loop: &loop{process: prepare(t, "act", hostileBook), admin: client, plane: plane(t)}, root: definitions(t), box: mailbox.Start(t, true), hooks: &hooks{}}
	m.talk()
	jobs := m.hostile()
	m.allow("playbooks.yaml")
	m.people = []string{approver(t, client), approver(t, client)}
	m.start()
	t.Cleanup(m.stop)
	pwned := filepath.Join(t.TempDir(), "pwned")
	evil := fmt.Sprintf("$(touch %[1]s) `touch %[1]s` ; touch %[1]s | ${finding.rule} ${{finding.rule}} $(NAME) {{.Run}} %%s <script>alert(1)</script> <!channel> <https://evil.example|Approve> *b*"+
		" ' \" \\ \x1b[2J\x1b]0;x\a\u202e\u2066\r\nforged: line\r\nBcc: evil@example.com\r\n", pwned)
	pod := lonely(t, client, namespace(t, client), "victim")
	before := marks(t, pod.ObjectMeta)
	_, err := m.call(t.Context(), http.MethodPost, "/v1/falco", m.process.token, map[string]any{
		"hostname": evil, "priority": "Critical", "rule": "Hostile", "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano), "output": evil, "tags": []string{evil},
		"output_fields": map[string]any{
			"k8s.ns.name": pod.Namespace, "k8s.pod.name": pod.Name, "container.id": containerID(pod.Status.ContainerStatuses[0].ContainerID),
			"user.name": evil, "proc.name": evil, "proc.cmdline": evil, "fd.name": evil, "container.image.repository": evil,
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := m.comes("hostile", pod.Name, event.RunHolding)
	for i, want := range []event.StepState{event.StepFailed, event.StepDone, event.StepDone, event.StepDone, event.StepDone, event.StepDone, event.StepDone, event.StepDone} {
		if s := run.Steps[i]; s.State != want {
			t.Errorf("step %s is %s, want %s: %s", s.Name, s.State, want, s.Error)
		}
	}
	said := run.Finding.Explanation
	if !strings.Contains(said, "${finding.rule} ${{finding.rule}} $(NAME) {{.Run}} %s <script>") {
		t.Errorf("the finding says %q", said)
	}
	held := getPod(t, client, pod.Namespace, pod.Name)
	if _, marked := held.Labels["suspect"]; marked || held.Annotations["example.com/said"] != said {
		t.Errorf("labels %v, annotations %q", held.Labels, held.Annotations)
	}
	m.unexpanded(jobs, said)
	m.shown(run, pod)
	m.undo(run)
	if after := marks(t, getPod(t, client, pod.Namespace, pod.Name).ObjectMeta); after != before {
		t.Errorf("the pod is\n%s\nwas\n%s", after, before)
	}
	if _, err := os.Stat(pwned); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was run: %v", err)
	}
	for _, refused := range m.chat.Refused() {
		t.Errorf("Slack refused %s", refused)
	}
}

// hostile configures whom and what the playbook uses, and gives the namespace of
// its Jobs.
func (m *imported) hostile() (jobs string) {
	t := m.t
	jobs = namespace(t, m.admin)
	patch := []byte(`{"metadata":{"labels":{"` + action.JobsLabel + `":"true"}}}`)
	if _, err := m.admin.CoreV1().Namespaces().Patch(t.Context(), jobs, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m.hooks)
	t.Cleanup(server.Close)
	m.write("mail-password", mailbox.Password)
	m.write("rules.yaml", hostileRule)
	m.write("job.yaml", `{"ttlSecondsAfterFinished": 600, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "registry.example/scan:1"}]}}}`)
	config, err := os.ReadFile(filepath.Join(m.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("no_shipped: false", "no_shipped: true", "rules: [models.yaml]", "rules: [rules.yaml]", "    mode: act\n", "    mode: act\n    evidence: {directory: evidence}\n").Replace(string(config))
	m.write("config.yaml", text+fmt.Sprintf(`  functions:
    jobs:
      - {name: scan, namespace: %s, template: job.yaml}
  webhooks:
    - {name: ops, url: %q, allow_private: true}
  notify:
    receivers:
      - name: email
        kind: email
        with: {host: 127.0.0.1, port: %d, tls: implicit, ca: %q, user: %s, password: {file: mail-password}, from: fire@example.com, to: [soc@example.com], allow_private: true}
`, jobs, server.URL, m.box.Port, m.box.CA, mailbox.User))
	m.run("check", filepath.Join(m.dir, "config.yaml"))
	return jobs
}

// unexpanded looks at what ran: the arguments of the command came back as they
// are, and those of the Job are such that a kubelet makes nothing else of them.
func (m *imported) unexpanded(jobs, said string) {
	t := m.t
	t.Helper()
	list, err := m.admin.BatchV1().Jobs(jobs).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d jobs (%v)", len(list.Items), err)
	}
	c := list.Items[0].Spec.Template.Spec.Containers[0]
	literal, env := strings.ReplaceAll(said, "$", "$$"), map[string]corev1.EnvVar{}
	for _, e := range c.Env {
		env[e.Name] = e
	}
	if env["SAID"].Value != literal || len(c.Args) != 1 || c.Args[0] != literal {
		t.Errorf("the job has the arguments %q and %q, want %q", c.Args, env["SAID"].Value, literal)
	}
	echoed := false
	err = filepath.WalkDir(filepath.Join(m.dir, "evidence"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		echoed = echoed || strings.Contains(string(data), "${finding.rule} ${{finding.rule}} $(NAME) {{.Run}} %s <script>")
		return err
	})
	if err != nil || !echoed {
		t.Errorf("no evidence has what the command said (%v)", err)
	}
}

// shown looks at all that people are shown.
func (m *imported) shown(run event.Run, pod corev1.Pod) {
	t := m.t
	t.Helper()
	tame := func(what, text string, more ...string) {
		for _, bad := range append(more, "\x1b", "\a", "\u202e", "\u2066", "\nforged", "\nBcc") {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q in it:\n%s", what, bad, text)
			}
		}
	}
	for _, args := range [][]string{{"runs", "show", run.ID}, {"runs", "list"}, {"incidents", "show", run.Incident.ID}, {"incidents"}} {
		tame(strings.Join(args, " "), m.must(m.people[0], args...))
	}
	eventually(t, "the webhook and the mail", func(context.Context) error {
		if !m.hooks.heard(run.ID) || len(m.box.Mails()) == 0 {
			return errors.New("nothing came")
		}
		return nil
	})
	var told *action.Payload
	m.hooks.mu.Lock()
	for _, body := range m.hooks.all {
		var p action.Payload
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("the webhook was told %s: %v", body, err)
		} else if p.Run == run.ID {
			told = &p
		}
	}
	m.hooks.mu.Unlock()
	// It is data, of which JSON escapes what is no text.
	if told == nil || told.Target.Name != pod.Name || told.Finding.Explanation != run.Finding.Explanation {
		t.Errorf("the webhook was told %+v", told)
	}
	m.chatted(pod.Name)
	for _, one := range m.chat.Messages("C0SEC") {
		tame("Slack", one.Shows(), "<!channel>", "<https://evil", "<script>")
		for _, reply := range m.chat.Thread("C0SEC", one.TS) {
			tame("Slack's thread", reply.Shows(), "<!channel>", "<https://evil", "<script>")
		}
	}
	m.events(pod.Namespace, pod.Name, "Hostile", "")
	for _, mail := range m.box.Mails() {
		head, body, _ := strings.Cut(mail.Text, "\r\n\r\n")
		text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if err != nil {
			t.Error(err)
		}
		tame("a mail", head+string(text))
		if mail.Header.Get("Bcc") != "" {
			t.Error("a mail has another header")
		}
	}
	for line := range strings.Lines(m.log.text()) {
		if strings.Contains(line, "end hold") {
			t.Errorf("the Job, which was made for good, is taken for a hold: %s", line)
		}
		if tame("the log", line); !strings.HasPrefix(line, "{") && !strings.HasPrefix(line, "time=") {
			t.Errorf("a line of the log is %s", line)
		}
	}
	if text, err := m.metrics(t.Context()); err != nil || strings.Contains(text, "touch") {
		t.Errorf("what an event says stands in the metrics (%v)", err)
	}
}
