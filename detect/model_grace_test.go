package detect

import (
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/detect/budget"
)

// A new version excuses what is otherwise because of it, and not the features that
// are named: as much is sent as from an old one is found, and told to be no matter
// of the version.
func TestRolloutExcusesNotAll(t *testing.T) {
	// sent is the score of an answer that is larger than usual, just after a rollout
	// or without one, and what is said of it.
	sent := func(rollout, digest string) (score float64, words string) {
		g := modelOf(t, quick, "features: {duration: http.duration, path: surprisal(http.path)}",
			"rollout: "+rollout+"\n  features: {duration: rel(http.duration), size: rel(http.bytes)}")
		for i := range 908 {
			e := quickEvent(i, "web-1", 1+float64(i*7919%101)/200, "/")
			e.HTTP.Bytes, e.Object.Digest = int64(1000+i*7907%103), "sha256:1"
			if i >= 900 {
				e.Object.Digest = digest
			}
			if i == 907 {
				e.HTTP.Bytes = 1500
				modelIn(g).traced = func(_ *observation, s float64, _ budget.Decision) { score = s }
			}
			for _, f := range folded(t, g, e) {
				words = f.Explanation
			}
		}
		return score, words
	}
	strict, excused := "{on: object.digest, for: 10m, except: [size]}", "{on: object.digest, for: 10m}"
	before, _ := sent(strict, "sha256:1")
	held, words := sent(strict, "sha256:2")
	lax, _ := sent(excused, "sha256:2")
	if held < before-0.02 || lax > held-0.05 {
		t.Errorf("without a rollout it has %.3f, with one %.3f, where it is excused %.3f", before, held, lax)
	}
	if !strings.Contains(words, "counts less, but not for size") {
		t.Errorf("it says %q", words)
	}
}

// What is excused is of the features that are not named, values and numbers alike.
func TestStrictIsOfTheFeature(t *testing.T) {
	m := modelIn(modelOf(t, quick, "features: {duration: http.duration, path: surprisal(http.path)}",
		"rollout: {on: object.digest, for: 10m, except: [by, size]}\n  features: {duration: rel(http.duration), path: surprisal(http.path), by: surprisal(actor.user), size: rel(http.bytes)}"))
	for _, f := range m.features {
		want := slices.Contains([]string{"by", "size"}, f.name)
		for _, c := range m.measures[f.from:f.to] {
			if c.category >= 0 && m.strict(m.categories, measuredCategory)[c.category] != want || c.number >= 0 && m.strict(m.numbers, measuredNumber)[c.number] != want {
				t.Errorf("%s is strict: %v", f.name, !want)
			}
		}
	}
}
