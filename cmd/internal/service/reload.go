package service

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// reloadEvery is how often the files of rules are looked at.
const reloadEvery = 2 * time.Second

// publishControl stores a control event in the stream of events.
func (s *service) publishControl(ctx context.Context, e event.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode control event: %w", err)
	}
	if len(data) > event.MaxEventBytes {
		return fmt.Errorf("control event has %d bytes, more than %d", len(data), event.MaxEventBytes)
	}
	_, err = s.bus.Publish(ctx, bus.SubjectEvents, event.EncodeFrame([][]byte{data}))
	return err
}

// reload offers the rules of the files whenever these change, until ctx ends.
// Files with a problem change nothing: the log says what is wrong, and the
// rules from before stay in use.
func (s *service) reload(ctx context.Context, version string, offer func(context.Context, *detect.RuleSet) error) {
	paths := s.paths(s.Config.Rules)
	seen, failed := "", "" // so that a change since they were loaded is seen
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := stamp(paths)
		if now == seen && failed == "" {
			continue
		}
		set, err := files.Rules(paths, !s.Config.NoShipped)
		if err == nil && set.Version() != version {
			err = offer(ctx, set)
		}
		switch {
		case err != nil && err.Error() != failed:
			s.logger.ErrorContext(ctx, "changed rules can't be used, those from before stay in use", "error", err)
			failed = err.Error()
		case err == nil:
			if set.Version() != version {
				s.logger.InfoContext(ctx, "rules changed", "rules", len(set.Detectors()), "version", set.Version())
			}
			version, failed = set.Version(), ""
		}
		seen = now
	}
}

// stamp changes when a file of the paths does: by name, time or size.
func stamp(paths []string) string {
	all := ""
	for _, path := range paths {
		names := []string{path}
		if entries, err := os.ReadDir(path); err == nil {
			names = names[:0]
			for _, e := range entries {
				names = append(names, filepath.Join(path, e.Name()))
			}
		}
		for _, name := range names {
			if info, err := os.Stat(name); err == nil {
				all += fmt.Sprintf("%s %d %d\n", name, info.ModTime().UnixNano(), info.Size())
			}
		}
	}
	return all
}
