package action

import (
	"encoding/json"
	"fmt"
	"maps"
)

// HoldersOf gives the steps that hold a pod or node by what its annotations
// say, whatever the kind of hold. It is how holds are found again when the
// record of the runs is lost, and how a reconciler tells an orphan.
func HoldersOf(annotations map[string]string) (Holders, error) {
	all := Holders{}
	for _, key := range []string{HoldKey, CordonKey} {
		text, ok := annotations[key]
		if !ok {
			continue
		}
		var rec struct {
			Runs Holders `json:"runs"`
		}
		if err := json.Unmarshal([]byte(text), &rec); err != nil {
			return nil, fmt.Errorf("decode annotation %s: %w", key, err)
		}
		maps.Copy(all, rec.Runs)
	}
	rec, err := parseLabels(annotations)
	if err != nil {
		return nil, err
	}
	for _, hold := range rec {
		maps.Copy(all, hold.Runs)
	}
	return all, nil
}
