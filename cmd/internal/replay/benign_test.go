package replay_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// benignFindings are those of severity medium or above that our rules have in
// audit logs where nothing bad happened, and why.
var benignFindings = map[string]string{
	"secret-read": "an operator reads the secrets of its own namespace, and an administrator runs Helm: add them to trusted-accounts, or to an Exception",
}

// TestBenignAudit: where nothing bad happened nothing of severity medium or
// above is found, but for what is explained.
func TestBenignAudit(t *testing.T) {
	realFiles(t)
	o := shipped(t)
	quiet(t, o, input("audit", "kubernetes-event-dataset", auditOfCSV(t, "k8s-audit/kubernetes-event-dataset/audit-logs-first3000.csv")), benignFindings)
	quiet(t, o, input("audit", "audit2rbac", sharedFile(t, "k8s-audit/audit2rbac/demo.log")), benignFindings)
}

// quiet replays what is ordinary: nothing of severity medium or above may be
// found in it, but by rules of which it is explained why.
func quiet(t *testing.T, o replay.Options, in replay.Input, explained map[string]string) *record {
	t.Helper()
	o.Playbooks, o.Inputs = nil, []replay.Input{in}
	r := run(t, o)
	found := map[string]int{}
	for _, f := range r.findings {
		found[fmt.Sprintf("%s %s (%s)", f.Severity, f.Rule, explained[f.Rule])]++
		if f.Severity.Rank() >= event.SeverityMedium.Rank() && explained[f.Rule] == "" {
			t.Errorf("%s: %s %s: %s", in.Name, f.Severity, f.Rule, f.Explanation)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(found)) {
		t.Logf("%s: %d times %s", in.Name, found[rule], rule)
	}
	return r
}

func sharedFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared, path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// auditOfCSV writes the rows of a table of audit events as the API server would
// have: host, time, user, verb, resource, subresource, name, group, URI, audit
// id, stage, code.
func auditOfCSV(t *testing.T, path string) []byte {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(sharedFile(t, path))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for i, row := range rows {
		if len(row) < 12 {
			t.Fatalf("%s:%d has %d columns", path, i+1, len(row))
		}
		namespace := ""
		if _, rest, ok := strings.Cut(row[8], "/namespaces/"); ok && row[4] != "namespaces" {
			namespace, _, _ = strings.Cut(rest, "/")
			namespace, _, _ = strings.Cut(namespace, "?")
		}
		code, _ := strconv.Atoi(row[11])
		line, err := json.Marshal(map[string]any{
			"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": row[9], "stage": row[10],
			"requestURI": row[8], "verb": row[3], "user": map[string]any{"username": row[2]},
			"objectRef":      map[string]any{"resource": row[4], "subresource": row[5], "name": row[6], "namespace": namespace},
			"responseStatus": map[string]any{"code": code}, "requestReceivedTimestamp": row[1], "stageTimestamp": row[1],
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", line)
	}
	return out.Bytes()
}
