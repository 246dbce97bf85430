package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
	"github.com/firebreak-io/firebreak/test/wait"
)

// cluster knows some tokens, and what their owners may.
type cluster struct {
	mu    sync.Mutex
	users map[string]kube.User
	// may are "USER VERB RESOURCE NAMESPACE"; a namespace of * is all.
	may map[string]bool
}

func (c *cluster) ReviewToken(_ context.Context, token string) (kube.User, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, ok := c.users[token]
	if !ok {
		return kube.User{}, fmt.Errorf("review: %w", kube.ErrUnauthenticated)
	}
	return u, nil
}

func (c *cluster) Allowed(_ context.Context, u kube.User, verb, group, resource, _, namespace string) (bool, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if group != Group {
		return false, "", fmt.Errorf("group %q", group)
	}
	right := u.Name + " " + verb + " " + resource + " "
	return c.may[right+"*"] || namespace != "" && c.may[right+namespace], "no rule", nil
}

func (c *cluster) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.users, token)
}

// memory is a house that holds what a test puts into it.
type memory struct {
	mu        sync.Mutex
	incidents map[string]event.Incident
	runs      map[string][]event.Run
	findings  map[string]event.Finding
	told      []event.Delivery
	models    []event.ModelState
	brake     Brake
	standings []Standing
	reviews   []Review
	alarms    []Alarm
	lost      []Unclaimed
	more      int
	report    *reach.Report
	flow      Flow
	heard     []string
	refuse    error
	// locked is the run that locks somebody out, uncounted why a vote would not count.
	locked, uncounted map[string]string
	// take is what a run makes of what is said to it.
	take func(m *memory, user, run string, s Say)
}

var missing = Problem{http.StatusNotFound, "there is no such thing"}

func (m *memory) Incidents(context.Context) iter.Seq2[event.Incident, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []event.Incident
	for _, in := range m.incidents {
		list = append(list, in)
	}
	return func(yield func(event.Incident, error) bool) {
		for _, in := range list {
			if !yield(in, nil) {
				return
			}
		}
	}
}

func (m *memory) Incident(_ context.Context, id string) (event.Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in, ok := m.incidents[id]
	if !ok {
		return in, missing
	}
	return in, nil
}

func (m *memory) Deliveries(context.Context, string) ([]event.Delivery, error) { return m.told, nil }

func (m *memory) Run(_ context.Context, id string) (event.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.runs[id]
	if len(list) == 0 {
		return event.Run{}, missing
	}
	return list[len(list)-1], nil
}

// Runs gives places as numbers.
func (m *memory) Runs(_ context.Context, f RunFilter, after string, limit int) (list []event.Run, next string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, records := range m.runs {
		r := records[len(records)-1]
		if (len(f.States) == 0 || slices.Contains(f.States, r.State)) && (f.Playbook == "" || f.Playbook == r.Playbook) && (f.Namespace == "" || f.Namespace == r.Target.Namespace) && (!r.State.Terminal() || !r.Updated.Before(f.Since)) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b event.Run) int { return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(a.ID, b.ID)) })
	n := 0
	if after != "" {
		if n, err = strconv.Atoi(after); err != nil {
			return nil, "", Problem{http.StatusBadRequest, "that is no place in the list of runs"}
		}
	}
	list = list[min(n, len(list)):]
	if len(list) > limit {
		return list[:limit], strconv.Itoa(n + limit), nil
	}
	return list, "", nil
}

func (m *memory) Unclaimed(context.Context) ([]Unclaimed, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lost), m.more, nil
}

func (m *memory) Free(_ context.Context, user kube.User, run, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.hear(user, "free %s %q", short(run), reason); err != nil {
		return err
	}
	if m.take != nil {
		m.take(m, user.Name, run, Say{Deed: "free", Reason: reason})
	}
	return nil
}

func (m *memory) Reviews(context.Context) ([]Review, []Alarm, error) {
	return slices.Clone(m.reviews), m.alarms, nil
}

func (m *memory) CloseReview(_ context.Context, user kube.User, review, note string) error {
	return m.hear(user, "close review %s %q", short(review), note)
}

