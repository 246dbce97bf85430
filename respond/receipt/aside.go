package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

// asideLine is a line of a part of the archive that holds one record, to the
// byte, of a run whose record does not prove: it is set aside, so that it keeps
// no other run from the archive, and is not lost. A run of which there is no
// record has one line without data.
type asideLine struct {
	Aside string `json:"aside"`
	// Why is of the first line of a run alone.
	Why  string `json:"why,omitempty"`
	Data []byte `json:"data,omitempty"`
}

var asideBegins = []byte(`{"aside":`)

// Proves says why records are not the whole record of a run that is over; nil is
// that they are.
func Proves(id string, records [][]byte) error {
	v := verifier{steps: map[string]*Effect{}}
	for n, data := range records {
		err := v.line(data)
		switch {
		case err == nil && (v.closed || !bytes.HasPrefix(data, runBegins(id)) || bytes.ContainsAny(data, "\n") || len(data) >= maxLine):
			err = errors.New("it is not as records are written")
		case err == nil:
			continue
		}
		return fmt.Errorf("record %d: %w", n+1, err)
	}
	switch {
	case len(records) == 0:
		return errors.New("there is no record of it")
	case !v.last.State.Terminal():
		return fmt.Errorf("it is not over: %s", v.last.State)
	}
	return nil
}

// runBegins is how each record of a run begins.
func runBegins(id string) []byte { return []byte(`{"id":"` + id + `"`) }

// Aside writes what there is of a run that does not prove, and why.
func (w *ArchiveWriter) Aside(id string, why error, records [][]byte) error {
	w.end.Aside++
	first := asideLine{Aside: id, Why: event.Shorten(why.Error(), event.MaxNote)}
	for n := range max(len(records), 1) {
		if len(records) > 0 {
			first.Data = records[n]
		}
		line, err := json.Marshal(first)
		if err != nil {
			return fmt.Errorf("set run %s aside: %w", id, err)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("set run %s aside: %w", id, err)
		}
		first.Why = ""
	}
	return nil
}

func readAside(line []byte) (a asideLine, err error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return a, fmt.Errorf("what was set aside can't be read: %w", err)
	}
	if written, err := json.Marshal(a); err != nil || !bytes.Equal(written, line) {
		return a, errors.New("what was set aside is not as it is written")
	}
	return a, nil
}

// set takes a line of a run that was set aside.
func (a *archiveReader) set(line []byte) error {
	one, err := readAside(line)
	if err != nil {
		return err
	}
	if one.Aside != a.aside {
		if err := a.endAside(); err != nil {
			return err
		}
		if a.runs[one.Aside] {
			return fmt.Errorf("run %s was there already", one.Aside)
		}
		a.aside, a.runs[one.Aside] = one.Aside, true
		a.asides++
	}
	if a.of != nil && one.Data != nil {
		a.records = append(a.records, one.Data)
	}
	return nil
}

// endAside ends a run that was set aside, if one is being read.
func (a *archiveReader) endAside() error {
	if a.aside == "" {
		return nil
	}
	id, records := a.aside, a.records
	a.aside, a.records = "", nil
	if a.of == nil {
		return nil
	}
	return a.of(id, records)
}
