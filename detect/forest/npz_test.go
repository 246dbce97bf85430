package forest

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// table is a labelled set of rows: anomaly[i] says what row i is.
type table struct {
	name    string
	file    string
	x       []float64
	dims    int
	anomaly []bool
}

func (t *table) rows() int { return len(t.anomaly) }

// own says that it was made here.
func (t *table) own() bool { return strings.HasPrefix(t.name, "own-") }

func (t *table) row(i int) []float64 { return t.x[i*t.dims : (i+1)*t.dims] }

// tables are those that are made here, and all sets of shared data where there are
// any.
func tables(t testing.TB) []*table {
	t.Helper()
	dir := os.Getenv("FIREBREAK_ANOMALY")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "anomaly")
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Logf("no tables in %s: only those that are made here", dir)
	}
	all := invented()
	for _, name := range names {
		one, err := readTable(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func readTable(name string) (*table, error) {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	x, shape, err := readArray(&archive.Reader, "X.npy")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	y, _, err := readArray(&archive.Reader, "y.npy")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(shape) != 2 || shape[0] != len(y) {
		return nil, fmt.Errorf("%s: X is of shape %v, y has %d", name, shape, len(y))
	}
	out := &table{name: called(name), file: name, x: x, dims: shape[1], anomaly: make([]bool, len(y))}
	for i, v := range y {
		out.anomaly[i] = v != 0
	}
	return out, nil
}

var header = regexp.MustCompile(`'descr': '([<|][a-z]\d)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\)`)

// readArray reads one array of an archive, in row-major order.
func readArray(archive *zip.Reader, name string) ([]float64, []int, error) {
	file, err := archive.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, err
	}
	if len(b) < 12 || string(b[:6]) != "\x93NUMPY" {
		return nil, nil, fmt.Errorf("%s is no array", name)
	}
	head := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	if b[6] > 1 {
		head = 12 + int(binary.LittleEndian.Uint32(b[8:]))
	}
	m := header.FindSubmatch(b[:head])
	if m == nil {
		return nil, nil, fmt.Errorf("%s: header %q", name, b[:head])
	}
	var shape []int
	for _, s := range strings.Split(string(m[3]), ",") {
		if s = strings.TrimSpace(s); s != "" {
			n, _ := strconv.Atoi(s)
			shape = append(shape, n)
		}
	}
	values, err := decode(string(m[1]), b[head:])
	if err == nil && string(m[2]) == "True" && len(shape) == 2 {
		values = transpose(values, shape[0], shape[1])
	}
	return values, shape, err
}

func decode(kind string, b []byte) ([]float64, error) {
	size := int(kind[2] - '0')
	values := make([]float64, len(b)/size)
	for i := range values {
		at := b[i*size:]
		switch kind[1:] {
		case "f8":
			values[i] = math.Float64frombits(binary.LittleEndian.Uint64(at))
		case "f4":
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(at)))
		case "i8":
			values[i] = float64(int64(binary.LittleEndian.Uint64(at)))
		case "u8":
			values[i] = float64(binary.LittleEndian.Uint64(at))
		case "i4":
			values[i] = float64(int32(binary.LittleEndian.Uint32(at)))
		case "u4":
			values[i] = float64(binary.LittleEndian.Uint32(at))
		case "i2":
			values[i] = float64(int16(binary.LittleEndian.Uint16(at)))
		case "u2":
			values[i] = float64(binary.LittleEndian.Uint16(at))
		case "i1":
			values[i] = float64(int8(at[0]))
		case "u1", "b1":
			values[i] = float64(at[0])
		default:
			return nil, fmt.Errorf("numbers of kind %s", kind)
		}
	}
	return values, nil
}

func transpose(v []float64, rows, columns int) []float64 {
	out := make([]float64, len(v))
	for r := range rows {
		for c := range columns {
			out[r*columns+c] = v[c*rows+r]
		}
	}
	return out
}

// write makes a file that numpy reads, and that readTable does.
func (t *table) write(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(file)
	y := make([]float64, t.rows())
	for i, odd := range t.anomaly {
		y[i] = bitOf(odd)
	}
	for _, a := range []struct {
		name, shape string
		values      []float64
	}{{"X.npy", fmt.Sprintf("(%d, %d)", t.rows(), t.dims), t.x}, {"y.npy", fmt.Sprintf("(%d,)", t.rows()), y}} {
		to, err := archive.Create(a.name)
		if err != nil {
			return err
		}
		head := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': %s, }", a.shape)
		head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
		b := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
		b = append(b, head...)
		for _, v := range a.values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		if _, err := to.Write(b); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), file.Close())
}

// What is written is read again.
func TestTableFiles(t *testing.T) {
	set := invented()[0]
	name := filepath.Join(t.TempDir(), "9_"+set.name+".npz")
	if err := set.write(name); err != nil {
		t.Fatal(err)
	}
	got, err := readTable(name)
	if err != nil || got.name != set.name || got.dims != set.dims || !slices.Equal(got.x, set.x) || !slices.Equal(got.anomaly, set.anomaly) {
		t.Errorf("read %v, %v", got, err)
	}
}
