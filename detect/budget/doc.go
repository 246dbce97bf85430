// Package budget decides which scores are worth an alert: not by a threshold
// that somebody has to know, but by how many alerts a day, or which share of
// false ones, people can stand.
//
// A score becomes a probability: the share of recent scores that were at least
// as high (a conformal p-value; Vovk, Gammerman, Shafer, "Algorithmic Learning
// in a Random World", 2005). The recent scores are a bounded set that forgets by
// time, and nobody has more than a share of it: so somebody's own noise does not
// make the threshold. Beyond what the set can tell, the excess over a high score
// is taken to be exponential, of a scale that is known no better than the number
// of entities behind it allows (the tail is Lomax's): what few say of the tail is
// not taken for certain.
//
// What p is needed follows from what was found: it falls with each alert and
// rises with time (a quantile by the pinball loss, on the logarithm of p). So
// the number of alerts in any time is the budget's, but for how far the
// threshold itself moved, also while the scores drift. A bucket of tokens keeps
// a storm from spending more, and what it held back is counted.
//
// Time comes from the caller: the same scores give the same decisions.
package budget
