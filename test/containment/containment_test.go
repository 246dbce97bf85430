package containment

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// states is how many clusters are made: few in CI, 100,000 with
// FIREBREAK_TORTURE=1, or as many as FIREBREAK_STATES says.
func states(t *testing.T, few string) {
	t.Helper()
	n := few
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		n = "100000"
	}
	if v := os.Getenv("FIREBREAK_STATES"); v != "" {
		n = v
	}
	old := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", old) })
}

func TestReachAgreesWithTheJudge(t *testing.T) {
	states(t, "1000")
	connections, allowed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := Draw(t, Options{})
		n, err := Compare(s, func(from, to End, protocol string, port int) bool {
			ok := s.Allowed(from, to, protocol, port)
			if ok {
				allowed++
			}
			return ok
		})
		connections += n
		if err != nil {
			text, _ := json.MarshalIndent(s, "", " ")
			t.Fatalf("%v\n%s", err, text)
		}
	})
	t.Logf("%d connections, %d of them allowed", connections, allowed)
}

// What is sealed lets nothing through.
func TestSealedLetsNothingThrough(t *testing.T) {
	states(t, "500")
	sealed := 0
	rapid.Check(t, func(t *rapid.T) {
		s := Draw(t, Options{})
		state, err := s.Reach()
		if err != nil {
			t.Fatal(err)
		}
		w := reach.New(state)
		for i := range s.Pods {
			p := &s.Pods[i]
			ok, _, err := w.Sealed(p.Namespace, p.Name)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			sealed++
			if r, err := w.Report(p.Namespace, p.Name); err != nil || !r.Held() {
				t.Fatalf("%s/%s is sealed, and %v gets through (%v)", p.Namespace, p.Name, r.Flows(), err)
			}
		}
	})
	if sealed == 0 {
		t.Error("nothing was sealed")
	}
}

// What a report can't write out for want of room is compared no further than it is
// written: the addresses that it does name, and every pod.
func TestMoreBlocksThanAreWritten(t *testing.T) {
	except := []string{"2001:db8::1/128", "fd00:10::c8/128", "fd00:16::9/128", "2001:dead::7/128"}
	space := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	pod := func(name, address string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "a"},
			Status:     corev1.PodStatus{PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}},
		}
	}
	s := State{
		Namespaces: []corev1.Namespace{space},
		Pods:       []corev1.Pod{pod("p", "fd00:10::1"), pod("q", "fd00:10::2")},
		Policies: []networkingv1.NetworkPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "n", Namespace: "a"}, Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "::/0", Except: except}}}}},
		}}},
	}
	cut := 0
	state, err := s.Reach()
	if err != nil {
		t.Fatal(err)
	}
	r, err := reach.New(state).Report("a", "p")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Egress {
		if n := len(f.Peer.Blocks); n > 0 && f.Peer.Blocks[n-1] == reach.AndMore {
			cut++
		}
	}
	if cut == 0 {
		t.Fatalf("all is written: %+v", r.Egress)
	}
	if n, err := Compare(s, s.Allowed); err != nil || n == 0 {
		t.Errorf("%d compared: %v", n, err)
	}
}
