package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/respond/action"
)

// entry is what the demo looks at of a line of the API server's audit log.
type entry struct {
	Verb           string
	RequestURI     string
	User           struct{ Username string }
	ObjectRef      struct{ Resource, Namespace, Name, Subresource string }
	ResponseStatus struct{ Code int }
}

// write says that the entry is a request that changed something. Asking for a
// review is a create by its form only, and a dry run is admitted and dropped.
func (e entry) write() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, e.Verb) &&
		e.ResponseStatus.Code < 300 && !strings.Contains(e.RequestURI, "dryRun=All") && !strings.HasSuffix(e.ObjectRef.Resource, "reviews")
}

// wrote proves by the API server's own log that Firebreak changed the pods
// that it holds or held, its policies, and nothing else. The log leaves Events
// out.
func (d *demo) wrote(ctx context.Context) error {
	runs, err := d.api.Runs(ctx)
	if err != nil {
		return err
	}
	targets := map[string]bool{}
	for _, r := range runs {
		for _, s := range r.Steps {
			if s.Action == "pod.quarantine" && s.Receipt != nil {
				targets[r.Target.Namespace+"/"+r.Target.Name] = true
			}
		}
	}
	d.board.scene("What the API server's audit log says of Firebreak")
	return d.readBack(ctx, "Firebreak changed the three pods that it held and its own policies, and nothing else", func(context.Context) (string, error) {
		entries, err := readLog(d.cluster.AuditLog)
		if err != nil {
			return "", err
		}
		if len(targets) != 3 {
			return "", fmt.Errorf("it held %d pods", len(targets))
		}
		return tally(entries, targets)
	})
}

// tally counts what Firebreak wrote, and objects to anything else than
// patches and deletions of the targets and its policies.
func tally(entries []entry, targets map[string]bool) (string, error) {
	counts := map[string]int{}
	for _, e := range entries {
		if e.User.Username != accountUser || !e.write() {
			continue
		}
		o := e.ObjectRef
		mine := o.Resource == "pods" && o.Subresource == "" && targets[o.Namespace+"/"+o.Name] ||
			o.Resource == "networkpolicies" && (o.Name == action.HoldPolicyName || o.Name == "" && e.Verb == "create")
		if !mine {
			return "", &final{fmt.Errorf("it did %s %s/%s %s/%s", e.Verb, o.Resource, o.Subresource, o.Namespace, o.Name)}
		}
		counts[e.Verb+" "+o.Resource]++
	}
	if len(counts) == 0 {
		return "", errors.New("the log has no write of Firebreak")
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%d × %s", counts[k], k))
	}
	return strings.Join(out, ", "), nil
}

func readLog(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer f.Close()
	var entries []entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read audit log: %w", err) // the last line may be half written; it is read again
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return entries, nil
}
