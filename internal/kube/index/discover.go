package index

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reportResource is what the Trivy operator writes its findings to
// (https://aquasecurity.github.io/trivy-operator/latest/docs/crds/vulnerability-report/).
var reportResource = schema.GroupVersionResource{Group: "aquasecurity.github.io", Version: "v1alpha1", Resource: "vulnerabilityreports"}

// discover watches VulnerabilityReports while the cluster has them: they may
// come later, and go.
func (x *Index) discover(ctx context.Context, c *clients) {
	tick := time.NewTicker(x.o.Discover)
	defer tick.Stop()
	var stop func()
	for {
		switch has, err := served(c); {
		case err != nil: // the next time; what is watched goes on
		case has && stop == nil:
			stop = x.watchReports(ctx, c)
		case !has && stop != nil:
			stop()
			stop = nil
		}
		select {
		case <-ctx.Done():
			if stop != nil {
				stop()
			}
			return
		case <-tick.C:
		}
	}
}

// watchReports begins to watch; the returned function ends that, and forgets.
func (x *Index) watchReports(ctx context.Context, c *clients) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	f, done := x.reportFeed(c), make(chan struct{})
	x.mu.Lock()
	x.feeds[f.resource] = f
	x.mu.Unlock()
	go func() {
		defer close(done)
		f.run(ctx)
	}()
	return func() {
		cancel()
		<-done
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.feeds, f.resource)
		x.reports.replace(nil)
	}
}

// served says whether the cluster has VulnerabilityReports.
func served(c *clients) (bool, error) {
	groups, err := c.typed.Discovery().ServerGroups()
	if err != nil {
		return false, err
	}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			if v.GroupVersion == reportResource.GroupVersion().String() {
				list, err := c.typed.Discovery().ServerResourcesForGroupVersion(v.GroupVersion)
				if err != nil {
					return false, err
				}
				for _, r := range list.APIResources {
					if r.Name == reportResource.Resource {
						return true, nil
					}
				}
			}
		}
	}
	return false, nil
}

// trimReport keeps of a report what [reportOf] reads: of the list of
// vulnerabilities only the worst.
func trimReport(u *unstructured.Unstructured) {
	u.SetManagedFields(nil)
	body, _ := u.Object["report"].(map[string]any)
	if body == nil {
		return
	}
	score := worst(u)
	u.Object["report"] = map[string]any{
		"summary": body["summary"], "artifact": body["artifact"],
		"vulnerabilities": []any{map[string]any{"score": score}},
	}
}
