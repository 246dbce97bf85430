// Package forest finds what is unlike the rest: isolation forests after Liu,
// Ting and Zhou ("Isolation Forest", ICDM 2008; "Isolation-based Anomaly
// Detection", TKDD 2012). It is pure arithmetic over rows of numbers: it knows
// nothing of events, has no clock and does no I/O.
//
// A [Forest] is fitted to a table and never changes; it is safe for concurrent
// use. A [Rolling] learns from a stream, one row at a time; it belongs to one
// goroutine. Both score a row between 0 and 1, more is stranger, and both can
// explain a score, see [Explanation].
//
// # What is drawn
//
// Each tree cuts a sample of the rows until every row stands alone, all that
// are left are equal, or the tree is log2(sample) cuts deep. A cut takes a
// feature that still varies and a value evenly between its lowest and highest.
// The depth at which a row comes to stand alone, plus the expected depth of the
// rows left uncut beside it, is its path; the score is
// 2^(-mean path / expected path of the sample), as in the papers and in
// scikit-learn.
//
// # Values never seen
//
// Cuts inside the data can't see what lies outside it: a flag that was always
// 0 is never cut, and so 1 is as normal as 0. So a share of the cuts
// ([Options.Beyond]) lies beyond the data: such a cut is a shell around the box
// of everything that was learned, each side moved out by the same part of its
// feature's span (the greater of two even draws, so that what lies a little
// outside is little stranger), and it isolates at once what lies outside of the
// shell. These cuts are not drawn but integrated: for each row the exact
// expectation over them is taken. So they cost no tree depth, add no noise, and
// change nothing for a row inside the box. The span of a feature that does not
// vary, or hardly does, is its unit ([Options.Units], 1 when not given), so
// that noise in the last digits of a constant is not taken for a novelty. That
// of a feature with long tails is wider, by how far apart its outermost values
// lie: there the next extreme is no novelty. And a box of few rows is not
// believed much: n of them count as n/(n+256) of the share.
//
// # Missing and endless values, constants
//
// NaN is a missing value: it counts as the usual one, the median of what was
// learned, so it is never strange by itself; who wants absence to count adds a
// feature that says so. Infinite values count as the largest finite ones. A
// constant feature is never cut inside the data; see above for beyond it.
//
// # The same everywhere
//
// The same rows, options and seed give the same scores to the bit on every
// machine: draws come from a seeded PCG, sums are taken in one order, no
// product is fused into a sum, and logarithms and powers are computed here
// rather than by instructions that differ between processors. A feature's draws
// depend on the order of its values, not on its place: swapping features
// changes no score, nor does scaling one by a positive factor (by a power of
// two to the bit, by others up to the rounding of the values themselves;
// together with its unit if it is constant). Features that rise and fall in just
// the same rows of a sample are told apart by the digits of their values, and by
// their place if these are the same too.
package forest
