package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

type verifier struct {
	proof  Proof
	last   event.Run
	hash   string
	count  int
	closed bool
	steps  map[string]*Effect
	order  []string
}

func (v *verifier) line(line []byte) error {
	var head struct {
		Head *string `json:"head"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return fmt.Errorf("it can't be read: %w", err)
	}
	if head.Head != nil {
		return v.head(line)
	}
	var run event.Run
	if err := json.Unmarshal(line, &run); err != nil {
		return fmt.Errorf("it can't be read: %w", err)
	}
	if err := v.follows(run); err != nil {
		return err
	}
	if err := v.effects(run); err != nil {
		return err
	}
	v.last, v.hash = run, Hash(line)
	v.count++
	return nil
}

func (v *verifier) head(line []byte) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var h HeadLine
	if err := dec.Decode(&h); err != nil {
		return fmt.Errorf("the head can't be read: %w", err)
	}
	written, err := json.Marshal(h)
	switch {
	case err != nil || !bytes.Equal(written, line):
		return errors.New("the head is not as it is written")
	case v.count == 0:
		return errors.New("a head without records")
	case h.Run != v.last.ID || h.Records != v.count || h.Head != v.hash:
		return fmt.Errorf("the head is of %d records of run %s that end in %s; these are %d of %s and end in %s",
			h.Records, h.Run, h.Head, v.count, v.last.ID, v.hash)
	}
	v.closed = true
	v.proof.HeadLine, v.proof.Playbook, v.proof.Version = h, v.last.Playbook, v.last.Version
	v.proof.Target, v.proof.State, v.proof.Evidence = v.last.Target, v.last.State, keptBy(v.last)
	return nil
}

// follows says why a record is not the next after the last.
func (v *verifier) follows(run event.Run) error {
	switch {
	case run.Record != v.last.Record+1:
		return fmt.Errorf("record %d stands where %d should", run.Record, v.last.Record+1)
	case run.Previous != v.hash:
		return fmt.Errorf("it follows the record with hash %q, and the one before it has %q", run.Previous, v.hash)
	case v.count == 0:
		if run.ID == "" {
			return errors.New("it names no run")
		}
		return nil
	case run.ID != v.last.ID:
		return fmt.Errorf("it is of run %s", run.ID)
	case run.Version != v.last.Version || run.Spec != v.last.Spec:
		return errors.New("the playbook is another than the one that the run began with")
	case run.Target.UID != v.last.Target.UID:
		return errors.New("the target is another than the one that the run began with")
	case run.Epoch < v.last.Epoch:
		return fmt.Errorf("it was written under lease %d, after one under %d", run.Epoch, v.last.Epoch)
	case v.last.State.Terminal():
		return fmt.Errorf("the run was over: %s", v.last.State)
	}
	return nil
}

// effects checks that what was done was meant before, and allowed.
func (v *verifier) effects(run event.Run) error {
	for _, s := range run.Steps {
		e := v.steps[s.Name]
		// Of a run whose record was lost the undo is what is meant first.
		if (s.State == event.StepIntent || run.Adopted && run.Record == 1 && s.State == event.StepReverting) && e == nil {
			e = &Effect{Step: s.Name, Intent: run.Record}
			v.steps[s.Name] = e
			v.order = append(v.order, s.Name)
		}
		if s.State == event.StepIntent && s.Approved != "" && s.Approved != s.Digest {
			return fmt.Errorf("step %s begins with plan %s, and %s was approved", s.Name, s.Digest, s.Approved)
		}
		if s.Receipt != nil || s.Undo != nil {
			if e == nil || e.Intent >= run.Record {
				return fmt.Errorf("step %s had an effect that no record before it meant", s.Name)
			}
		}
		if e == nil {
			continue
		}
		if e.State = s.State; s.Receipt != nil {
			if e.Result = s.Receipt.Result; e.Done == 0 {
				e.Done = run.Record
			}
		}
		if s.Undo != nil && e.Undone == 0 {
			e.Undone = run.Record
		}
	}
	return nil
}
