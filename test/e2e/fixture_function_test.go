package e2e

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// itself is why functions are told of a target that is gone or protected: what
// they do is their own.
const itself = "it changes nothing of its target: what it calls or runs is for the function to know"

func init() {
	conform(fixture{
		kind: "function.webhook", at: serviceAccounts, make: makeAccount, apart: itself, result: []event.Result{event.ResultSent},
		deps: func(c *trial, d *action.Deps) {
			to := newReceiver(c, func() any {
				return new(struct {
					Version                      int
					Key, Run, Playbook, Incident string
					Values, Target               map[string]string
				})
			})
			d.Functions = map[string]action.Function{"block-at-the-edge": {URL: to.server.URL, Client: to.server.Client(), Secret: []byte(receiverSecret)}}
		},
	})
	conform(fixture{
		kind: "function.job", at: serviceAccounts, make: makeAccount, apart: itself,
		deps: func(c *trial, d *action.Deps) {
			_, err := c.admin.CoreV1().Namespaces().Patch(c.ctx(), c.ns, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"`+action.JobsLabel+`":"true"}}}`), metav1.PatchOptions{})
			c.no(err, "label namespace")
			d.Jobs = map[string]action.JobTemplate{"collect": {Namespace: c.ns, Spec: []byte(
				`{"ttlSecondsAfterFinished":600,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"registry.example/collect:1"}]}}}`)}}
		},
		held: func(c *trial, _ *unstructured.Unstructured) string {
			list, err := c.admin.BatchV1().Jobs(c.ns).List(c.ctx(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=firebreak"})
			c.no(err, "list jobs")
			if len(list.Items) == 0 {
				return "there is no job"
			}
			return ""
		},
	})
}
