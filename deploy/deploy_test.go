// Package deploy_test checks the manifests as files; test/e2e applies them to a control plane.
package deploy_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

type object = map[string]any

// read decodes the documents of a YAML file, by kind, namespace and name. A key that stands twice is
// an error.
func read(t *testing.T, file string) map[string]object {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, file, data)
}

func decode(t *testing.T, file string, data []byte) map[string]object {
	t.Helper()
	objects := map[string]object{}
	for _, document := range strings.Split("\n"+string(data), "\n---\n") {
		var o object
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if o == nil {
			continue
		}
		key := identity(o)
		if _, twice := objects[key]; twice {
			t.Fatalf("%s: %s stands twice", file, key)
		}
		objects[key] = o
	}
	return objects
}

func identity(o object) string {
	meta, _ := o["metadata"].(object)
	kind, _ := o["kind"].(string)
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	return kind + " " + filepath.Join(namespace, name)
}

// base reads what kustomization.yaml puts together, which must be every other file of the folder.
func base(t *testing.T) map[string]object {
	t.Helper()
	data, err := os.ReadFile("base/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(data, &kustomization); err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(os.DirFS("base"), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return f == "kustomization.yaml" })
	if diff := cmp.Diff(files, slices.Sorted(slices.Values(kustomization.Resources))); diff != "" {
		t.Fatalf("kustomization.yaml doesn't list the files of its folder (-files +listed):\n%s", diff)
	}
	all := map[string]object{}
	for _, file := range files {
		for key, o := range read(t, filepath.Join("base", file)) {
			if _, twice := all[key]; twice {
				t.Fatalf("base: %s stands twice", key)
			}
			all[key] = o
		}
	}
	return all
}

func TestInstallIsTheBase(t *testing.T) {
	if diff := cmp.Diff(base(t), read(t, "install.yaml")); diff != "" {
		t.Errorf("install.yaml is out of date, run make install-yaml (-base +install.yaml):\n%s", diff)
	}
}

// The role is what the command prints, neither more nor less.
func TestRoleIsWhatTheCommandPrints(t *testing.T) {
	want := decode(t, "firebreak rbac", firebreak(t, "rbac"))
	if diff := cmp.Diff(want, read(t, "base/rbac.yaml")); diff != "" {
		t.Errorf("base/rbac.yaml is out of date, run make install-yaml (-firebreak rbac +base/rbac.yaml):\n%s", diff)
	}
}

// So are the policies of lockouts.
func TestLockoutsAreWhatTheCommandPrints(t *testing.T) {
	want := decode(t, "firebreak rbac --lockouts", firebreak(t, "rbac", "--lockouts"))
	if diff := cmp.Diff(want, read(t, "lockouts/lockouts.yaml")); diff != "" {
		t.Errorf("lockouts/lockouts.yaml is out of date, run make install-yaml (-firebreak rbac --lockouts +lockouts/lockouts.yaml):\n%s", diff)
	}
}

// And so is the admission policy.
func TestAdmissionIsWhatTheCommandPrints(t *testing.T) {
	want := decode(t, "firebreak rbac --admission", firebreak(t, "rbac", "--admission"))
	if diff := cmp.Diff(want, read(t, "base/admission.yaml")); diff != "" {
		t.Errorf("base/admission.yaml is out of date, run make install-yaml (-firebreak rbac --admission +base/admission.yaml):\n%s", diff)
	}
}

// The shipped configuration is one that the command takes.
func TestConfigIsValid(t *testing.T) {
	data, _ := base(t)["ConfigMap firebreak/firebreak"]["data"].(object)
	text, _ := data["config.yaml"].(string)
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	firebreak(t, "check", file)
}

func firebreak(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "../cmd/firebreak"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("firebreak %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return out
}

// Once its blanks are filled in, the webhook's file is a kubeconfig that client-go takes.
func TestWebhookKubeconfig(t *testing.T) {
	data, err := os.ReadFile("audit/webhook.kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("CLUSTER-IP", "10.96.0.99", "AUDIT-TOKEN", "t0ken").Replace(string(data))
	config, err := clientcmd.Load([]byte(filled))
	if err != nil {
		t.Fatal(err)
	}
	if err := clientcmd.ConfirmUsable(*config, ""); err != nil {
		// The certificate stands on the control plane's disk.
		if !strings.Contains(err.Error(), "/etc/kubernetes/firebreak/ca.crt") {
			t.Fatal(err)
		}
	}
	cluster, user := config.Clusters["firebreak"], config.AuthInfos["kube-apiserver"]
	if cluster == nil || user == nil {
		t.Fatalf("no cluster or user in %v", config)
	}
	if want := "https://10.96.0.99:8443/v1/audit"; cluster.Server != want || cluster.InsecureSkipTLSVerify || user.Token != "t0ken" {
		t.Errorf("server %q, skip verification %v, token %q", cluster.Server, cluster.InsecureSkipTLSVerify, user.Token)
	}
	// The name that the certificate is asked for is the Service's.
	if _, ok := base(t)["Service firebreak/firebreak"]; !ok || cluster.TLSServerName != "firebreak.firebreak.svc" {
		t.Errorf("TLS name %q is no Service of the base", cluster.TLSServerName)
	}
}

// What is put in as an object must not be left out by accident: nothing here has a wildcard, and no
// Secret is shipped.
func TestNothingTooMuch(t *testing.T) {
	for key, o := range base(t) {
		if o["kind"] == "Secret" {
			t.Errorf("%s: secrets are the operator's", key)
		}
		rules, _ := o["rules"].([]any)
		for _, r := range rules {
			text, err := yaml.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{`'*'`, "escalate", "bind", "impersonate", "secrets", "pods/exec"} {
				if strings.Contains(string(text), "- "+bad+"\n") {
					t.Errorf("%s: a rule names %s:\n%s", key, bad, text)
				}
			}
		}
	}
}
