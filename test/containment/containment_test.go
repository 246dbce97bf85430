package containment

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

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
