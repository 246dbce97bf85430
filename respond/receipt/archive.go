package receipt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	hashes "hash"
	"io"
)

// A part of the archive is a gzip file of lines: the receipts of its runs one
// after another, each with its head, and as the last line an [ArchiveEnd]. It
// names the SHA-256 of all lines before it, and the head of the part before,
// which is the SHA-256 of that one's last line: no run can be taken out of the
// archive without that it shows. Between receipts there can be runs that do not
// prove, see [asideLine].

// ArchiveEnd is the last line of a part of the archive.
type ArchiveEnd struct {
	Archive string `json:"archive"`
	Runs    int    `json:"runs"`
	Records int    `json:"records"`
	// Aside is how many runs are there besides whose record does not prove.
	Aside int `json:"aside,omitempty"`
	// Previous is the head of the part before; empty for the first.
	Previous string `json:"previous,omitempty"`
	// Sum is the SHA-256 of all lines before this one, in hexadecimal.
	Sum string `json:"sum"`
}

// ArchiveProof is what a part of the archive Proves.
type ArchiveProof struct {
	ArchiveEnd
	// Head is the SHA-256 of its last line.
	Head string `json:"head"`
}

// ArchiveWriter writes a part of the archive. It is for one goroutine.
type ArchiveWriter struct {
	zip  *gzip.Writer
	sum  hashes.Hash
	end  ArchiveEnd
	size int
}

// NewArchiveWriter writes a part to w; nothing is whole before it is closed.
func NewArchiveWriter(w io.Writer) *ArchiveWriter {
	return &ArchiveWriter{zip: gzip.NewWriter(w), sum: sha256.New()}
}

// Write takes lines.
func (w *ArchiveWriter) Write(p []byte) (int, error) {
	w.sum.Write(p)
	n, err := w.zip.Write(p)
	w.size += n
	return n, err
}

// Size is how many bytes were written, before they are compressed.
func (w *ArchiveWriter) Size() int { return w.size }

// Run writes the whole record of a run that proves.
func (w *ArchiveWriter) Run(id string, records [][]byte) error {
	w.end.Runs++
	w.end.Records += len(records)
	return Write(w, id, records)
}

// Close ends the part, which has a name and follows the part with the head
// previous. It gives the last line and its hash.
func (w *ArchiveWriter) Close(name, previous string) (end ArchiveEnd, head string, err error) {
	w.end.Archive, w.end.Previous, w.end.Sum = name, previous, hex.EncodeToString(w.sum.Sum(nil))
	line, err := json.Marshal(w.end)
	if err != nil {
		return w.end, "", fmt.Errorf("end archive: %w", err)
	}
	if _, err := w.zip.Write(append(line, '\n')); err != nil {
		return w.end, "", err
	}
	return w.end, Hash(line), w.zip.Close()
}

// IsArchive says whether data begins as a part of the archive does: as a gzip
// file.
func IsArchive(data []byte) bool { return len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b }

// VerifyArchive Proves a part of the archive and the record of each of its runs,
// or gives [ErrDisproved] with what is wrong and in which line. A head that was
// kept elsewhere, if there is one, must be the part's: the next part names it.
func VerifyArchive(r io.Reader, kept string) (ArchiveProof, error) {
	return ReadArchive(r, kept, nil)
}

// ReadArchive is [VerifyArchive] that gives each run and its records to of, if
// there is one. An error of it ends the reading.
func ReadArchive(r io.Reader, kept string, of func(run string, records [][]byte) error) (p ArchiveProof, err error) {
	reader := archiveReader{of: of, runs: map[string]bool{}, sum: sha256.New()}
	err = readArchiveLines(r, func(line []byte) (bool, error) { return true, reader.line(line) })
	switch p = reader.proof; {
	case err != nil:
		return p, err
	case p.Head == "":
		return p, fmt.Errorf("%w: the end of the archive is missing", ErrDisproved)
	case kept != "" && kept != p.Head:
		return p, fmt.Errorf("%w: its head is %s, and the one that was kept is %s", ErrDisproved, p.Head, kept)
	}
	return p, nil
}

