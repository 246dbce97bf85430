package replay_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// recording is the audit log of a real control plane, made with test/record:
// four minutes of work, then an attack by five identities while the work goes
// on. The attack begins at attacked.
const recording = "testdata/model-audit.ndjson.gz"

var attacked = time.Date(2026, 11, 22, 9, 26, 31, 0, time.UTC)

// TestModelOnARecordedAttack: what the attackers do is ranked above all that
// anybody else does, new nodes and controllers too, and what is named is what
// was odd about it.
func TestModelOnARecordedAttack(t *testing.T) {
	o := onlyModel(t, "model-api.yaml", "every: 1m", "every: 10s", "{events: 512, for: 1h}", "{events: 256, for: 2m}",
		"alerts_per_day: 5", "contamination: 0.3")
	o.Inputs = []replay.Input{input("audit", "audit", unzipped(t, recording))}
	attackers := []string{"pat", "mallory", "system:anonymous", "system:node:worker-2", "system:serviceaccount:shop:cart"}
	// These exist because of the attack: an identity that pat made, and one whose
	// token pat uses.
	theirs := append([]string{"kube-helper", "system:serviceaccount:ops:gitops"}, attackers...)
	best, benign := map[string]event.Finding{}, event.Finding{}
	for _, f := range run(t, o).findings {
		switch {
		case slices.Contains(theirs, f.Entity) && !f.Time.Before(attacked.Add(-10*time.Second)):
			if f.Score > best[f.Entity].Score {
				best[f.Entity] = f
			}
		case f.Score > benign.Score:
			benign = f
		}
	}
	t.Logf("the oddest of the others: %.3f %s", benign.Score, benign.Explanation)
	for _, who := range attackers {
		f := best[who]
		if f.ID == "" || f.Score <= benign.Score {
			t.Errorf("%s: score %.3f, of others %s has %.3f", who, f.Score, benign.Entity, benign.Score)
			continue
		}
		t.Logf("%.3f %s", f.Score, f.Explanation)
		if first := f.Features[0].Name; !slices.Contains([]string{"address", "user_agent", "what", "where"}, first) || !strings.Contains(f.Explanation, first) {
			t.Errorf("%s: named is %s: %s", who, first, f.Explanation)
		}
	}
}

// onlyModel is a replay through one shipped model with some of its text changed.
func onlyModel(t *testing.T, file string, changes ...string) replay.Options {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../detect/rules", file))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(string(data))+"  quiet: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := files.Rules([]string{path}, false)
	if err != nil {
		t.Fatal(err)
	}
	o := shipped(t)
	o.Rules, o.Playbooks = rules, nil
	return o
}
