package replay_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	script "github.com/firebreak-io/firebreak/test/record"
)

// workFindings are those of severity low or above that our rules have while a
// cluster works and nobody attacks it, and why.
var workFindings = map[string]string{
	"cluster-admin-bound":                 "the cluster is set up: the group of the platform gets its role",
	"powerful-role-bound":                 "the cluster is set up: kubelets get theirs",
	"wildcard-role":                       "the roles of the GitOps controller and the backup are as wide as such roles are",
	"role-reads-secrets":                  "the role of an operator that keeps secrets",
	"service-account-in-system-namespace": "the account of the autoscaler is made",
	"pod-in-system-namespace":             "the autoscaler is deployed",
	"on-every-node":                       "the log collector is deployed",
	"scheduled-job-changed":               "a cron job is deployed",
	"secret-written":                      "secrets are made by hand at the beginning, and renewed by an operator: add it to trusted-accounts",
	"secret-read":                         "two operators read secrets: add them to trusted-accounts",
	"secrets-listed-everywhere":           "an operator and the backup, which may: add them to trusted-accounts",
	"node-joined":                         "nodes join",
	"pod-exec":                            "a developer looks into a pod",
	"permissions-listed":                  "a dashboard asks what its user may do",
	"refused-burst":                       "a developer asks for what is not for them, again and again",
	"namespace-deleted":                   "previews are removed: add what does it to trusted-accounts",
}

// TestRecording: of a recording of test/record, each act of the attack is found by
// the rules that it names, and what is found before the attack is explained.
func TestRecording(t *testing.T) {
	const dir = "../../../test/record/testdata"
	var marks []script.Mark
	if err := json.Unmarshal(file(t, filepath.Join(dir, "acts.json")), &marks); err != nil || len(marks) == 0 {
		t.Fatal(err)
	}
	o := shipped(t)
	o.Inputs = append(o.Inputs, input("audit", "recording", unzipped(t, filepath.Join(dir, "audit.ndjson.gz"))))
	r := run(t, o)
	byAct := map[string]script.Mark{}
	for _, m := range marks {
		byAct[m.Act] = m
	}
	for _, act := range script.Attack() {
		m, found := byAct[act.Name], map[string]bool{}
		for _, f := range r.findings {
			if !f.Time.Before(m.From) && !f.Time.After(m.Until.Add(time.Second)) {
				found[f.Rule] = true
			}
		}
		for _, rule := range act.Rules {
			if !found[rule] {
				t.Errorf("%s: %s finds nothing; found are %v", act.Name, rule, slices.Sorted(maps.Keys(found)))
			}
		}
	}
	before := map[string]int{}
	for _, f := range r.findings {
		if !f.Time.Before(marks[0].From) {
			continue
		}
		before[f.Rule+" "+string(f.Severity)]++
		if f.Severity.Rank() >= event.SeverityLow.Rank() && workFindings[f.Rule] == "" {
			t.Errorf("before the attack: %s %s: %s", f.Severity, f.Rule, f.Explanation)
		}
	}
	t.Logf("%d events, %d findings, %d of them again; before the attack: %v", r.summary.Events, len(r.findings), r.summary.Repeats, before)
}

func file(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func unzipped(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
