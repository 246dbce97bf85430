package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// fixture is what the conformance suite needs to try one kind of action.
type fixture struct {
	kind string
	// at is what its targets are, make makes one of a name in the trial's
	// namespace (or cluster-wide), which no controller takes away or changes.
	at   action.Resource
	make func(c *trial, name string)
	// ready, if there is one, says what a new target waits for still.
	ready func(o *unstructured.Unstructured) error
	// config gives the parameters; the kind's example without it. deps adds to
	// what the action is made with.
	config func(c *trial) any
	deps   func(c *trial, d *action.Deps)
	// result are what Verify may find; applied or enforced without it.
	result []event.Result
	// held says what of the target is not as it should be while it is held (of a
	// target that is gone, o is nil); empty is all right.
	held func(c *trial, o *unstructured.Unstructured) string
	// meddle edits what the action did, as somebody else, and kept says what of
	// that edit is missing after the undo.
	meddle func(c *trial, name string)
	kept   func(c *trial, o *unstructured.Unstructured) string
	// around are resources of the namespace that are to be the same after an
	// undo as before, by name and spec.
	around []action.Resource
	// rare are permissions that the usual way does not use, each with the reason;
	// ways are other set-ups of the kind that use them, never says which of them no
	// set-up here can use, and why. unseen are those that the API server asks for
	// besides what a request says.
	rare, never map[string]string
	ways        []fixture
	unseen      []string
	// named, if there is one, is the target's name once it is made.
	named func(c *trial, name string) string
	// definitions are kinds of other projects that the set-up has, which others
	// must not see; calico that it has Calico's.
	definitions []string
	calico      bool
	// end is how holds end where permissions are tried; restore without it.
	end event.AtEnd
	// protect makes a target one that must not be touched, where that is not its
	// namespace's doing.
	protect func(c *trial, name string)
	// refused says why this cluster can't do it, so that it is tried up to the
	// request.
	refused string
	// trim takes what others do to the target by themselves out of what is
	// compared.
	trim func(o map[string]any)
	// apart says why it makes no difference to the kind whether its target is
	// there or protected; unknown that nobody knows whether what it sent was done
	// when the answer is lost, so that it refuses to do it again.
	apart, unknown string
	// again says that the plan may be carried out again after the undo (what it
	// makes is conditional on nothing), moves that others change the target by
	// themselves, changes that the plan is another once it has landed, fulfilled
	// that a target that is gone is what was wanted.
	again, moves, changes, fulfilled bool
}

func (x fixture) results() []event.Result {
	if x.result != nil {
		return x.result
	}
	return []event.Result{event.ResultApplied, event.ResultEnforced}
}

// fixtures is filled by the init function of each fixture's file.
var fixtures = map[string]fixture{}

func conform(x fixture) { fixtures[x.kind] = x }

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

// api is where the objects of a resource are.
func (c *trial) api(x action.Resource, namespaced bool) dynamic.ResourceInterface {
	at := c.all.Resource(schema.GroupVersionResource{Group: x.Group, Version: x.Version, Resource: x.Resource})
	if !namespaced {
		return at
	}
	return at.Namespace(c.ns)
}

// namespaced says that targets are of a namespace: all but what a cluster has
// one set of.
func (c *trial) namespaced() bool {
	switch c.x.at.Resource {
	case "nodes", "namespaces", "clusterrolebindings", "clusterroles", "validatingadmissionpolicies":
		return false
	}
	return true
}

// target makes a new one.
func (c *trial) target() *unstructured.Unstructured {
	c.t.Helper()
	c.made++
	name := fmt.Sprintf("%s-%d", c.ns, c.made)
	c.x.make(c, name)
	if c.x.named != nil {
		name = c.x.named(c, name)
	}
	return c.settled(name)
}

