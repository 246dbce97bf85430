package ingest

import (
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "falco-file",
		Doc: "Falco's JSON log file (file_output) while it grows, or - for standard input (Falco's stdout piped in: no position is kept, " +
			"what comes while Firebreak is down is lost). Its plain-text lines are read as far as they are alerts.",
		Source: event.SourceFalco,
		Config: func() any { return defaultFiles("/var/log/falco/events.json") },
		Open: func(d Deps, config any) (Source, error) {
			c := config.(*FileConfig)
			if len(c.Paths) == 1 && c.Paths[0] == stdin {
				return openStdin(d, falcoInput()), nil
			}
			return openLines(d, c, falcoInput(), "falco logs", "falco-file-positions.json")
		},
	})
}
