package receipt

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/firebreak-io/firebreak/internal/event"
)

// HeadLine is the last line of a receipt.
type HeadLine struct {
	Run     string `json:"run"`
	Records int    `json:"records"`
	// Head is the SHA-256 of the last record, in hexadecimal.
	Head string `json:"head"`
}

// Proof is what a receipt Proves.
type Proof struct {
	HeadLine
	Playbook string         `json:"playbook"`
	Version  string         `json:"version"`
	Target   event.Ref      `json:"target"`
	State    event.RunState `json:"state"`
	// Effects are the steps that may have had one.
	Effects []Effect `json:"effects,omitempty"`
	// Evidence is what its steps kept; see [CheckEvidence].
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Effect is one step that had an effect, and the records that say so.
type Effect struct {
	Step   string          `json:"step"`
	State  event.StepState `json:"state"`
	Result event.Result    `json:"result,omitempty"`
	// Intent, Done and Undone are the numbers of the records; 0 is none.
	Intent uint64 `json:"intent"`
	Done   uint64 `json:"done,omitempty"`
	Undone uint64 `json:"undone,omitempty"`
}

const maxLine = 8 << 20

// ErrDisproved: the receipt is not what was written, or says what can't be so.
var ErrDisproved = errors.New("the record does not hold")

// Hash is the SHA-256 of a record, in hexadecimal, by which the next one names it.
func Hash(record []byte) string {
	sum := sha256.Sum256(record)
	return hex.EncodeToString(sum[:])
}

// Write writes records, as they are stored, and their head.
func Write(w io.Writer, run string, records [][]byte) error {
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
	head, err := json.Marshal(HeadLine{Run: run, Records: len(records), Head: Hash(records[len(records)-1])})
	if err != nil {
		return fmt.Errorf("write receipt of %s: %w", run, err)
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return fmt.Errorf("write receipt of %s: %w", run, err)
	}
	return nil
}

// Verify Proves a receipt, or gives [ErrDisproved] with what is wrong
// and in which line. A head that was kept elsewhere, if there is one, must be
// the receipt's.
func Verify(r io.Reader, kept string) (Proof, error) {
	v := verifier{steps: map[string]*Effect{}}
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
		case len(line) > maxLine:
			return nil, fmt.Errorf("it is over %d bytes", maxLine)
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errors.New("it does not end")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
