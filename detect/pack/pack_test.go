package pack

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i := rapid.Uint64().Draw(t, "uint"), rapid.Int64().Draw(t, "int")
		f, s := rapid.Float64().Draw(t, "float"), rapid.String().Draw(t, "text")
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		var w Writer
		w.Uint(u)
		w.Int(i)
		w.Float(f)
		w.Text(s)
		w.Bytes(b)
		w.Bool(true)
		w.Float(math.Copysign(0, -1))
		w.Fixed([]byte{1, 2})
		r := NewReader(w.Data)
		if r.Uint() != u || r.Int() != i || r.Float() != f || r.Text() != s || !bytes.Equal(r.Bytes(), b) || !r.Bool() {
			t.Fatal("came back otherwise")
		}
		if !math.Signbit(r.Float()) || !bytes.Equal(r.Fixed(2), []byte{1, 2}) || r.Done() != nil {
			t.Fatal("the end came back otherwise")
		}
		cut := NewReader(w.Data[:rapid.IntRange(0, len(w.Data)-1).Draw(t, "cut")])
		cut.Uint()
		cut.Int()
		cut.Float()
		_ = cut.Text()
		cut.Bytes()
		cut.Bool()
		cut.Float()
		cut.Fixed(2)
		if cut.Done() == nil {
			t.Fatal("what was cut was read")
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(data)
		for range r.Count(1 << 20) {
			r.Float()
			if len(r.Bytes()) > len(data) {
				t.Fatal("more than there is")
			}
		}
		_ = r.Done()
	})
}
