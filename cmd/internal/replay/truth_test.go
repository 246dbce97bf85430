package replay_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
)

// falcoClaims says which of our rules claims what a rule of Falco's k8saudit
// pack does. Falco's other rules note what is common (a Service was made), and
// ours don't.
var falcoClaims = map[string]string{
	"Anonymous Request Allowed":                        "anonymous-request",
	"Attach to cluster-admin Role":                     "cluster-admin-bound",
	"ClusterRole With Wildcard Created":                "wildcard-role",
	"Create Privileged Pod":                            "privileged-pod",
	"Create HostNetwork Pod":                           "host-namespaces",
	"Create Sensitive Mount Pod":                       "sensitive-host-path",
	"Attach/Exec Pod":                                  "pod-exec",
	"ConfigMap With Private Credentials":               "credentials-in-configmap",
	"Create/Modify Configmap With Private Credentials": "credentials-in-configmap",
}

// TestFalcoTruth: where a rule of ours claims the same as one of Falco's, it
// finds what Falco's regression test says that Falco finds.
func TestFalcoTruth(t *testing.T) {
	o := shipped(t)
	hits, elsewhere := 0, 0
	for _, f := range realFiles(t) {
		if !strings.HasPrefix(f.Path, "k8s-audit/falco-trace_files/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(shared, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		o := o
		o.Inputs = []replay.Input{input("audit", "f", data)}
		found := map[string]bool{}
		for _, x := range run(t, o).findings {
			found[x.Rule] = true
		}
		claimed := false
		for theirs, ours := range falcoClaims {
			if !strings.Contains(f.Truth, `1x "`+theirs+`"`) {
				continue
			}
			claimed = true
			if !found[ours] {
				t.Errorf("%s: %s is not found; Falco finds %q", f.Path, ours, theirs)
				continue
			}
			hits++
		}
		if !claimed {
			elsewhere++
		}
	}
	t.Logf("%d found as Falco does, %d files for rules that are not ours", hits, elsewhere)
}

// Why a verdict of ours differs from one of Panther's.
const (
	cloud  = "a cloud's health checkers are known by their addresses, which ours does not list"
	public = "health and version pages are public, whoever asks"
	denied = "what was denied did no harm; ours is about what was allowed"
	local  = "an address can be forged by a proxy: local ones don't count as harmless"
	system = "a controller's credential can be stolen, too"
	wide   = "ours looks at updates and at bindings of one namespace, too"
)

// pantherClaims says which of our rules claim what a rule of Panther's does,
// and on which lines ours differ on purpose. Panther's others are about
// addresses (public ones, Tor) or counts, which no rule of ours is yet.
var pantherClaims = map[string]struct {
	rules   []string
	differs map[int]string
}{
	"anonymous_api_access":              {[]string{"anonymous-request"}, map[int]string{3: public, 7: public, 8: denied}},
	"k8s_anonymous_api_access":          {[]string{"anonymous-request"}, map[int]string{5: local, 8: cloud}},
	"k8s_clusterrolebinding_privileged": {[]string{"cluster-admin-bound", "powerful-role-bound"}, map[int]string{6: wide, 7: system}},
	"k8s_exec_into_pod":                 {[]string{"pod-exec"}, map[int]string{}},
	"k8s_pod_dangerous_capabilities":    {[]string{"dangerous-capabilities"}, map[int]string{}},
	"k8s_pod_host_network":              {[]string{"host-namespaces"}, map[int]string{}},
	"k8s_pod_hostpath_volume":           {[]string{"sensitive-host-path", "host-path"}, map[int]string{}},
	"k8s_role_wildcard":                 {[]string{"wildcard-role"}, map[int]string{6: system, 8: wide}},
	"k8s_secrets_dump_all_namespaces":   {[]string{"secrets-listed-everywhere"}, map[int]string{}},
	"k8s_serviceaccount_token_created":  {[]string{"service-account-token"}, map[int]string{}},
}

type verdictOfPanther struct {
	Line     int    `json:"line"`
	Name     string `json:"name"`
	Expected bool   `json:"expected"`
}

// panther reads the lines of a rule's tests and what each must give.
func panther(t *testing.T, name string) (lines [][]byte, verdicts []verdictOfPanther) {
	t.Helper()
	base := filepath.Join(shared, "k8s-audit/panther-analysis", name)
	data, err := os.ReadFile(base + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(base + ".truth.json")
	if err != nil {
		t.Fatal(err)
	}
	var truth struct {
		Tests []verdictOfPanther `json:"tests"`
	}
	if err := json.Unmarshal(text, &truth); err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(data), []byte("\n")), truth.Tests
}

// TestPantherTruth: our rules say of each line what Panther's does, but where
// they differ on purpose.
func TestPantherTruth(t *testing.T) {
	realFiles(t)
	o := shipped(t)
	agree, differ := 0, map[string]int{}
	for name, claim := range pantherClaims {
		lines, verdicts := panther(t, name)
		for _, v := range verdicts {
			if v.Line < 1 || v.Line > len(lines) {
				continue // its event is not among the lines
			}
			// Each line is a test of its own: some are the same request.
			o := o
			o.Inputs = []replay.Input{input("audit", strconv.Itoa(v.Line), lines[v.Line-1])}
			found := false
			for _, f := range run(t, o).findings {
				found = found || slices.Contains(claim.rules, f.Rule)
			}
			why, known := claim.differs[v.Line]
			if (found == v.Expected) == known {
				t.Errorf("%s:%d %q: %v finds it: %t, Panther: %t (known to differ: %q)", name, v.Line, v.Name, claim.rules, found, v.Expected, why)
			}
			if found == v.Expected {
				agree++
			} else {
				differ[why]++
			}
		}
	}
	t.Logf("%d lines as Panther says; differ: %v", agree, differ)
}
