package sketch

// AppendBinary appends the encoding of what was added: that of [Summary.Fields]. The
// error is always nil.
func (d *Distinct) AppendBinary(b []byte) ([]byte, error) { return d.append(b), nil }

// UnmarshalBinary reads what AppendBinary wrote, in place of what was there.
func (d *Distinct) UnmarshalBinary(b []byte) error { return d.decode(b) }

// AppendBinary appends the encoding of what was added; see
// [Distinct.AppendBinary].
func (q *Quantiles) AppendBinary(b []byte) ([]byte, error) { return q.append(b), nil }

// UnmarshalBinary reads what AppendBinary wrote, in place of what was there.
func (q *Quantiles) UnmarshalBinary(b []byte) error { return q.decode(b) }
