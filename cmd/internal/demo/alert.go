package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed alerts/*.json
var alerts embed.FS

// alert is an alert in the form that Falco posts. Those of the demo were recorded from
// real ones; alerts/README.md says where.
type alert struct {
	Hostname string         `json:"hostname"`
	Output   string         `json:"output"`
	Fields   map[string]any `json:"output_fields"`
	Priority string         `json:"priority"`
	Rule     string         `json:"rule"`
	Source   string         `json:"source"`
	Tags     []string       `json:"tags"`
	Time     time.Time      `json:"time"`
}

// place is where an alert happened: a container of a live pod.
type place struct {
	namespace, pod, container, image, id, node string
}

// recorded reads one of the alerts by its name.
func recorded(name string) (alert, error) {
	data, err := alerts.ReadFile("alerts/" + name + ".json")
	if err != nil {
		return alert{}, fmt.Errorf("read alert: %w", err)
	}
	var a alert
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&a); err != nil {
		return alert{}, fmt.Errorf("read alert %s: %w", name, err)
	}
	return a, nil
}

// bind puts a live pod in the place of the recorded one, and now in that of
// the time then, in the fields and in the text.
func (a alert) bind(to place, now time.Time) alert {
	repository, tag, _ := strings.Cut(to.image, ":")
	id := to.id[strings.LastIndexByte(to.id, '/')+1:]
	live := map[string]string{
		"k8s.ns.name": to.namespace, "k8s.pod.name": to.pod, "container.name": to.container,
		"container.id": id[:min(len(id), 12)], "container.image.repository": repository, "container.image.tag": tag,
	}
	fields := maps.Clone(a.Fields)
	for _, key := range slices.Sorted(maps.Keys(live)) {
		if old, ok := fields[key].(string); ok {
			a.Output = rename(a.Output, textKeys()[key], old, live[key])
		}
		fields[key] = live[key]
	}
	for _, key := range []string{"evt.time", "evt.time.iso8601"} {
		if _, ok := fields[key]; ok {
			fields[key] = now.UnixNano()
		}
	}
	a.Output = strings.Replace(a.Output, a.Time.Format("15:04:05.000000000"), now.UTC().Format("15:04:05.000000000"), 1)
	a.Fields, a.Time, a.Hostname = fields, now.UTC(), to.node
	return a
}

// textKeys are the names that fields go by in the text, of Falco's older and newer rules.
func textKeys() map[string][]string {
	return map[string][]string{
		"k8s.ns.name": {"k8s_ns_name", "k8s.ns"}, "k8s.pod.name": {"k8s_pod_name", "k8s.pod"},
		"container.id": {"container_id", "container"}, "container.name": {"container_name"},
		"container.image.repository": {"container_image_repository", "image"}, "container.image.tag": {"container_image_tag"},
	}
}

// rename replaces key=old, where it is a word of its own, by key=now.
func rename(text string, keys []string, old, now string) string {
	for _, key := range keys {
		word := regexp.MustCompile(`([( ])` + regexp.QuoteMeta(key+"="+old) + `([) ]|$)`)
		text = word.ReplaceAllString(text, "${1}"+key+"="+strings.ReplaceAll(now, "$", "$$")+"${2}")
	}
	return text
}

// post sends an alert as Falco's http_output does.
func (d *demo) post(ctx context.Context, a alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("post alert: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.home.url()+"/v1/falco", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post alert: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+d.home.falco)
	request.Header.Set("Content-Type", "application/json")
	response, err := d.home.http.Do(request)
	if err != nil {
		return fmt.Errorf("post alert: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("post alert: %s: %s", response.Status, answer)
	}
	d.board.rowAt(a.Time, "alert", "Falco: %s in %s/%s, container %s (a recorded alert, bound to the live pod)",
		a.Rule, a.Fields["k8s.ns.name"], a.Fields["k8s.pod.name"], a.Fields["container.id"])
	return nil
}
