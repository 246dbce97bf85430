package detect

import (
	"encoding/json"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

// silences says which silences hold, and how often each matched, for those who
// ask; see bus.SnapshotSilences. Data is nil when that is what was told last.
// The state has them too.
func (w *Worker) silences(sequence uint64) (data []byte, now string, err error) {
	list := append([]event.Silence{}, w.Engine.Silences()...)
	text, err := json.Marshal(list)
	if err == nil && string(text) != w.saves.silences {
		data, err = json.Marshal(struct {
			Sequence uint64          `json:"sequence"`
			Silences []event.Silence `json:"silences"`
		}{sequence, list})
	}
	if err != nil {
		return nil, "", fmt.Errorf("save silences: %w", err)
	}
	return data, string(text), nil
}