// settled waits until the target is ready and nobody changes it any more.
func (c *trial) settled(name string) *unstructured.Unstructured {
	c.t.Helper()
	var o *unstructured.Unstructured
	seen := ""
	eventually(c.t, c.x.at.Resource+" "+name, func(context.Context) error {
		if o = c.find(name); o == nil {
			return errors.New("is not there")
		}
		if c.x.ready != nil {
			if err := c.x.ready(o); err != nil {
				return err
			}
		}
		if last := seen; last != o.GetResourceVersion() {
			seen = o.GetResourceVersion()
			return errors.New("is changed still")
		}
		return nil
	})
	return o
}

// find reads the target; nil is that there is none.
func (c *trial) find(name string) *unstructured.Unstructured {
	c.t.Helper()
	o, err := c.api(c.x.at, c.namespaced()).Get(c.ctx(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	c.no(err, "read target")
	return o
}

// read is find of one that an undo left there.
func (c *trial) read(name string) *unstructured.Unstructured {
	c.t.Helper()
	o := c.find(name)
	if o == nil && c.kind.Reversible {
		c.t.Fatalf("%s %s is gone", c.x.at.Resource, name)
	}
	return o
}

// remove deletes the target, as its kubelet does when it is a pod. Who deletes
// a pod at once has kwok delete it, too, by its name and perhaps when another
// has that name.
func (c *trial) remove(o *unstructured.Unstructured) {
	c.t.Helper()
	err := c.api(c.x.at, c.namespaced()).Delete(c.ctx(), o.GetName(), metav1.DeleteOptions{})
	c.no(err, "delete target")
	eventually(c.t, "end of "+o.GetName(), func(context.Context) error {
		if now := c.find(o.GetName()); now != nil {
			return errors.New("is there still")
		}
		return nil
	})
}

// clean is an object without what the API server and controllers keep about it.
func (c *trial) clean(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	m := o.DeepCopy().Object
	delete(m, "status")
	for _, k := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(m, "metadata", k)
	}
	if c.x.trim != nil {
		c.x.trim(m)
	}
	return m
}

// surroundings are the objects around, by resource and name.
func (c *trial) surroundings() map[string]any {
	c.t.Helper()
	all := map[string]any{}
	for _, x := range c.x.around {
		list, err := c.api(x, x.Group != "policy.networking.k8s.io" && x.Group != "flowcontrol.apiserver.k8s.io").List(c.ctx(), metav1.ListOptions{})
		c.no(err, "list "+x.Resource)
		for _, o := range list.Items {
			if o.GetDeletionTimestamp() == nil {
				all[x.Resource+"/"+o.GetName()] = c.clean(&o)
			}
		}
	}
	return all
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

// patch edits the target as somebody else.
func (c *trial) patch(name, body string) {
	c.t.Helper()
	_, err := c.api(c.x.at, c.namespaced()).Patch(c.ctx(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "somebody"})
	c.no(err, "edit target")
}

// create makes an object of YAML or JSON in the trial's namespace, if it has
// one.
func (c *trial) create(x action.Resource, namespaced bool, object any) {
	c.t.Helper()
	data, err := json.Marshal(object)
	c.no(err, "encode")
	o := &unstructured.Unstructured{}
	c.no(json.Unmarshal(data, &o.Object), "decode")
	_, err = c.api(x, namespaced).Create(c.ctx(), o, metav1.CreateOptions{FieldManager: "somebody"})
	c.no(err, "create "+x.Resource)
	if !namespaced {
		c.t.Cleanup(func() {
			_ = c.api(x, false).Delete(context.WithoutCancel(c.ctx()), o.GetName(), metav1.DeleteOptions{})
		})
	}
}

var podResource = action.Resource{Version: "v1", Resource: "pods"}

// makePod makes a pod that no controller knows of.
func makePod(c *trial, name string) {
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"app": "web", "team": "shop"}, Annotations: map[string]string{"note": "a \"quoted\" one"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:1"}}},
	}
	c.create(podResource, true, pod)
}

// podReady waits for a pod's container.
func podReady(o *unstructured.Unstructured) error {
	if phase, _, _ := unstructured.NestedString(o.Object, "status", "phase"); phase != "Running" {
		return fmt.Errorf("is %q", phase)
	}
	return nil
}

// text reads a string of an object; empty if there is none.
func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}
