package event

import (
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var idForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

func TestHashIDTellsListsApart(t *testing.T) {
	parts := rapid.SliceOfN(rapid.StringMatching(`[ab.]{0,3}`), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		x, y := HashID(a...), HashID(b...)
		if !idForm.MatchString(x) {
			t.Fatalf("id %q", x)
		}
		if (x == y) != slices.Equal(a, b) {
			t.Fatalf("%q is %s, %q is %s", a, x, b, y)
		}
	})
}

// TestIDsAreForever: ids are stored, so they must not change with a release.
func TestIDsAreForever(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{HashID(), "e3b0c44298fc1c149afbf4c8996fb924"},
		{FindingID("rule", "group", "event"), HashID("finding", "rule", "group", "event")},
		{RunID("p", "i", Ref{UID: "u"}, 1), HashID("run", "p", "i", "u")},
		{RunID("p", "i", PodRef("n", "x"), 0), HashID("run", "p", "i", "pods/n/x")},
		{RunID("p", "i", Ref{Resource: "pods", Name: "x", UID: "u"}, 2), HashID("run", "p", "i", "u", "2")},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if HashID("a") == HashID("a", "") || HashID("ab") == HashID("a", "b") {
		t.Error("parts run together")
	}
}
