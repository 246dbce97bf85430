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
// pack does.
var falcoClaims = map[string]string{
	"Anonymous Request Allowed":                        "anonymous-request",
	"Attach to cluster-admin Role":                     "cluster-admin-bound",
	"ClusterRole With Pod Exec Created":                "role-leads-further",
	"ClusterRole With Wildcard Created":                "wildcard-role",
	"ClusterRole With Write Privileges Created":        "role-writes",
	"Create Privileged Pod":                            "privileged-pod",
	"Create HostNetwork Pod":                           "host-namespaces",
	"Create Sensitive Mount Pod":                       "sensitive-host-path",
	"Create NodePort Service":                          "node-port",
	"Attach/Exec Pod":                                  "pod-exec",
	"ConfigMap With Private Credentials":               "credentials-in-configmap",
	"Create/Modify Configmap With Private Credentials": "credentials-in-configmap",
	"K8s ClusterRole Created":                          "role-changed",
	"K8s ConfigMap Deleted":                            "object-recorded",
	"K8s Deployment Created":                           "object-recorded",
	"K8s Namespace Created":                            "object-recorded",
	"K8s Namespace Deleted":                            "namespace-deleted",
	"K8s Secret Created":                               "secret-written",
	"K8s Service Deleted":                              "object-recorded",
	"K8s Serviceaccount Created":                       "object-recorded",
	"Pod Created in Kube Namespace":                    "pod-in-system-namespace",
	"Service Account Created in Kube Namespace":        "service-account-in-system-namespace",
	"System ClusterRole Modified/Deleted":              "system-role-changed",
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
	listed = "known to Panther's enrichment alone; ours looks at the list hostile-networks, which the operator feeds"
	early  = "a session that begins with such a credential is a use of it, whether it ends or not"
	lists  = "who may not list secrets tries as much as who may not get one"
	local  = "an address can be forged by a proxy: local ones don't count as harmless"
	system = "a controller's credential can be stolen, too"
	wide   = "ours looks at updates and at bindings of one namespace, too"
)

// pantherClaims says which of our rules claim what a rule of Panther's does,
// and on which lines ours differ on purpose.
var pantherClaims = map[string]struct {
	rules   []string
	differs map[int]string
}{
	"anonymous_api_access":              {[]string{"anonymous-request", "anonymous-probe"}, map[int]string{}},
	"k8s_anonymous_api_access":          {[]string{"anonymous-request", "anonymous-probe"}, map[int]string{5: local, 8: cloud}},
	"k8s_clusterrolebinding_privileged": {[]string{"cluster-admin-bound", "powerful-role-bound"}, map[int]string{6: wide, 7: system}},
	"k8s_exec_into_pod":                 {[]string{"pod-exec"}, map[int]string{}},
	"k8s_pod_dangerous_capabilities":    {[]string{"dangerous-capabilities"}, map[int]string{}},
	"k8s_pod_host_network":              {[]string{"host-namespaces"}, map[int]string{}},
	"k8s_pod_hostpath_volume":           {[]string{"sensitive-host-path", "host-path"}, map[int]string{}},
	"k8s_role_wildcard":                 {[]string{"wildcard-role"}, map[int]string{6: system, 8: wide}},
	"k8s_secrets_dump_all_namespaces":   {[]string{"secrets-listed-everywhere"}, map[int]string{}},
	"k8s_serviceaccount_token_created":  {[]string{"service-account-token"}, map[int]string{}},
	"k8s_ioc_activity":                  {[]string{"hostile-address"}, map[int]string{1: listed, 2: listed, 3: listed}},
	"k8s_multiple_403_public_ip":        {[]string{"request-refused-from-internet"}, map[int]string{}},
	"k8s_secret_access_denied":          {[]string{"secret-refused"}, map[int]string{9: lists}},
	"k8s_system_principal_public_ip":    {[]string{"system-principal-from-internet"}, map[int]string{}},
	"source_ip_multiple_403":            {[]string{"request-refused-from-internet"}, map[int]string{}},
	"system_namespace_public_ip":        {[]string{"system-principal-from-internet"}, map[int]string{4: early}},
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
	if agree < 110 {
		t.Errorf("%d lines as Panther says, want 110 at least", agree)
	}
	t.Logf("%d lines as Panther says; differ: %v", agree, differ)
}
