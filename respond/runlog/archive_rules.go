package runlog

import (
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// ArchiveRules say when runs that are over go to the archive, and when the run
// log no longer holds them.
type ArchiveRules struct {
	// After is how long after the end of a month the runs that ended in it are
	// archived.
	After conf.Duration `yaml:"after"`
	// Keep is how long the run log holds a record at least; what is not in the
	// archive, and what came after it, it holds however old it is. 0 is for ever.
	Keep conf.Duration `yaml:"keep"`
}

// DefaultArchiveRules are the shipped ones.
func DefaultArchiveRules() ArchiveRules {
	return ArchiveRules{After: conf.Duration(30 * day), Keep: conf.Duration(120 * day)}
}

const day = 24 * time.Hour

// Check says what makes no sense, by its key.
func (r ArchiveRules) Check() error {
	switch {
	case r.After.Std() < day || r.After.Std() > 3650*day:
		return fmt.Errorf("after: %s is not 24h to 87600h", r.After.Std())
	case r.Keep != 0 && r.Keep.Std() < r.After.Std()+62*day:
		// Findings and inputs are kept for a month, and read again when a
		// position is lost: until then the log must know their runs.
		return fmt.Errorf("keep: %s is less than two months (1488h) over after", r.Keep.Std())
	}
	return nil
}
