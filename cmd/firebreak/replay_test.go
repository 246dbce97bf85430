package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestReplayedCeiling: plans in a cluster are told as the service with that config
// would carry them out, unless another ceiling is said.
func TestReplayedCeiling(t *testing.T) {
	file := func(mode string) string {
		path := filepath.Join(t.TempDir(), "config.yaml")
		text := "apiVersion: firebreak.io/v1alpha1\nkind: Config\nmetadata: {name: c}\nspec:\n  cluster: c\n" + mode
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	asks, silent := file("  respond: {mode: ask}\n"), file("")
	for name, tt := range map[string]struct {
		live         bool
		config, mode string
		want         event.Mode
		bad          bool
	}{
		"no cluster":                   {want: event.ModeAct},
		"no cluster, a config of logs": {config: asks, want: event.ModeAct},
		"no config":                    {live: true, want: event.ModeAct},
		"as the config says":           {live: true, config: asks, want: event.ModeAsk},
		"as its default is":            {live: true, config: silent, want: event.ModeObserve},
		"said to be higher":            {live: true, config: asks, mode: "act", want: event.ModeAct},
		"said to be lower":             {live: true, config: asks, mode: "observe", want: event.ModeObserve},
		"no mode":                      {live: true, config: asks, mode: "suggest", bad: true},
	} {
		r := replayed{live: tt.live, mode: tt.mode}
		r.config = tt.config
		by, err := r.configured()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := r.ceiling(by); (err != nil) != tt.bad || !tt.bad && got != tt.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, tt.want)
		}
	}
}
