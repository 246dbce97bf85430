package receipt

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
)

// TestAsideLines: a part whose lines of what was set aside are changed, moved or
// left out does not prove.
func TestAsideLines(t *testing.T) {
	var file bytes.Buffer
	out := NewArchiveWriter(&file)
	for _, id := range []string{"a", "b"} {
		if err := out.Aside(id, errors.New("it is <odd>"), [][]byte{[]byte(id + "\n1"), []byte(id + "2")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := out.Close("p", ""); err != nil {
		t.Fatal(err)
	}
	var whole [][]byte
	if err := readArchiveLines(&file, func(line []byte) (bool, error) {
		whole = append(whole, bytes.Clone(line))
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	read := func(lines [][]byte) error {
		r := archiveReader{runs: map[string]bool{}, sum: sha256.New()}
		for _, line := range lines {
			if err := r.line(line); err != nil {
				return err
			}
		}
		if r.proof.Head == "" {
			return errors.New("no end")
		}
		return nil
	}
	if err := read(whole); err != nil || len(whole) != 5 {
		t.Fatalf("%d lines: %v", len(whole), err)
	}
	for n, lines := range [][][]byte{
		whole[1:], append(slices.Clone(whole[:1]), whole[2:]...),
		{whole[0], whole[2], whole[1], whole[3], whole[4]},
		{whole[0], bytes.Replace(whole[1], []byte(`"data"`), []byte(`"else"`), 1), whole[2], whole[3], whole[4]},
		{whole[0], append([]byte(" "), whole[1]...), whole[2], whole[3], whole[4]},
	} {
		if read(lines) == nil {
			t.Errorf("change %d receipt.Proves", n)
		}
	}
}
