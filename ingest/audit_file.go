package ingest

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// AuditFileConfig is the configuration of the source audit-file.
type AuditFileConfig struct {
	FileConfig `yaml:",inline"`
	// Stages is all or last, see [Stages].
	Stages Stages `yaml:"stages,omitempty"`
	// TrustedProxies are as in [AuditConfig].
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies,omitempty"`
}

// Check says what of the configuration could not be used.
func (c *AuditFileConfig) Check() error {
	if err := c.Stages.check(); err != nil {
		return err
	}
	if err := checkProxies(c.TrustedProxies); err != nil {
		return err
	}
	return c.FileConfig.Check()
}

func init() {
	register(Kind{
		Name:   "audit-file",
		Doc:    "The API server's audit log file (--audit-log-path) while it grows, and the backups that it was rotated to.",
		Source: event.SourceAudit,
		Config: func() any {
			return &AuditFileConfig{FileConfig: *defaultFiles("/var/log/kubernetes/audit/audit.log"), Stages: StagesAll}
		},
		Open: func(d Deps, config any) (Source, error) {
			c := config.(*AuditFileConfig)
			if slices.Contains(c.Paths, stdin) {
				return Source{}, errors.New("standard input is not for audit logs")
			}
			if c.Stages == StagesLast {
				d.Sink = stageSink{d.Sink, c.Stages, d.Metrics}
			}
			in := auditInput()
			in.open = auditOpener{c.TrustedProxies}.open
			return openLines(d, &c.FileConfig, in, "audit logs", "audit-file-positions.json")
		},
	})
}
