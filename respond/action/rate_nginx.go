package action

import (
	"context"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// The annotations of ingress-nginx: requests a minute of one address, and how
// many times that may come at once.
//
// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#rate-limiting
const (
	nginxRateKey  = "nginx.ingress.kubernetes.io/limit-rpm"
	nginxBurstKey = "nginx.ingress.kubernetes.io/limit-burst-multiplier"
)

var (
	nginxRate  = []string{"metadata", "annotations", nginxRateKey}
	nginxBurst = []string{"metadata", "annotations", nginxBurstKey}
)

// nginxController is what an IngressClass of ingress-nginx says.
const nginxController = "k8s.io/ingress-nginx"

// What the admission policy lets through: these two annotations and no other
// change.
const admitNginx = "object.spec == oldObject.spec && " + kube.SameLabels +
	" && variables.annotations.all(k, k.startsWith('" + event.AnnotationPrefix + "') || k in ['" + nginxRateKey + "', '" + nginxBurstKey +
	"'] || (k in variables.oldAnnotations && variables.oldAnnotations[k] == variables.annotations[k]))" +
	" && variables.oldAnnotations.all(k, k.startsWith('" + event.AnnotationPrefix + "') || k in ['" + nginxRateKey + "', '" + nginxBurstKey +
	"'] || k in variables.annotations)"

// nginx limits by annotations of the Ingress.
func (h httpRate) nginx() whole {
	return fields{Deps: h.Deps, action: rateHTTP, at: []Resource{ingresses}, want: h.nginxFields}
}

func (h httpRate) nginxFields(ctx context.Context, r Request, o *unstructured.Unstructured) ([]field, string, []string, error) {
	if h.config.Per == perPath || h.config.Path != "" {
		return nil, "", nil, refuse(r.Target, "ingress-nginx limits all paths of an Ingress, for each client")
	}
	if err := h.nginxClass(ctx, r, o); err != nil {
		return nil, "", nil, err
	}
	notes := []string{
		"by annotations of ingress-nginx (untested: written by its published API); each of its pods counts for itself, and answers 503 to what is more",
		"it counts by the address that it sees: behind another proxy that is one client",
	}
	summary := "limit " + r.Target.String() + " to " + h.config.String()
	rec, _ := parseFields(o.GetAnnotations()) // the plan says when it can't be read
	if now, err := strconv.Atoi(o.GetAnnotations()[nginxRateKey]); err == nil && now > 0 && now <= h.config.Requests && !rec.holdBy(r.Key) {
		return nil, summary, append(notes, "it is limited to "+strconv.Itoa(now)+" a minute already"), nil
	}
	return []field{
		{Path: nginxRate, Value: strconv.Itoa(h.config.Requests)},
		{Path: nginxBurst, Value: "1"},
	}, summary, notes, nil
}

// nginxClass refuses an Ingress that another controller serves.
func (h httpRate) nginxClass(ctx context.Context, r Request, o *unstructured.Unstructured) error {
	name, _, _ := unstructured.NestedString(o.Object, "spec", "ingressClassName")
	if name == "" || h.Offline {
		return nil // the cluster's default, which only its controller knows
	}
	found, err := h.Cluster.Get(ctx, networkingv1.GroupName, "v1", "ingressclasses", "", name)
	if err != nil {
		return err
	}
	if controller, _, _ := unstructured.NestedString(found.Object, "spec", "controller"); controller != nginxController {
		return refuse(r.Target, "its controller is %.100q, not %s", controller, nginxController)
	}
	return nil
}
