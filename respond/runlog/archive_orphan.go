package runlog

import (
	"context"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// sweep removes what parts that were never listed left in the object store: their
// writers were killed, or somebody else was faster. Another responder may be
// writing one just now. The list is written again before anything is removed:
// whoever read it before that can't list a part any more, and whoever reads it
// after that stores a part that is not among what was found.
func (a *Archiver) sweep(ctx context.Context) error {
	store, err := a.bus.Objects(ctx, archiveStore, -1)
	if err != nil {
		return err
	}
	parts, revision, err := readArchive(ctx, a.bus)
	if err != nil {
		return err
	}
	orphans, err := store.Orphans(ctx, func(name string) bool {
		return slices.ContainsFunc(parts, func(p Part) bool { return p.Object == name })
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	if err := a.list(ctx, parts, revision); err != nil {
		return fmt.Errorf("remove what is not listed: %w", err)
	}
	if err := a.reach("sweeping"); err != nil {
		return err
	}
	for n, one := range orphans {
		if err := store.Remove(ctx, []bus.Orphan{one}); err != nil {
			return err
		}
		if n == 0 {
			if err := a.reach("swept one"); err != nil {
				return err
			}
		}
	}
	a.logger.InfoContext(ctx, "objects that no archive lists were removed", "objects", len(orphans))
	return nil
}
