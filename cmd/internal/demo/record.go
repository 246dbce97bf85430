package demo

import (
	"bytes"
	"context"

	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// record shows what Firebreak has on record in the end, as `firebreak
// incidents` and `firebreak runs` print it.
func (d *demo) record(ctx context.Context) error {
	d.board.scene("On record: firebreak incidents, firebreak runs")
	incidents, err := d.api.Incidents(ctx, incident.Query{}, 0)
	if err != nil {
		return err
	}
	runs, err := d.api.Runs(ctx)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	timeline.Incidents(&text, incidents)
	text.WriteByte('\n')
	timeline.Runs(&text, runs)
	d.board.text(text.String())
	return nil
}
