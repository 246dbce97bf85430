package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// raws are the sources whose own form an event may be written in, as the only
// key of its mapping.
var raws = []string{"audit", "falco", "log"}

// maxFile bounds a file of events.
const maxFile = 64 << 20

// events are those of the case. One is written as its JSON names the parts, or
// under the name of a source in that source's own form. It happens when it
// says so (time, or at: the time since the case began), else a second after
// the one before it; it is received then, too. The files' events are put between
// them by their times.
func (c *Case) events() ([]event.Event, error) {
	plain := c.Events
	if !c.Event.IsZero() {
		plain = append([]conf.Raw{c.Event}, plain...)
	}
	start := time.Time(c.At)
	if start.IsZero() {
		start = begin
	}
	var out []event.Event
	for n := range max(c.Repeat.Times, 1) {
		from := start.Add(time.Duration(n) * c.Repeat.Every.Std())
		for i, raw := range plain {
			all, err := c.inline(raw, n, from, from.Add(time.Duration(i)*time.Second))
			if err != nil {
				return nil, err
			}
			out = append(out, all...)
		}
	}
	for _, f := range c.Files {
		more, err := c.fromFile(f)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	made, err := c.traffics(start)
	if err != nil {
		return nil, err
	}
	out = append(out, made...)
	if len(c.Files)+len(c.Traffic) > 0 {
		slices.SortStableFunc(out, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	}
	for i := range out {
		if out[i].ID == "" {
			out[i].ID = event.HashID("case", c.Name, strconv.Itoa(i))
		}
		if out[i].From == "" {
			out[i].From = fmt.Sprintf("%s:%d", c.file, c.Line())
		}
	}
	return out, nil
}

// inline reads one that stands in the case.
func (c *Case) inline(raw conf.Raw, n int, from, usually time.Time) ([]event.Event, error) {
	var plain map[string]any
	if err := raw.Decode(&plain); err != nil {
		return nil, err
	}
	if at, has := plain["at"]; has {
		after, err := conf.ParseDuration(fmt.Sprint(at))
		if err != nil {
			return nil, raw.Errorf("event: at: %v", err)
		}
		usually = from.Add(after)
		delete(plain, "at")
	}
	return c.one(raw, plain, n, usually)
}

// one reads an event that stands for itself.
func (c *Case) one(raw conf.Raw, plain map[string]any, n int, usually time.Time) ([]event.Event, error) {
	line := raw.Errorf("").Line
	for _, source := range raws {
		value, ok := plain[source]
		if !ok {
			continue
		}
		if len(plain) > 1 {
			return nil, raw.Errorf("event: %s stands for the whole event, but for at", source)
		}
		return c.raw(raw, source, value, n, usually)
	}
	data, err := json.Marshal(plain)
	if err != nil {
		return nil, raw.Errorf("event: %v", err)
	}
	e := event.Event{Source: event.SourceAudit, From: fmt.Sprintf("%s:%d", c.file, line)}
	if err := strict(again(data, n), &e); err != nil {
		return nil, raw.Errorf("event: %v", err)
	}
	if _, said := plain["trust"]; !said {
		e.Trust = trust[e.Source]
	}
	if e.Time.IsZero() {
		e.Time = usually
	}
	if e.Received.IsZero() {
		e.Received = e.Time
	}
	return []event.Event{e}, nil
}

// trust is that of most events of a source, where a test does not say it.
var trust = map[event.Source]event.Trust{event.SourceAudit: event.TrustAudit, event.SourceFalco: event.TrustRuntime, event.SourceControl: event.TrustAudit}

// again puts how often events came before in the place of {n}.
func again(data []byte, n int) []byte {
	return bytes.ReplaceAll(data, []byte("{n}"), []byte(strconv.Itoa(n)))
}

func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// raw reads an event in the form of its source: text as it is, a mapping as
// JSON. Without a time of its own it has that of its place.
func (c *Case) raw(at conf.Raw, source string, value any, n int, usually time.Time) ([]event.Event, error) {
	text, ok := value.(string)
	if !ok {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, at.Errorf("event: %v", err)
		}
		text = string(data)
	}
	out, err := scan(source, c.file, bytes.NewReader(again([]byte(text), n)))
	if err != nil {
		return nil, at.Errorf("event: %v", err)
	}
	for i := range out {
		out[i].From = fmt.Sprintf("%s:%d", c.file, at.Errorf("").Line)
		if out[i].Time.IsZero() {
			out[i].Time, out[i].Received = usually, usually
		}
	}
	return out, nil
}

func (c *Case) fromFile(f eventFile) ([]event.Event, error) {
	if !slices.Contains(raws, f.Source) {
		return nil, c.at.Errorf("files: source %q is none of %s", f.Source, strings.Join(raws, ", "))
	}
	name := filepath.Join(filepath.Dir(c.file), f.Path)
	file, err := os.Open(name)
	if err != nil {
		return nil, c.at.Errorf("files: %v", err)
	}
	defer file.Close()
	out, err := scan(f.Source, name, io.LimitReader(file, maxFile))
	if err != nil {
		return nil, c.at.Errorf("files: %v", err)
	}
	return out, nil
}

// scan reads events as a source does. What it rejects is an error: a test says
// what it means.
func scan(source, name string, r io.Reader) ([]event.Event, error) {
	var out []event.Event
	_, err := ingest.Scan(source, name, r, ingest.Origin{}, func(it ingest.Item) error {
		if it.Event == nil {
			return fmt.Errorf("%s: %s", it.Rejected.From, it.Rejected.Reason)
		}
		e := *it.Event
		e.Received = e.Time
		out = append(out, e)
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: no event in it", name)
	}
	return out, err
}

// begins is when the case does.
func (c *Case) begins() time.Time {
	if t := time.Time(c.At); !t.IsZero() {
		return t
	}
	return begin
}

// found are the findings that a case gives to playbooks.
func (c *Case) found() ([]event.Finding, error) {
	var out []event.Finding
	for i, raw := range c.Findings {
		var plain map[string]any
		if err := raw.Decode(&plain); err != nil {
			return nil, err
		}
		after := time.Duration(i) * time.Second
		if at, said := plain["at"]; said {
			d, err := conf.ParseDuration(fmt.Sprint(at))
			if err != nil {
				return nil, raw.Errorf("finding: at: %v", err)
			}
			after = d
			delete(plain, "at")
		}
		data, err := json.Marshal(plain)
		f := event.Finding{Severity: event.SeverityHigh, Score: 1, Source: event.SourceFalco, Trust: event.TrustRuntime, Time: c.begins().Add(after)}
		if err == nil {
			err = strict(data, &f)
		}
		if err != nil {
			return nil, raw.Errorf("finding: %v", err)
		}
		if f.ID == "" {
			f.ID = event.FindingID(f.Rule+f.Model, c.Name, strconv.Itoa(i))
		}
		if f.Received.IsZero() {
			f.Received = f.Time
		}
		out = append(out, f)
	}
	return out, nil
}
