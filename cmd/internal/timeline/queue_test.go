package timeline

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// Where nothing waits, that is said: a bare header looks as though something were
// missing.
func TestNothingWaits(t *testing.T) {
	for _, test := range []struct {
		queue approve.Queue
		want  string
	}{
		{approve.Queue{}, "nothing waits for people\n"},
		{approve.Queue{Questions: []approve.Question{{Run: "0123456789abcdef"}}}, "0123456789ab"},
		{approve.Queue{Ends: []approve.HoldEnd{{Run: "0123456789abcdef"}}}, "0123456789ab"},
		{approve.Queue{Rest: &approve.Rest{Count: 7}}, "and 7 more"},
	} {
		var b strings.Builder
		Queue(&b, test.queue)
		if !strings.Contains(b.String(), test.want) {
			t.Errorf("%+v is told as %q, want %q", test.queue, &b, test.want)
		}
	}
}
