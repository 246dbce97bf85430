package event

import (
	"slices"
	"testing"
)

func TestSeverity(t *testing.T) {
	for _, c := range []struct {
		text string
		want Severity
		rank int
	}{
		{"info", SeverityInfo, 0},
		{"low", SeverityLow, 1},
		{"Medium", SeverityMedium, 2},
		{"HIGH", SeverityHigh, 3},
		{"critical", SeverityCritical, 4},
		{"", "", -1},
		{"warning", "", -1},
		{" high", "", -1},
	} {
		got, err := ParseSeverity(c.text)
		if got != c.want || (err == nil) != (c.want != "") || got.Rank() != c.rank {
			t.Errorf("%q: %q (%d), %v", c.text, got, got.Rank(), err)
		}
	}
	if !slices.IsSortedFunc(Severities(), func(a, b Severity) int { return a.Rank() - b.Rank() }) {
		t.Error("severities are not in order")
	}
	if TrustAudit.String() != "T3" || TrustText.String() != "T0" {
		t.Error("trust is not T0 to T3")
	}
}

func TestTerminal(t *testing.T) {
	moving := []RunState{RunGuarding, RunAwaiting, RunRunning, RunHolding, RunReverting}
	for _, s := range RunStates() {
		if s.Terminal() == slices.Contains(moving, s) {
			t.Errorf("%s: terminal %v", s, s.Terminal())
		}
	}
}

func TestRef(t *testing.T) {
	exec := PodRef("shop", "web")
	exec.Subresource = "exec"
	for _, c := range []struct {
		ref       Ref
		text      string
		pod, node bool
	}{
		{PodRef("shop", "web"), "pods/shop/web", true, false},
		{exec, "pods/shop/web/exec", true, false},
		{NodeRef("n1"), "nodes/n1", false, true},
		{Ref{}, "", false, false},
		{Ref{Group: "metrics.k8s.io", Resource: "pods", Name: "web"}, "pods/web", false, false},
		{Ref{Resource: "pods", Namespace: "shop"}, "pods/shop", false, false},
	} {
		if c.ref.String() != c.text || c.ref.IsPod() != c.pod || c.ref.IsNode() != c.node {
			t.Errorf("%+v: %q pod %v node %v", c.ref, c.ref, c.ref.IsPod(), c.ref.IsNode())
		}
	}
}
