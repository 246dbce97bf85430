// Package containment proves package reach: it makes cluster states at random,
// and says of every connection in them, one by one and as slowly as it likes,
// whether it is allowed. The judge was written from the API's documentation
// alone and shares no code with what it judges. A second judge, cyclonus'
// matcher, is in the module below, because what it depends on is no business of
// Firebreak's.
package containment