func (m *memory) History(_ context.Context, id string) iter.Seq2[event.Run, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.runs[id]
	return func(yield func(event.Run, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memory) Receipt(context.Context, string) ([]byte, error) { return []byte("{}\n"), nil }

func (m *memory) Finding(_ context.Context, id string) (event.Finding, uint64, error) {
	f, ok := m.findings[id]
	if !ok {
		return f, 0, missing
	}
	return f, 3, nil
}

func (m *memory) Waiting(ctx context.Context) ([]event.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []event.Run
	for _, records := range m.runs {
		if r := records[len(records)-1]; r.State == event.RunAwaiting {
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *memory) Models(context.Context) ([]event.ModelState, error) { return m.models, nil }

func (m *memory) Brake(context.Context) (Brake, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.brake, nil
}

func (m *memory) Budgets(context.Context) ([]Budget, error) {
	return []Budget{{"pods quarantined", 2, 10}, {"effects begun within a minute", 0, 10}}, nil
}

func (m *memory) Playbooks(context.Context) ([]Standing, error) { return m.standings, nil }

func (m *memory) Flow(context.Context) (Flow, error) { return m.flow, nil }

func (m *memory) Reach(context.Context, string, string) (*reach.Report, error) {
	if m.report == nil {
		return nil, reach.ErrUnknownPod
	}
	return m.report, nil
}

func (m *memory) Moves(before, after event.Run) []string {
	if before.State == after.State {
		return nil
	}
	return []string{"run is " + string(after.State) + " " + after.Reason}
}

func (m *memory) Lost(l *event.Loss) []string {
	if l == nil {
		return nil
	}
	return l.Endpoints
}
func (m *memory) Asked(a event.Approval) []string {
	return append([]string{"by " + strings.Join(a.By, ", ")}, a.Reasons...)
}
func (m *memory) Holds(event.Run) []string {
	return []string{"isolate holds for 1h0m0s, then it is given back"}
}
func (m *memory) Told(d event.Delivery) string {
	return d.Step + " to " + d.Receiver + " is " + string(d.State)
}

func (m *memory) Uncounted(_ event.Run, user kube.User) string { return m.uncounted[user.Name] }

func (m *memory) LockedOut(_ context.Context, user kube.User) (string, error) {
	return m.locked[user.Name], nil
}

func (m *memory) hear(user kube.User, format string, args ...any) error {
	if m.refuse != nil {
		return m.refuse
	}
	m.heard = append(m.heard, user.Name+": "+fmt.Sprintf(format, args...))
	return nil
}

func (m *memory) Say(_ context.Context, user kube.User, run string, s Say) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.hear(user, "%s %s digest=%s reason=%q hold=%s at_end=%s over=%v", s.Deed, short(run), s.Digest, s.Reason, s.Hold, s.AtEnd, s.Over); err != nil {
		return 0, err
	}
	if m.take != nil {
		m.take(m, user.Name, run, s)
	}
	return 7, nil
}

func (m *memory) Judge(_ context.Context, user kube.User, incident string, right bool, why string) error {
	return m.hear(user, "judge %s %v %q", short(incident), right, why)
}

func (m *memory) Close(_ context.Context, user kube.User, incident, reason string) error {
	return m.hear(user, "close %s %q", short(incident), reason)
}

func (m *memory) Acknowledge(_ context.Context, user kube.User, incident, reason string) error {
	return m.hear(user, "acknowledge %s %q", short(incident), reason)
}

func (m *memory) Pause(_ context.Context, user kube.User, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.brake = Brake{Paused: true, By: user.Name, Reason: reason, Need: 2, Ceiling: m.brake.Ceiling}
	return m.hear(user, "pause %q", reason)
}

func (m *memory) Resume(_ context.Context, user kube.User) error { return m.hear(user, "resume") }

// rig is the page on a real bus, with a house and a cluster of the test's.
type rig struct {
	t       *testing.T
	bus     *bus.Bus
	house   *memory
	cluster *cluster
	page    *Console
	server  *httptest.Server
	mu      sync.Mutex
	now     time.Time
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// newRig has ann, who may see and decide on all, bob, who may see all, and sue,
// who may see and decide in namespace shop alone.
func newRig(t *testing.T) *rig {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	r := &rig{t: t, bus: b, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	r.house = &memory{incidents: map[string]event.Incident{}, runs: map[string][]event.Run{}, findings: map[string]event.Finding{}}
	r.cluster = &cluster{users: map[string]kube.User{}, may: map[string]bool{}}
	for _, name := range []string{"ann", "bob", "sue", "eve"} {
		r.cluster.users["token-"+name] = kube.User{Name: name, Groups: []string{"staff", "oncall-" + name}}
	}
	sees := []string{"list incidents", "get runs", "get findings"}
	for _, right := range sees {
		r.cluster.may["ann "+right+" *"], r.cluster.may["bob "+right+" *"], r.cluster.may["sue "+right+" shop"] = true, true, true
	}
	for _, right := range []string{"approve playbooks", "undo playbooks"} {
		r.cluster.may["ann "+right+" *"], r.cluster.may["sue "+right+" shop"] = true, true
	}
	for _, right := range []string{"create verdicts", "update incidents", "break-glass playbooks", "acknowledge incidents", "list reviews", "update reviews", "list models", "get pauses", "create pauses", "delete pauses", "list playbooks"} {
		r.cluster.may["ann "+right+" *"] = true
	}
	r.page, err = New(Options{
		House: r.house, Reviewer: r.cluster, Bus: b, Cluster: "test", Version: "v1", Logger: slog.New(slog.DiscardHandler), Now: r.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewTLSServer(r.page.Handler())
	t.Cleanup(r.server.Close)
	return r
}

// live follows the streams as the service does.
func (r *rig) live() {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.page.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			r.t.Error(err)
		}
	})
	r.until("the page follows", func() bool {
		r.page.hub.mu.Lock()
		defer r.page.hub.mu.Unlock()
		return r.page.hub.ready == 2
	})
}

// until waits for a condition.
func (r *rig) until(what string, is func() bool) {
	r.t.Helper()
	wait.Until(r.t, what, is)
}

// put stores a record in the stream, as the responder does.
func (r *rig) put(subject string, record any) {
	r.t.Helper()
	data, err := json.Marshal(record)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.bus.Publish(r.t.Context(), subject, data); err != nil {
		r.t.Fatal(err)
	}
}

// browser is somebody's, without JavaScript.
type browser struct {
	*rig
	client *http.Client
	// bearer is what a proxy in front would send.
	bearer string
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := *r.server.Client()
	client.Jar = jar
	return &browser{rig: r, client: &client}
}

// as is the browser of somebody who has signed in.
func (r *rig) as(name string) *browser {
	r.t.Helper()
	b := r.browser()
	status, body := b.send(Root+"login", url.Values{"token": {"token-" + name}})
	if status != http.StatusOK {
		r.t.Fatalf("sign in as %s: %d %s", name, status, body)
	}
	return b
}

func (b *browser) do(method, path, body string, headers ...string) (int, string, *http.Response) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.server.URL)
	}
	if b.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+b.bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp
}

func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	status, text, _ := b.do(http.MethodGet, path, "")
	return status, text
}

var formField = regexp.MustCompile(`name="form" value="([^"]*)"`)

// form is what a form of this browser sends.
func (b *browser) form() string {
	b.t.Helper()
	for _, path := range []string{Root, Root + "login"} {
		if _, text := b.get(path); formField.MatchString(text) {
			return formField.FindStringSubmatch(text)[1]
		}
	}
	// Behind a proxy a page without a form of its own says nothing of it.
	_, text := b.get(Root + "system")
	if m := formField.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	b.t.Fatal("no page with a form")
	return ""
}

// send fills a form in and sends it, as the browser would: it follows to where
// it is sent then.
func (b *browser) send(path string, fields url.Values) (int, string) {
	b.t.Helper()
	fields.Set("form", b.form())
	status, text, _ := b.do(http.MethodPost, path, fields.Encode())
	return status, text
}
