package config

import (
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestImportance: of several that match the most important counts.
func TestImportance(t *testing.T) {
	r := Respond{Assets: []Asset{
		{Namespaces: []string{"dev-*"}, Importance: event.ImportanceLow},
		{Namespaces: []string{"pay*", "bank"}, Importance: event.ImportanceHigh},
		{Labels: map[string]string{"tier": "1"}, Importance: event.ImportanceCritical},
	}}
	for _, tt := range []struct {
		namespace, tier string
		want            event.Importance
	}{
		{"shop", "", event.ImportanceNormal}, {"dev-a", "", event.ImportanceLow}, {"dev-a", "1", event.ImportanceCritical},
		{"payments", "2", event.ImportanceHigh}, {"bank", "1", event.ImportanceCritical}, {"banker", "", event.ImportanceNormal},
	} {
		ref := event.PodRef(tt.namespace, "p")
		if tt.tier != "" {
			ref.Labels = map[string]string{"tier": tt.tier}
		}
		if got := r.Importance(ref); got != tt.want {
			t.Errorf("%s with tier %q is %s, want %s", tt.namespace, tt.tier, got, tt.want)
		}
	}
}
