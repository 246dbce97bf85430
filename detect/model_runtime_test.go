package detect

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A shell under a web server of one workload is found among alerts that come
// every day, above all of them, and what runs is named.
func TestWorkloadRuntime(t *testing.T) {
	g := modelOf(t, shippedModel(t, "model-runtime.yaml"), "alerts_per_day: 5", "p: 0.005")
	alert := func(n, workload int, rule, binary, parent, file string) event.Event {
		at := modelStart.Add(time.Duration(n) * 30 * time.Second)
		return event.Event{
			ID: fmt.Sprint("f", n), Source: event.SourceFalco, Class: event.ClassProcessExec, Rule: rule, Time: at, Received: at,
			Actor:  event.Actor{User: "app"},
			Object: event.Ref{Namespace: "shop", Name: "p", Image: "registry/app:1", Workload: event.Workload{Kind: "Deployment", Name: fmt.Sprint("w", workload)}},
			Fields: event.Fields{"proc.name": binary, "proc.pname": parent, "fd.name": file},
		}
	}
	var highest float64
	for n := range 1500 {
		w := n % 6
		for _, f := range folded(t, g, alert(n, w, "Read sensitive file untrusted", fmt.Sprint("job", w), "cron", fmt.Sprint("/etc/shadow", n%3))) {
			highest = max(highest, f.Score)
		}
	}
	found := folded(t, g, alert(1500, 2, "Terminal shell in container", "bash", "nginx", "/dev/tcp"))
	if len(found) != 1 || found[0].Score <= highest || found[0].Entity != "shop/w2" {
		t.Fatalf("found %+v, others had %.3f", found, highest)
	}
	t.Log(found[0].Explanation)
	if first := found[0].Features[0].Name; first == "interarrival" || first == "by" {
		t.Errorf("named is %s", first)
	}
}
