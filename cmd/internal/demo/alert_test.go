package demo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/event"
)

// A recorded alert that is bound to a live pod is, for ingest, one about it,
// and nothing of the recorded place is left.
func TestAlertsBind(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	to := place{
		namespace: "shop", pod: "web-1", container: "web", image: "registry.example/shop/web:4.2.0",
		id: "containerd://" + strings.Repeat("0123456789abcdef", 4), node: "worker-1",
	}
	falco, _ := ingest.Lookup("falco")
	entries, err := alerts.ReadDir("alerts")
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".json")
		a, err := recorded(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(a.bind(to, now))
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range []string{"kubecon", "=default", "ee97d9c4186f", "falco-xczjd", "x86", "alpine", "=host", a.Time.Format(time.RFC3339Nano)} {
			if strings.Contains(string(data), old) {
				t.Errorf("%s: %s is left in %s", name, old, data)
			}
		}
		events, rejected := falco.Decode(data, ingest.Origin{From: "test", Received: now})
		if len(events) != 1 || len(rejected) != 0 {
			t.Fatalf("%s: %v, %v", name, events, rejected)
		}
		e := events[0]
		if e.Object.Namespace != "shop" || e.Object.Name != "web-1" || e.Object.ContainerID != "0123456789ab" || e.Object.Image != to.image {
			t.Errorf("%s: object is %+v", name, e.Object)
		}
		if !e.Time.Equal(now) || e.Trust != event.TrustRuntime || e.Rule != a.Rule {
			t.Errorf("%s: %+v", name, e)
		}
		if again, err := recorded(name); err != nil || again.Fields["container.id"] != a.Fields["container.id"] || again.Fields["container.id"] == "0123456789ab" {
			t.Errorf("%s: binding changed the recording: %v, %v", name, again, err)
		}
	}
}
