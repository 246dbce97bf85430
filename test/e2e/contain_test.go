package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/command"
)

// TestContainCheck asks the program itself about a pod of the real control plane,
// as an account that has just what contain role prints: that only reads.
func TestContainCheck(t *testing.T) {
	t.Parallel()
	client := admin(t)
	ns := namespace(t, client)
	program := command.Path(t)
	check := func(want int, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), program, append([]string{"contain"}, args...)...).CombinedOutput()
		code := 0
		if failed := new(exec.ExitError); errors.As(err, &failed) {
			code = failed.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want {
			t.Errorf("%q ended with %d, want %d: %s", args, code, want, out)
		}
		return string(out)
	}
	account := kube.Account{Namespace: ns, Name: "looker", Role: kube.RoleName + "-contain-check"}
	role := check(0, "role", "--namespace", ns, "--service-account", account.Name)
	for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate", "*"} {
		if strings.Contains(role, "- "+verb+"\n") || strings.Contains(role, `"`+verb+`"`) {
			t.Errorf("the role lets it %s:\n%s", verb, role)
		}
	}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}
	if _, err := client.CoreV1().ServiceAccounts(ns).Create(t.Context(), sa, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bind(t, client, role, account)
	token, err := client.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := clientcmdapi.NewConfig()
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: plane(t).Server, CertificateAuthority: plane(t).CA}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	c.Contexts["x"], c.CurrentContext = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}, "x"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		t.Fatal(err)
	}

	looker, err := kube.New(kube.Options{Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the role", func(ctx context.Context) error { // the authoriser learns of it a moment later
		_, err := looker.Pods(ctx, "", "")
		return err
	})

	lonely(t, client, ns, "web")
	allowPolicy(t, client, ns, "wide", allowAll)
	pod := ns + "/web"
	text := check(1, "check", pod, "--held", "--kubeconfig", file)
	for _, part := range []string{
		"pod " + pod, "NetworkPolicy " + ns + "/wide", "may reach:", "may be reached:", "on all ports",
		"whether the network plugin enforces these policies", "whether connections that are open already are cut", "it is not held",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
	var report struct {
		Pod     string
		Egress  []json.RawMessage
		Unknown []string
	}
	if err := json.Unmarshal([]byte(check(0, "check", pod, "-o", "json", "--kubeconfig", file)), &report); err != nil || report.Pod != pod || len(report.Egress) == 0 || len(report.Unknown) == 0 {
		t.Errorf("%+v %v", report, err)
	}
	if dot := check(0, "check", pod, "-o", "dot", "--kubeconfig", file); !strings.HasPrefix(dot, "digraph containment {") || !strings.Contains(dot, "pod -> ") || !strings.Contains(dot, ns+"/wide") {
		t.Error(dot)
	}
	if mermaid := check(0, "check", pod, "-o", "mermaid", "--kubeconfig", file); !strings.HasPrefix(mermaid, "flowchart LR") || !strings.Contains(mermaid, "-->|") {
		t.Error(mermaid)
	}
	if err := client.NetworkingV1().NetworkPolicies(ns).Delete(t.Context(), "wide", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	allowPolicy(t, client, ns, "deny", denyAll)
	if held := check(0, "check", pod, "--held", "--kubeconfig", file); !strings.Contains(held, "held: by all policies nothing gets through") {
		t.Error(held)
	}
	check(2, "check", ns+"/nobody", "--kubeconfig", file)
}
