package detect

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What is usual of one that was never there before is its peers': it is said so,
// for it may never have had any of it.
func TestUsualOfPeers(t *testing.T) {
	for name, peers := range map[string]bool{"web-1": false, "web-9": true} {
		t.Run(name, func(t *testing.T) {
			g := modelOf(t, quick, "{duration: http.duration, path: surprisal(http.path)}", "{path: surprisal(http.path)}")
			usual(t, g, 0, 600)
			found := folded(t, g, quickEvent(600, name, 1, "/odd"))
			if len(found) != 1 {
				t.Fatalf("found %d times", len(found))
			}
			f, words := found[0].Features[0], found[0].Explanation
			if f.Text != "/odd" || f.Usual == "" || f.Peers != peers {
				t.Errorf("it is %+v", f)
			}
			if strings.Contains(words, `/odd" (its peers usually "/`) != peers || strings.Contains(words, `/odd" (usually "/`) == peers {
				t.Errorf("in words: %s", words)
			}
			if strings.Contains(words, " as of its peers") != peers {
				t.Errorf("what would be normal: %s", words)
			}
			if text := phrase(event.Feature{Name: "path", Text: "a", Usual: "a", Peers: true}); text != `path "a"` {
				t.Errorf("what is usual itself is %s", text)
			}
		})
	}
}