// readArchiveLines gives each line of a part to f, until f wants no more. Nothing
// may follow the gzip file.
func readArchiveLines(r io.Reader, f func(line []byte) (more bool, err error)) error {
	in := bufio.NewReader(r)
	zip, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("%w: it is no archive: %w", ErrDisproved, err)
	}
	zip.Multistream(false)
	lines := bufio.NewReaderSize(zip, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		more := true
		if err == nil {
			more, err = f(line)
		}
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrDisproved, n, err)
		}
		if !more {
			return nil
		}
	}
	switch _, err := in.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: something follows the archive", ErrDisproved)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read archive: %w", err)
	}
	return nil
}

type archiveReader struct {
	of    func(run string, records [][]byte) error
	proof ArchiveProof
	sum   hashes.Hash
	runs  map[string]bool
	count int
	// aside is the run that is read of those that were set aside, asides how many
	// there were.
	aside   string
	asides  int
	run     *verifier
	records [][]byte
}

var endBegins = []byte(`{"archive":`)

func (a *archiveReader) line(line []byte) error {
	switch {
	case a.proof.Head != "":
		return errors.New("something follows the end")
	case bytes.HasPrefix(line, endBegins):
		return errors.Join(a.endAside(), a.end(line))
	case a.run == nil && bytes.HasPrefix(line, asideBegins):
		a.sum.Write(line)
		a.sum.Write([]byte{'\n'})
		return a.set(line)
	case a.run == nil:
		if err := a.endAside(); err != nil {
			return err
		}
		a.run = &verifier{steps: map[string]*Effect{}}
	}
	a.sum.Write(line)
	a.sum.Write([]byte{'\n'})
	if err := a.run.line(line); err != nil {
		return err
	}
	if !a.run.closed {
		a.count++
		if a.of != nil {
			a.records = append(a.records, bytes.Clone(line))
		}
		return nil
	}
	p := a.run.proof
	switch {
	case a.runs[p.Run]:
		return fmt.Errorf("run %s was there already", p.Run)
	case !p.State.Terminal():
		return fmt.Errorf("run %s is not over: %s", p.Run, p.State)
	case a.of != nil:
		if err := a.of(p.Run, a.records); err != nil {
			return err
		}
	}
	a.runs[p.Run] = true
	a.run, a.records = nil, nil
	return nil
}

func (a *archiveReader) end(line []byte) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var end ArchiveEnd
	if err := dec.Decode(&end); err != nil {
		return fmt.Errorf("the end can't be read: %w", err)
	}
	written, err := json.Marshal(end)
	sum := hex.EncodeToString(a.sum.Sum(nil))
	switch {
	case err != nil || !bytes.Equal(written, line):
		return errors.New("the end is not as it is written")
	case a.run != nil:
		return errors.New("a run has no head")
	case end.Runs+end.Aside != len(a.runs) || end.Aside != a.asides || end.Records != a.count || end.Sum != sum:
		return fmt.Errorf("the end is of %d runs, %d set aside, and %d records with sum %s; these are %d, %d and %d with %s",
			end.Runs, end.Aside, end.Records, end.Sum, len(a.runs)-a.asides, a.asides, a.count, sum)
	}
	a.proof = ArchiveProof{ArchiveEnd: end, Head: Hash(line)}
	return nil
}

// FindInArchive gives the records of one run of a part, without proving the
// others; nil is that it has none.
func FindInArchive(r io.Reader, run string) ([][]byte, error) {
	var records [][]byte
	begins := runBegins(run)
	err := readArchiveLines(r, func(line []byte) (bool, error) {
		switch {
		case bytes.HasPrefix(line, begins):
			records = append(records, bytes.Clone(line))
			return true, nil
		case bytes.HasPrefix(line, asideBegins):
			one, err := readAside(line)
			if err != nil {
				return false, err
			}
			if one.Aside == run && one.Data != nil {
				records = append(records, one.Data)
				return true, nil
			}
		}
		return records == nil, nil
	})
	return records, err
}
