package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Use is how much of one bound is used.
type Use struct {
	What       string
	Used, Most int
}

// Uses are the budgets as they are used now, for people to see: pods in all and
// by namespace, nodes, and effects within the last minute. Nodes have a share
// of the cluster for their bound, which is not known here: Most is 0 then.
func Uses(ctx context.Context, store Store, limits Budgets, now time.Time) ([]Use, error) {
	book := &Book{}
	data, _, err := store.Get(ctx, keyLedger)
	if err == nil {
		err = json.Unmarshal(data, book)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	targets := func(budget string, match func(Entry) bool) int {
		return book.distinct(func(e Entry) string {
			if e.stands() && e.Budget == budget && match(e) {
				return e.Target
			}
			return ""
		})
	}
	every := func(Entry) bool { return true }
	list := []Use{
		{"effects begun within a minute", book.count(func(e Entry) bool { return !e.drill() && now.Sub(e.Taken) < time.Minute }), limits.EffectsPerMinute},
		{"pods quarantined", targets(BudgetPods, every), limits.Pods},
		{"nodes cordoned", targets(BudgetNodes, every), 0},
	}
	var spaces []Use
	seen := map[string]bool{}
	for _, e := range book.Entries {
		if !e.stands() || e.Budget != BudgetPods || e.Namespace == "" || seen[e.Namespace] {
			continue
		}
		seen[e.Namespace] = true
		n := targets(BudgetPods, func(other Entry) bool { return other.Namespace == e.Namespace })
		spaces = append(spaces, Use{"pods quarantined in namespace " + e.Namespace, n, limits.PodsPerNamespace})
	}
	slices.SortFunc(spaces, func(a, b Use) int { return cmp.Or(cmp.Compare(b.Used, a.Used), cmp.Compare(a.What, b.What)) })
	return append(list, spaces[:min(len(spaces), maxUses)]...), nil
}

// maxUses bounds the namespaces that are listed.
const maxUses = 20
