// Package sketch holds what counts many values in little room and can be added
// together: quantiles, numbers of distinct values, and the summary of one
// writer's log lines in one interval, which is made of them.
//
// Merging is commutative and associative, to the bit: the sketch of a union
// does not depend on how its parts were made or in which order they were
// merged. The errors are those of the whole, and merging adds none:
//
//   - [Quantiles]: within 1 % of the value at that rank, for values from a
//     microsecond to a day; a DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019,
//     https://arxiv.org/abs/1908.10693).
//   - [Distinct]: exact up to [MaxExact] values, past that with a standard
//     error of 1.6 %: a HyperLogLog of 4,096 registers with the LogLog-Beta
//     estimate (https://arxiv.org/abs/1612.02284).
//
// The encodings begin with a version, are bounded in size, and there is one for
// each state. What is decoded may have been written by anybody.
//
// Nothing else in the module imports the libraries of these sketches.
package sketch
