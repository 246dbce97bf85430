package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
)

// steadyDays is days of audit events like those of the recording before the attack:
// each identity asks what it asked, in an order that is drawn, so much more slowly
// that days are as long as minutes; people sleep.
func steadyDays(t *testing.T, seed uint64, days int) []byte {
	t.Helper()
	const slower = 120
	by := map[string][]map[string]any{}
	var first, last time.Time
	for line := range bytes.Lines(unzipped(t, recording)) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, e["requestReceivedTimestamp"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if !at.Before(attacked.Add(-10 * time.Second)) {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
		user, _ := e["user"].(map[string]any)["username"].(string)
		by[user] = append(by[user], e)
	}
	r := rand.New(rand.NewPCG(seed, 5)) // #nosec G404 -- not a secret
	type stamped struct {
		at   time.Time
		line []byte
	}
	var all []stamped
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, user := range slices.Sorted(maps.Keys(by)) {
		of := by[user]
		gap := float64(last.Sub(first)) * slower / float64(len(of))
		person := slices.Contains([]string{"ann", "ben", "pat", "admin"}, user)
		for at := start; ; {
			at = at.Add(time.Duration(gap * r.ExpFloat64()))
			if !at.Before(start.Add(time.Duration(days) * 24 * time.Hour)) {
				break
			}
			if person && (at.Hour() < 7 || at.Hour() > 18) {
				continue
			}
			e := maps.Clone(of[r.IntN(len(of))])
			began, _ := time.Parse(time.RFC3339Nano, e["requestReceivedTimestamp"].(string))
			ended, _ := time.Parse(time.RFC3339Nano, e["stageTimestamp"].(string))
			e["auditID"] = fmt.Sprint("steady-", len(all))
			e["requestReceivedTimestamp"], e["stageTimestamp"] = at.Format(time.RFC3339Nano), at.Add(ended.Sub(began)).Format(time.RFC3339Nano)
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, stamped{at, line})
		}
	}
	slices.SortStableFunc(all, func(a, b stamped) int { return a.at.Compare(b.at) })
	var out bytes.Buffer
	for _, s := range all {
		out.Write(append(s.line, '\n'))
	}
	t.Logf("%d events of %d identities in %d days", len(all), len(by), days)
	return out.Bytes()
}

// TestSteadyAuditStaysInBudget: what the models as shipped tell of the first two
// days of ordinary work, when nothing is known yet and people come for the first
// time, is no more than their budgets. With FIREBREAK_SEEDS, "from number", it is
// of so many seeds.
func TestSteadyAuditStaysInBudget(t *testing.T) {
	const days = 2
	from, seeds := uint64(1), uint64(1)
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		seeds = 12
	}
	if text := os.Getenv("FIREBREAK_SEEDS"); text != "" {
		if _, err := fmt.Sscan(text, &from, &seeds); err != nil {
			t.Fatal(err)
		}
	}
	o := shipped(t)
	rules, err := files.Rules([]string{"../../../detect/rules/model-api.yaml", "../../../detect/rules/model-api-traffic.yaml"}, false)
	if err != nil {
		t.Fatal(err)
	}
	o.Rules, o.Playbooks = rules, nil
	for seed := from; seed < from+seeds; seed++ {
		o.Inputs = []replay.Input{input("audit", "audit", steadyDays(t, seed, days))}
		found := map[string]int{}
		for _, f := range run(t, o).findings {
			found[f.Model]++
			t.Logf("%s %s %.3f %s", f.Time.Format("2T15:04"), f.Model, f.Score, f.Explanation)
		}
		for model, perDay := range map[string]float64{"api-identity": 5, "api-traffic": 3} {
			if most := perDay * days; float64(found[model]) > most {
				t.Errorf("seed %d: %s found %d in %d days, its budget is %v a day", seed, model, found[model], days, perDay)
			}
		}
		t.Logf("seed %d: %v", seed, found)
	}
}
