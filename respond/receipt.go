package respond

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A receipt is the record of one run as it can be checked by anybody, with
// nothing else: each line but the last is a record of the run log to the byte,
// and the last is a [ReceiptHead]. Each record names the hash of the one
// before, the head that of the last: no byte of any line can be changed, no
// line left out or moved, without that it shows. Who forges all of it is found
// out by a head that was kept elsewhere.

// ReceiptHead is the last line of a receipt.
type ReceiptHead struct {
	Run     string `json:"run"`
	Records int    `json:"records"`
	// Head is the SHA-256 of the last record, in hexadecimal.
	Head string `json:"head"`
}

// Proof is what a receipt proves.
type Proof struct {
	ReceiptHead
	Playbook string         `json:"playbook"`
	Version  string         `json:"version"`
	Target   event.Ref      `json:"target"`
	State    event.RunState `json:"state"`
	// Effects are the steps that may have had one.
	Effects []ProvedEffect `json:"effects,omitempty"`
	// Evidence is what its steps kept; see [CheckEvidence].
	Evidence []ProvedEvidence `json:"evidence,omitempty"`
}

// ProvedEffect is one step that had an effect, and the records that say so.
type ProvedEffect struct {
	Step   string          `json:"step"`
	State  event.StepState `json:"state"`
	Result event.Result    `json:"result,omitempty"`
	// Intent, Done and Undone are the numbers of the records; 0 is none.
	Intent uint64 `json:"intent"`
	Done   uint64 `json:"done,omitempty"`
	Undone uint64 `json:"undone,omitempty"`
}

const maxReceiptLine = 8 << 20

// ErrDisproved: the receipt is not what was written, or says what can't be so.
var ErrDisproved = errors.New("the record does not hold")

// WriteReceipt writes records, as they are stored, and their head.
func WriteReceipt(w io.Writer, run string, records [][]byte) error {
	for _, data := range records {
		if bytes.ContainsRune(data, '\n') {
			return fmt.Errorf("write receipt of %s: a record of several lines", run)
		}
		if _, err := w.Write(append(bytes.Clone(data), '\n')); err != nil {
			return fmt.Errorf("write receipt of %s: %w", run, err)
		}
	}
	if len(records) == 0 {
		return fmt.Errorf("write receipt of %s: no record", run)
	}
	head, err := json.Marshal(ReceiptHead{Run: run, Records: len(records), Head: hash(records[len(records)-1])})
	if err != nil {
		return fmt.Errorf("write receipt of %s: %w", run, err)
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return fmt.Errorf("write receipt of %s: %w", run, err)
	}
	return nil
}

// VerifyReceipt proves a receipt, or gives [ErrDisproved] with what is wrong
// and in which line. A head that was kept elsewhere, if there is one, must be
// the receipt's.
func VerifyReceipt(r io.Reader, kept string) (Proof, error) {
	v := verifier{steps: map[string]*ProvedEffect{}}
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return v.proof, fmt.Errorf("%w: line %d: %w", ErrDisproved, n, err)
		}
		if v.closed {
			return v.proof, fmt.Errorf("%w: line %d: something follows the head", ErrDisproved, n)
		}
		if err := v.line(line); err != nil {
			return v.proof, fmt.Errorf("%w: line %d: %w", ErrDisproved, n, err)
		}
	}
	switch {
	case !v.closed:
		return v.proof, fmt.Errorf("%w: it has no head: its end is missing", ErrDisproved)
	case kept != "" && kept != v.proof.Head:
		return v.proof, fmt.Errorf("%w: its head is %s, and the one that was kept is %s", ErrDisproved, v.proof.Head, kept)
	}
	for i := range v.order {
		v.proof.Effects = append(v.proof.Effects, *v.steps[v.order[i]])
	}
	return v.proof, nil
}

// readLine reads one whole line, which must end in a newline.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxReceiptLine:
			return nil, fmt.Errorf("it is over %d bytes", maxReceiptLine)
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errors.New("it does not end")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

type verifier struct {
	proof  Proof
	last   event.Run
	hash   string
	count  int
	closed bool
	steps  map[string]*ProvedEffect
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
	v.last, v.hash = run, hash(line)
	v.count++
	return nil
}

func (v *verifier) head(line []byte) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var h ReceiptHead
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
	v.proof.ReceiptHead, v.proof.Playbook, v.proof.Version = h, v.last.Playbook, v.last.Version
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
		if s.State == event.StepIntent && e == nil {
			e = &ProvedEffect{Step: s.Name, Intent: run.Record}
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
