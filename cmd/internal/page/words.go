package page

import (
	"bytes"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// Holds says for how long the steps that are asked for would hold, and what
// becomes of them then.
func (House) Holds(r event.Run) []string { return approve.Lasting(r) }

func written(id string, records [][]byte) ([]byte, error) {
	var out bytes.Buffer
	err := receipt.Write(&out, id, records)
	return out.Bytes(), err
}
