package sketch

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"
)

// MaxExact is how many distinct values are counted exactly.
const MaxExact = 128

// DistinctError is the standard error of a count past [MaxExact]: two thirds
// of all counts are within it, 95 % within twice and 99.7 % within three times
// as much.
const DistinctError = 0.0163

const (
	precision = 12
	registers = 1 << precision
	// hashBytes of a value's hash are kept: two of a thousand values share one
	// with a probability of 2e-9.
	hashBytes = 6
	// packed is the size of the registers at six bits each.
	packed = registers * 6 / 8
)

// The first byte of an encoding.
const (
	exactSet   = 0
	registered = 1
)

var errDistinct = errors.New("malformed set of distinct values")

// Distinct counts distinct texts. The zero value is empty. It is not safe for
// concurrent use. Values can't be read back; whoever knows a value can see
// whether it may be in a small set.
type Distinct struct {
	exact map[uint64]struct{}
	hll   *hyperloglog.Sketch
}

// Add adds a text; an empty one is left out.
func (d *Distinct) Add(text string) {
	if text != "" {
		d.insert(xxhash.Sum64String(text) >> (64 - 8*hashBytes))
	}
}

func (d *Distinct) insert(hash uint64) {
	if d.hll != nil {
		d.hll.InsertHash(hash << (64 - 8*hashBytes))
		return
	}
	if d.exact == nil {
		d.exact = map[uint64]struct{}{}
	}
	d.exact[hash] = struct{}{}
	if len(d.exact) > MaxExact {
		d.register()
	}
}

// register goes over from the exact set to registers.
func (d *Distinct) register() {
	hll, err := hyperloglog.NewSketch(precision, false)
	if err != nil {
		panic(err) // of a constant
	}
	d.hll = hll
	for hash := range d.exact {
		d.insert(hash)
	}
	d.exact = nil
}

// Merge adds the values of another one, which does not change.
func (d *Distinct) Merge(o *Distinct) {
	for hash := range o.exact {
		d.insert(hash)
	}
	if o.hll == nil {
		return
	}
	if d.hll == nil {
		d.register()
	}
	// The error is for another precision, of which there is none.
	_ = d.hll.Merge(o.hll)
}

// Count is how many there are, exact up to [MaxExact], and then within
// [DistinctError].
func (d *Distinct) Count() uint64 {
	if d.hll == nil {
		return uint64(len(d.exact))
	}
	return max(d.hll.Estimate(), MaxExact+1)
}

// append writes the hashes in order, or the registers.
func (d *Distinct) append(b []byte) []byte {
	if d.hll != nil {
		return d.appendRegisters(append(b, registered))
	}
	if len(d.exact) == 0 {
		return b
	}
	b = append(b, exactSet)
	for _, hash := range slices.Sorted(maps.Keys(d.exact)) {
		b = append(b, binary.BigEndian.AppendUint64(nil, hash)[8-hashBytes:]...)
	}
	return b
}

// dense is the header of the library's version 2 before its registers: version,
// precision, no bias, dense, and their number.
var dense = [8]byte{2, precision, 0, 0, 0, 0, registers >> 8, registers & 0xff}

// appendRegisters packs four registers in three bytes: none is above 53.
func (d *Distinct) appendRegisters(b []byte) []byte {
	all, err := d.hll.MarshalBinary()
	if err != nil {
		panic(err) // only for a sketch that was never made
	}
	for r := range slices.Chunk(all[len(dense):], 4) {
		v := uint32(r[0])<<18 | uint32(r[1])<<12 | uint32(r[2])<<6 | uint32(r[3])
		b = append(b, byte(v>>16), byte(v>>8), byte(v))
	}
	return b
}

// decode reads what append wrote.
func (d *Distinct) decode(b []byte) error {
	*d = Distinct{}
	if len(b) == 0 {
		return nil
	}
	kind, b := b[0], b[1:]
	switch {
	case kind == registered && len(b) == packed:
		return d.decodeRegisters(b)
	case kind != exactSet || len(b) == 0 || len(b)%hashBytes != 0 || len(b) > MaxExact*hashBytes:
		return errDistinct
	}
	d.exact = make(map[uint64]struct{}, len(b)/hashBytes)
	var last uint64
	for h := range slices.Chunk(b, hashBytes) {
		hash := binary.BigEndian.Uint64(append([]byte{0, 0}, h...))
		if len(d.exact) > 0 && hash <= last {
			return errDistinct
		}
		d.exact[hash] = struct{}{}
		last = hash
	}
	return nil
}

func (d *Distinct) decodeRegisters(b []byte) error {
	all := append(make([]byte, 0, len(dense)+registers), dense[:]...)
	for p := range slices.Chunk(b, 3) {
		v := uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])
		all = append(all, byte(v>>18)&63, byte(v>>12)&63, byte(v>>6)&63, byte(v)&63)
	}
	d.hll = new(hyperloglog.Sketch)
	if err := d.hll.UnmarshalBinary(all); err != nil {
		*d = Distinct{}
		return errDistinct
	}
	return nil
}
