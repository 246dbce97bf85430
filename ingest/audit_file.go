package ingest

import (
	"errors"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:   "audit-file",
		Doc:    "The API server's audit log file (--audit-log-path) while it grows, and the backups that it was rotated to.",
		Source: event.SourceAudit,
		Config: func() any { return defaultFiles("/var/log/kubernetes/audit/audit.log") },
		Open: func(d Deps, config any) (Source, error) {
			c := config.(*FileConfig)
			if slices.Contains(c.Paths, stdin) {
				return Source{}, errors.New("standard input is not for audit logs")
			}
			return openLines(d, c, auditInput(), "audit logs", "audit-file-positions.json")
		},
	})
}
