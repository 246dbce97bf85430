package action

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

// losing runs each command, and loses the answer of the first ones.
type losing struct {
	talking
	ran, lose int
}

func (c *losing) Command(ctx context.Context, w event.Write, s kube.Streams) error {
	c.ran++
	if err := c.talking.Command(ctx, w, s); err != nil || c.ran > c.lose {
		return err
	}
	return errors.New("connection reset")
}

// TestExecOnce: when the answer of a command is lost nobody knows whether it ran:
// it is not run again, and the step says so. One that ran is not run again either.
func TestExecOnce(t *testing.T) {
	for lose, want := range map[int]string{1: "it is not known whether the command ran", 0: ""} {
		fake := newFake()
		uid := fake.put(t, "pods", pod("web-1", map[string]string{"app": "web"}))
		c := &losing{talking: talking{fake: fake, out: []byte("done"), chunk: 100}, lose: lose}
		a := build(t, podExec, Deps{Cluster: c, Evidence: &evidence.Store{Blobs: &blobs{all: map[string][]byte{}}}}, &ExecConfig{Command: []string{"sync"}})
		r := podRequest("run1/s", "web-1", uid)
		p, err := a.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		first, err := a.Do(t.Context(), r, p)
		if (err != nil) != (lose > 0) {
			t.Fatalf("%+v %v", first, err)
		}
		for range 2 {
			again, err := a.Do(t.Context(), r, p)
			switch {
			case want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want)):
				t.Errorf("again: %v", err)
			case want == "" && (err != nil || again.Output["sha256"] != first.Output["sha256"]):
				t.Errorf("again: %+v %v", again, err)
			}
		}
		if c.ran != 1 {
			t.Errorf("the command ran %d times", c.ran)
		}
	}
}
