package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/event"
)

// alertTruth says what our rules make of the real alerts, by the rule that
// Falco names. What is not here has to be found by its priority.
var alertTruth = map[string]string{
	"Terminal shell in container":        "container-shell high",
	"Non sudo setuid":                    "privilege-raised medium",
	"Write below binary dir":             "container-changed medium",
	"Disallowed K8s User":                "falco-api-unusual medium",
	"K8s Serviceaccount Created":         "falco-informational info",
	"open_from_cat":                      "falco-warning medium",
	"Test Terminate":                     "falco-critical critical",
	"Test NetworkPolicy":                 "falco-critical critical",
	"Test Script":                        "falco-warning medium",
	"Falco internal: metrics snapshot":   "",
	"Falco internal: syscall event drop": "",
	"Read sensitive file untrusted":      "sensitive-file-read high",
	"GCP IAM serviceAccount deleted":     "falco-notice low",
	"GCP WAF rule modified or deleted":   "falco-notice low",
	"Test rule":                          "falco-informational info",
}

// TestAlertTruth: each real alert is found once, as what it is, and what Falco
// says about itself is no finding.
func TestAlertTruth(t *testing.T) {
	o := shipped(t)
	engine := detect.NewEngine(o.Rules, detect.EngineOptions{})
	alerts, classes := 0, map[string]int{}
	for _, f := range realFiles(t) {
		if f.Category != "falco" {
			continue
		}
		for _, it := range itemsOf(t, "falco", sharedFile(t, f.Path)) {
			// So far apart that nothing is remembered from one to the next.
			it.Event.Time = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 2*alerts, 0)
			it.Event.Received = it.Event.Time
			found := findingsOf(t, engine, it.Event)
			want, known := alertTruth[it.Event.Rule]
			if !known {
				t.Errorf("%s: nothing is expected of %q (priority %s, tags %v); found: %v", f.Path, it.Event.Rule, it.Event.Priority, it.Event.Tags, found)
			} else if got := strings.Join(found, ", "); got != want {
				t.Errorf("%s: %q is found as %q, want %q", f.Path, it.Event.Rule, got, want)
			}
			alerts++
			classes[want]++
			t.Logf("%-45s %-40s %s", strings.TrimPrefix(f.Path, "falco/"), it.Event.Rule, want)
		}
	}
	t.Logf("%d alerts: %v", alerts, classes)
}

func itemsOf(t *testing.T, source string, data []byte) (items []ingest.Item) {
	t.Helper()
	_, err := ingest.Scan(source, "x", bytes.NewReader(data), ingest.Origin{}, func(it ingest.Item) error {
		if it.Event != nil {
			items = append(items, it)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// findingsOf are the rules that find something in one event alone, and how
// grave.
func findingsOf(t *testing.T, engine *detect.Engine, e *event.Event) (found []string) {
	t.Helper()
	findings, _, err := engine.Fold(e, event.Address{Sequence: 1, ID: e.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		found = append(found, f.Rule+" "+string(f.Severity))
	}
	return found
}

// TestAlertStorm: at 33,000 alerts a day of which one rule wrote most there are
// some findings, not thousands; what happens once among them is found. It
// takes the first fifth of such a day.
func TestAlertStorm(t *testing.T) {
	o := shipped(t)
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var alerts bytes.Buffer
	alert := func(i int, rule, priority, pod, process, file string) {
		line, err := json.Marshal(map[string]any{
			"rule": rule, "priority": priority, "output": fmt.Sprintf("%s %d", rule, i), "source": "syscall",
			"time": begin.Add(time.Duration(i) * 24 * time.Hour / 33_000).Format(time.RFC3339Nano),
			"output_fields": map[string]any{
				"k8s.ns.name": "shop", "k8s.pod.name": pod, "container.id": fmt.Sprintf("%012x", len(pod)*4096+int(pod[len(pod)-1])),
				"proc.name": process, "proc.cmdline": process + " --x", "fd.name": file, "evt.type": "openat", "user.name": "root",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		alerts.Write(append(line, '\n'))
	}
	quiet := []string{"Terminal shell in container", "Launch Package Management Process in Container", "Write below etc", "Set Setuid or Setgid bit", "Read Shell Configuration File"}
	for i := range 6_600 {
		switch {
		case i == 2_000: // the same rule, the same file, the same pod, another program
			alert(i, "Read sensitive file untrusted", "Warning", "agent-1", "cat", "/etc/shadow")
		case i == 5_000:
			alert(i, "Detect release_agent File Container Escapes", "Critical", "agent-1", "sh", "/sys/fs/cgroup/rdma/release_agent")
		case i%1000 < 893: // 29,465 of 33,000
			alert(i, "Read sensitive file untrusted", "Warning", fmt.Sprintf("agent-%d", i%6), "backup", "/etc/shadow")
		default:
			alert(i, quiet[i%len(quiet)], "Notice", fmt.Sprintf("web-%d", i%5), "bash", "/etc/x")
		}
	}
	o.Inputs = []replay.Input{input("falco", "storm", alerts.Bytes())}
	o.Playbooks = nil
	r := run(t, o)
	byRule, cat := map[string]int{}, 0
	for _, f := range r.findings {
		byRule[f.Rule]++
		if f.Rule == "sensitive-file-read" && strings.Contains(f.Explanation, "cat --x") {
			cat++
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(byRule)) {
		t.Logf("%s: %d", rule, byRule[rule])
	}
	if byRule["sensitive-file-read"] > 6*5+1 || len(r.findings) > 100 {
		t.Errorf("%d findings, %d of the noisy rule", len(r.findings), byRule["sensitive-file-read"])
	}
	if cat != 1 || byRule["container-escape"] != 1 || byRule["falco-storm"] != 1 {
		t.Errorf("what happened once is found: by cat %d, escape %d, and the storm itself %d", cat, byRule["container-escape"], byRule["falco-storm"])
	}
}
