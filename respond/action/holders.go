package action

import (
	"encoding/json"
	"fmt"
	"maps"
)

// HoldersOf gives the steps that hold an object by what its annotations
// say, whatever the kind of hold. It is how holds are found again when the
// record of the runs is lost, and how a reconciler tells an orphan.
func HoldersOf(annotations map[string]string) (Holders, error) {
	all := Holders{}
	if text, ok := annotations[HoldKey]; ok {
		var rec struct {
			Runs Holders `json:"runs"`
		}
		if err := json.Unmarshal([]byte(text), &rec); err != nil {
			return nil, fmt.Errorf("decode annotation %s: %w", HoldKey, err)
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
	held, err := parseFields(annotations)
	if err != nil {
		return nil, err
	}
	for _, hold := range held {
		maps.Copy(all, hold.Runs)
	}
	if key, ok := annotations[RunKey]; ok {
		all[key] = Holder{Action: annotations[ActionKey]}
	}
	return all, nil
}
