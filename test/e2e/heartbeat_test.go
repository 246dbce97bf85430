package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/wire"
)

// TestHeartbeat: the audit webhook is cut, which shows as a gap and a finding,
// and comes back. Besides, an alert that says nothing but a container's id is
// one of a pod.
func TestHeartbeat(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	t.Parallel()
	l := &loop{process: prepare(t, "observe", loopBooks)}
	config, err := os.ReadFile(l.dir + "/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l.write("config.yaml", strings.Replace(string(config), "  no_shipped:", "  heartbeat: {every: 1s, within: 6s}\n  no_shipped:", 1))
	between := wire.New(t, strings.TrimPrefix(l.api, "http://"), nil)
	l.up(l.webhook("http://"+between.Address), 500*time.Millisecond)

	eventually(t, "beats come back", func(ctx context.Context) error {
		if n, err := l.metric(ctx, `firebreak_heartbeats_total{result="returned"}`); err != nil || n < 3 {
			return fmt.Errorf("%g came back (%w)", n, err)
		}
		return nil
	})
	l.gap(0)
	began := time.Now()
	between.Cut()
	l.gap(1)
	t.Logf("the gap was seen %s after the webhook was cut; a beat has 6s", time.Since(began).Round(100*time.Millisecond))
	l.incident("audit-gap", "")
	mended := time.Now()
	between.Mend()
	l.gap(0)
	t.Logf("the gap was over %s after the webhook was mended", time.Since(mended).Round(100*time.Millisecond))

	pods := l.shop("resolved", 1)
	id := containerID(pods[0].Status.ContainerStatuses[0].ContainerID)
	body := map[string]any{
		"priority": "Critical", "rule": "Terminal shell in container", "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano), "output": "shell",
		"output_fields": map[string]any{"container.id": id, "k8s.pod.name": nil, "k8s.ns.name": nil, "proc.tty": 34816, "proc.cmdline": "sh"},
	}
	if _, err := l.call(t.Context(), http.MethodPost, "/v1/falco", l.process.token, body, nil); err != nil {
		t.Fatal(err)
	}
	in := l.incident("", "pod/resolved/"+pods[0].Name+"/"+string(pods[0].UID))
	if in.Subject.Workload.Kind != "Deployment" || in.Subject.Workload.Name != "web" || in.Subject.Node == "" {
		t.Errorf("its subject is %+v", in.Subject)
	}
	if strings.Contains(l.log.text(), "firebreak-heartbeat/") {
		t.Error("the mark of a beat is in the log")
	}
}

// metric reads one of Firebreak's metrics.
func (s *process) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ready+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		return 0, errors.New("there is no " + name)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

func (l *loop) gap(want float64) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("the gap is %g", want), func(ctx context.Context) error {
		n, err := l.metric(ctx, `firebreak_coverage_gap{source="audit"}`)
		if err == nil && n != want {
			err = fmt.Errorf("it is %g", n)
		}
		return err
	})
}

// incident waits for one of a rule, or with a key.
func (l *loop) incident(rule, key string) event.Incident {
	l.t.Helper()
	var found event.Incident
	eventually(l.t, "incident "+rule+key, func(ctx context.Context) error {
		var all []event.Incident
		if _, err := l.call(ctx, http.MethodGet, "/v1/incidents", l.token("bob"), nil, &all); err != nil {
			return err
		}
		for _, in := range all {
			if (rule == "" || slices.Contains(in.Rules, rule)) && (key == "" || slices.Contains(in.Keys, key)) {
				found = in
				return nil
			}
		}
		return fmt.Errorf("none of %d: %+v", len(all), all)
	})
	return found
}
