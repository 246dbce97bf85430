// Package hostile makes bad input of good input, for tests: bodies and lines that are cut, joined,
// repeated, nested deep, compressed, or hold bytes that are no text.
package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Seeds are real input: all files below the roots, whole as far as 32 KiB and by their first lines. A
// root that is not there gives none.
func Seeds(t testing.TB, roots ...string) [][]byte {
	t.Helper()
	var list [][]byte
	add := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".golden") || strings.HasSuffix(path, ".npz") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data = data[:min(len(data), 32<<10)]
		list = append(list, data)
		for i, line := range bytes.Split(data, []byte("\n")) {
			if len(line) > 0 && i < 20 {
				list = append(list, line)
			}
		}
		return nil
	}
	for _, root := range roots {
		if err := filepath.WalkDir(root, add); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// Mutant makes hostile input of real input. It is not safe for concurrent use.
type Mutant struct {
	*rand.Rand
	seeds [][]byte
}

// New makes a mutant, which for the same seeds and number always makes the same.
func New(seeds [][]byte, n, m uint64) Mutant { return Mutant{rand.New(rand.NewPCG(n, m)), seeds} }

func (m Mutant) seed() []byte { return m.seeds[m.IntN(len(m.seeds))] }

// span is a place in data, and one not before it.
func (m Mutant) span(data []byte) (int, int) {
	a := m.IntN(len(data) + 1)
	return a, a + m.IntN(min(len(data)-a, 400)+1)
}

// Next gives the next body.
func (m Mutant) Next() []byte {
	data := slices.Clone(m.seed())
	for range 1 + m.IntN(3) {
		data = m.once(data)
	}
	return data
}

func (m Mutant) once(data []byte) []byte {
	a, b := m.span(data)
	put := func(piece []byte) []byte { return slices.Concat(data[:a], piece, data[b:]) }
	switch m.IntN(16) {
	case 0:
		return data[:a]
	case 1:
		return data[a:]
	case 2:
		return put(nil)
	case 3:
		return put(slices.Concat(data[a:b], data[a:b]))
	case 4:
		other := m.seed()
		c, d := m.span(other)
		return put(other[c:d])
	case 5:
		if len(data) > 0 {
			data[m.IntN(len(data))] ^= 1 << m.IntN(8)
		}
		return data
	case 6:
		return put([][]byte{{0xff, 0xfe}, {0xc0, 0x80}, {0xed, 0xa0, 0x80}, []byte(`\ud800`), {0xf4, 0x90, 0x80, 0x80}}[m.IntN(5)])
	case 7:
		return put(make([]byte, m.IntN(100)))
	case 8: // deep
		open := []string{"[", `{"a":`, `[{"items":[`, `"{\"a\":`, `{"records":[`}[m.IntN(5)]
		return put([]byte(strings.Repeat(open, 10_000/len(open)*m.IntN(5))))
	case 9:
		return put([]byte([]string{"1e999999999", "-0", "18446744073709551616", "1e-400", strings.Repeat("9", 5000), "NaN", "\ufeff"}[m.IntN(7)]))
	case 10:
		return put([]byte([]string{"\n", "\r\n", "null", "{}", "[]", `"`, `\`, ",", ":", "}", "]", "\u2028", `,"kind":"x"`, `"rule":"r",`}[m.IntN(14)]))
	case 11: // compressed, as it is and inside
		return m.Bomb(data)
	case 12:
		return []byte(`{"records":[{"data":"` + base64.StdEncoding.EncodeToString(m.Bomb(data)) + `"}]}`)
	case 13:
		return []byte(`{"message":{"data":"` + base64.StdEncoding.EncodeToString(data) + `"}}`)
	case 14:
		return bytes.Repeat(data, 1+m.IntN(max(1, 20_000/(len(data)+1))))
	default:
		random := make([]byte, m.IntN(300))
		for i := range random {
			random[i] = byte(m.Uint32())
		}
		return put(random)
	}
}

// Bomb compresses data, or gives something else in its place that looks compressed, or that is far
// larger than it looks.
func (m Mutant) Bomb(data []byte) []byte {
	if m.IntN(20) == 0 {
		return Zip(make([]byte, 4<<20))
	}
	if m.IntN(10) == 0 {
		return append([]byte("PK\x03\x04"), data...)
	}
	return Zip(data)
}

// Zip compresses with gzip.
func Zip(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // a buffer takes all
	_ = w.Close()
	return b.Bytes()
}
