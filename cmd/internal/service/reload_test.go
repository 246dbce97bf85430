package service

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
)

const oneRule = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: mine}
spec: {title: T, severity: low, source: audit, when: verb == "get"}
`

// A changed file is offered, one with a problem is not, and is told once.
func TestReload(t *testing.T) { synctest.Test(t, testReload) }

func testReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	write := func(text string) {
		if err := os.WriteFile(file+"~", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+"~", file); err != nil {
			t.Fatal(err)
		}
	}
	write(oneRule)
	logged := &safeBuffer{}
	s := &service{logger: slog.New(slog.NewTextHandler(logged, nil))}
	s.Config = &config.Config{Rules: []string{file}, NoShipped: true}
	set, err := files.Rules([]string{file}, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	offers := make(chan string)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.reload(ctx, set.Version(), func(_ context.Context, set *detect.RuleSet) error {
			offers <- set.Lookup("mine").(*detect.Rule).Spec.Title
			return nil
		})
	}()
	write(strings.Replace(oneRule, "verb", "vreb", 1))
	for tick := time.NewTicker(reloadEvery); !strings.Contains(logged.String(), "vreb") && ctx.Err() == nil; {
		<-tick.C
	}
	write(strings.Replace(oneRule, "title: T", "title: Longer", 1))
	select {
	case title := <-offers:
		if title != "Longer" {
			t.Errorf("offered %q", title)
		}
	case <-ctx.Done():
		t.Fatal("nothing was offered")
	}
	cancel()
	<-done
	if n := strings.Count(logged.String(), "vreb"); n == 0 || strings.Count(logged.String(), "stay in use") != 1 {
		t.Errorf("the log says %s", logged.String())
	}
}
