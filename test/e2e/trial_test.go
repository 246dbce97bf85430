package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// trial is one kind of action in a namespace of its own, as an account that has
// what the kind needs and nothing else.
type trial struct {
	t     *testing.T
	kind  action.Kind
	x     fixture
	admin kubernetes.Interface
	all   dynamic.Interface
	ns    string
	tap   *tap
	kube  *kube.Client
	act   action.Action
	deps  action.Deps
	// shown is on what holds show, by the permission to list it.
	shown map[string]action.Resource
	// to is who is told, by kinds that tell somebody.
	to   *receiver
	made int
	// parameters are those of the action; nil are its defaults.
	parameters any
	// targets are the UIDs of those that steps were about.
	targets map[string]bool
}

func newTrial(t *testing.T, k action.Kind, x fixture) *trial {
	c := prepareTrial(t, k, x)
	c.role(c.tap.user, c.kind.Needs)
	c.fence(kube.Account{Namespace: "home-of-" + c.ns, Name: "firebreak", Role: c.ns}, c.parameters)
	c.deps.Cluster = c.kube
	if x.deps != nil {
		x.deps(c, &c.deps)
	}
	act, err := k.New(c.deps, c.parameters)
	c.no(err, "make action")
	c.act = act
	return c
}

// prepareTrial is a trial whose account has no rights yet.
func prepareTrial(t *testing.T, k action.Kind, x fixture) *trial {
	c := &trial{t: t, kind: k, x: x, admin: admin(t), targets: map[string]bool{}, shown: map[string]action.Resource{}}
	c.all = dynamicClient(t)
	c.ns = namespace(t, c.admin)
	// The account's own namespace is protected: it is another, which there need not be.
	c.tap, c.kube = newTap(t, "system:serviceaccount:home-of-"+c.ns+":firebreak")
	if k.Example != nil {
		c.parameters = k.Example()
	}
	if x.config != nil {
		c.parameters = x.config(c)
	}
	if k.Grants != nil {
		c.kind.Needs = slices.Concat(k.Needs, k.Grants(c.parameters))
	}
	return c
}

// fence puts the admission policy of the kind before the account.
func (c *trial) fence(account kube.Account, parameters any) {
	a := kube.Admission{To: account, Admits: c.kind.Admits}
	if keyed, ok := parameters.(action.Keyed); ok {
		a.LabelKeys, a.AnnotationKeys = keyed.PolicyKeys()
	}
	manifest, err := kube.AdmissionManifest(a)
	c.no(err, "make admission policy")
	f := &fenced{t: c.t, admin: c.admin}
	f.create(manifest)
	eventually(c.t, "the admission policy", func(ctx context.Context) error {
		w := event.Write{Verb: "create", Version: "v1", Resource: "resourcequotas", Namespace: c.ns, Name: "x",
			Body: []byte(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"x","namespace":"` + c.ns + `"}}`)}
		_, _, err := c.kube.Apply(ctx, w, kube.ApplyOptions{DryRun: true})
		if err == nil || !strings.Contains(err.Error(), "firebreak:") {
			return fmt.Errorf("is not looked at: %w", cmpError(err))
		}
		return nil
	})
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	clear(c.tap.used)
}

func (c *trial) ctx() context.Context { return c.t.Context() }

// no fails at once if there is an error.
func (c *trial) no(err error, what string) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// has fails if something is said to be wrong.
func (c *trial) has(wrong string) {
	c.t.Helper()
	if wrong != "" {
		c.t.Error(wrong)
	}
}

func (c *trial) same(what string, before, after any) {
	c.t.Helper()
	if d := cmp.Diff(before, after); d != "" {
		c.t.Errorf("%s: not as before: %s", what, d)
	}
}

func (c *trial) digest(p event.Plan) string {
	d, err := p.Digest()
	c.no(err, "digest")
	return d
}

func (c *trial) request(o *unstructured.Unstructured) action.Request {
	c.made++
	c.targets[string(o.GetUID())] = true
	now := time.Now().UTC().Truncate(time.Second)
	id := event.HashID("conformance", c.ns, fmt.Sprint(c.made))
	return action.Request{
		Key: id + "/step", Run: event.Run{ID: id, Playbook: "conform", Created: now}, Now: now, Until: now.Add(time.Hour),
		Target: event.Ref{
			Group: c.x.at.Group, Resource: c.x.at.Resource, Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID()),
		},
	}
}

// do plans and does, and plans again where somebody was faster.
func (c *trial) do(r action.Request) (event.Plan, event.Receipt) {
	c.t.Helper()
	return do(c.t, c.act, r)
}

func (c *trial) undo(r action.Request, done event.Receipt) {
	c.t.Helper()
	u, err := c.act.Undo(c.ctx(), r, done, event.AtEndRestore)
	c.no(err, "undo")
	if u.Result != event.ResultUndone && u.Result != event.ResultGone {
		c.t.Errorf("undo is %s", u.Result)
	}
}
